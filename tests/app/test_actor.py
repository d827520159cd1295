"""One question about rights, what it answers, and that it is asked in one way: the code is read for ways that went wrong."""

import ast
import re
from collections.abc import Iterator

import pytest

from app.actor import (
    NOWHERE,
    PUBLIC,
    SYSTEM,
    Actor,
    Membership,
    Right,
    Role,
    Scope,
    check_may,
    check_may_everywhere,
)
from app.db import new_id
from app.errors import Forbidden
from app.settings import ROOT

HOME, OTHER, PLACE, ELSEWHERE = (new_id() for _ in range(4))
SOMEBODY = Actor(
    kind="person",
    person_id=new_id(),
    memberships=(Membership(HOME, Role.PURCHASER), Membership(OTHER, Role.CERTIFIER, PLACE)),
    organisations=frozenset({HOME, OTHER}),
    places=frozenset({PLACE, ELSEWHERE}),
    rights={
        Right.SELL: Scope(frozenset({HOME})),
        Right.OVERSEE: Scope(places=frozenset({PLACE})),
        Right.ADMINISTER: Scope(everywhere=True),
    },
)


def test_a_right_holds_where_it_was_given_and_nowhere_else() -> None:
    asked = (Right.SELL, Right.OVERSEE, Right.ADMINISTER, Right.FARM)
    assert [SOMEBODY.may(right, HOME) for right in asked] == [True, False, True, False]
    assert [SOMEBODY.may(right, OTHER) for right in asked] == [False, False, True, False]
    assert [SOMEBODY.may_at(right, PLACE) for right in asked] == [False, True, True, False]
    assert [SOMEBODY.may_at(right, None, ELSEWHERE) for right in asked] == [False, False, True, False]
    assert SOMEBODY.may_at(Right.OVERSEE, ELSEWHERE, PLACE)
    assert [SOMEBODY.may_everywhere(right) for right in asked] == [False, False, True, False]
    assert [SOMEBODY.where(right) for right in asked] == [{HOME}, set(), set(), set()]
    assert [SOMEBODY.places_where(right) for right in asked] == [set(), {PLACE}, set(), set()]
    assert [SOMEBODY.may_somewhere(right) for right in asked] == [True, True, True, False]
    assert SOMEBODY.may_somewhere(Right.FARM, Right.SELL)
    assert not SOMEBODY.may_somewhere()


def test_system_may_everything_and_the_public_nothing() -> None:
    for actor, may in ((SYSTEM, True), (PUBLIC, False)):
        assert actor.may(Right.SELL, HOME) is may
        assert actor.may_at(Right.SELL, PLACE) is may
        assert actor.may_everywhere(Right.SELL) is may
        assert actor.may_somewhere(Right.SELL) is may
        assert actor.reads(HOME) is may
        assert not actor.is_person
    assert SYSTEM.only(Right.SELL) is SYSTEM
    assert PUBLIC.only(Right.SELL) == PUBLIC


def test_who_is_a_person_reads_what_is_theirs_and_has_the_roles_they_hold() -> None:
    assert SOMEBODY.is_person
    assert [SOMEBODY.reads(at) for at in (HOME, OTHER, new_id())] == [True, True, False]
    assert SOMEBODY.roles == {Role.PURCHASER, Role.CERTIFIER}
    assert SOMEBODY.has(Role.FARMER, Role.PURCHASER)
    assert not SOMEBODY.has(Role.FARMER)
    assert [SOMEBODY.has(Role.PURCHASER, organisation_id=at) for at in (HOME, OTHER)] == [True, False]


def test_a_check_refuses_what_may_not_be_done() -> None:
    check_may(SOMEBODY, Right.SELL, HOME)
    check_may_everywhere(SOMEBODY, Right.ADMINISTER)
    with pytest.raises(Forbidden):
        check_may(SOMEBODY, Right.SELL, OTHER)
    with pytest.raises(Forbidden):
        check_may_everywhere(SOMEBODY, Right.SELL)


def test_an_actor_is_narrowed_to_one_right_and_widened_by_named_ones() -> None:
    narrow = SOMEBODY.only(Right.SELL)
    assert (narrow.organisations, narrow.places, narrow.rights) == ({HOME}, set(), SOMEBODY.rights)
    assert SOMEBODY.only(Right.OVERSEE).places == {PLACE}
    third = new_id()
    wide = SOMEBODY.also([third], Right.SELL, Right.FARM)
    assert wide.organisations == {HOME, OTHER, third}
    assert (wide.where(Right.SELL), wide.where(Right.FARM)) == ({HOME, third}, {third})
    assert wide.rights[Right.OVERSEE] == SOMEBODY.rights[Right.OVERSEE]
    assert SOMEBODY.where(Right.SELL) == {HOME}
    asked = SOMEBODY.with_request("r-1")
    assert (asked.request_id, asked.person_id) == ("r-1", SOMEBODY.person_id)


def test_scopes_add_up_and_an_empty_one_is_nowhere() -> None:
    here, there = Scope(frozenset({HOME})), Scope(frozenset({OTHER}), frozenset({PLACE}))
    assert here | there == Scope(frozenset({HOME, OTHER}), frozenset({PLACE}))
    assert there | Scope(places=frozenset({ELSEWHERE})) == Scope(frozenset({OTHER}), frozenset({PLACE, ELSEWHERE}))
    units = Scope(units=frozenset({PLACE})) | Scope(units=frozenset({ELSEWHERE}))
    assert units == Scope(units=frozenset({PLACE, ELSEWHERE}))
    everywhere = Scope(everywhere=True)
    assert [(here | everywhere).everywhere, (everywhere | here).everywhere] == [True, True]
    assert not (here | there).everywhere
    whole = frozenset({HOME})  # a province's are many: where nothing is added nothing is copied
    assert (Scope(whole, whole) | NOWHERE).organisations is whole
    assert (Scope(whole, whole) | NOWHERE).places is whole
    assert [bool(s) for s in (NOWHERE, here, Scope(places=whole), everywhere)] == [False, True, True, True]


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
