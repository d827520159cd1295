"""One question about rights, asked in one way: the code itself is read for the ways that once went wrong."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import ROOT

APP = ROOT / "app"
# Where rights are computed and told, and where a page shows whose role is whose without deciding anything.
COMPUTED = {"actor.py", "accounts/named_rights.py", "accounts/actors.py", "db/database.py"}
SHOWN = {
    "doors/welcome/queries.py": "which door is whose",
    "accounts/routes/account.py": "one's own roles, as held by this sign-in",
    "accounts/routes/base.py": "the names of one's own organisations",
    "products/routes.py": "own organisations stand first in a list of choices",
    "trace/routes/sites.py": "own organisations stand first in a list of choices",
    "trace/routes/base.py": "the names of one's colleagues",
    "doors/official/queries/own.py": "the places named in one's own roles, of those one oversees",
}
READING = {"organisations", "places"}
ROLES = {"roles", "memberships"}


def faults(source: str) -> Iterator[str]:
    """The ways in which a right was put together by hand: a role held somewhere, an id among what one reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "has":
            yield f"line {node.lineno}: asks for a role, not for a right"
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            named = [n.attr for right in node.comparators for n in ast.walk(right) if isinstance(n, ast.Attribute)]
            if READING & set(named):
                yield f"line {node.lineno}: takes what is read for what may be done"
        if isinstance(node, ast.Attribute) and node.attr in ROLES and _is_actor(node.value):
            yield f"line {node.lineno}: looks into the roles of the actor"


def _is_actor(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.strip("_") in {"actor", "known", "wider", "writer"}


def test_no_module_puts_a_right_together_by_hand() -> None:
    found = [
        f"{path.relative_to(APP)} {fault}"
        for path in sorted(APP.rglob("*.py"))
        if str(path.relative_to(APP)) not in COMPUTED | SHOWN.keys() and "migrations" not in path.parts
        for fault in faults(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_what_only_shows_roles_needs_its_exception() -> None:
    for name in SHOWN:
        assert list(faults((APP / name).read_text(encoding="utf-8"))), name


@pytest.mark.parametrize(
    "source",
    [
        "def f(actor, o): return o in actor.organisations and actor.has(1)",
        "def f(actor, o): return o in actor.organisations",
        "def f(known, o): return o not in known.organisations | {o}",
        "def f(self, p): return p in self._actor.places",
        "def f(actor): return any(m.role == 1 for m in actor.memberships)",
        "def f(actor): return 1 in actor.roles",
    ],
)
def test_the_ways_that_went_wrong_are_recognised(source: str) -> None:
    assert list(faults(source))


def test_a_template_asks_for_roles_only_in_the_menu_and_to_say_where_one_is() -> None:
    """`nav_key` marks the entry of the menu that is lit; everything else on a page asks a right."""
    strange = [
        f"{path.relative_to(APP)}:{number}"
        for path in sorted(APP.rglob("*.html"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\.has\(|\.organisations_as\(|in actor\.", line)
        and "nav_key" not in line
        and path.name != "nav_desk.html"
    ]
    assert strange == []


def test_every_new_table_of_an_organisation_is_written_by_a_named_right() -> None:
    """The rule of before, "of this organisation in whichever role", is not there to be used again."""
    migrations = sorted((APP / "migrations" / "versions").glob("*.py"))
    later = [path for path in migrations if path.name > "0024"]
    assert [p.name for p in later if re.search(r"organisation_rows\(|hoi_writes", _without_drop(p))] == []


def _without_drop(path: Path) -> str:
    return "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if "DROP FUNCTION" not in line)
