"""Sentences that are said later: their values, what is kept of them, and a language that is nothing but a catalogue."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from app.db import Words
from app.errors import Invalid, not_found
from app.messages import N_, Sentence, sentences

ROOT = Path(__file__).resolve().parents[2]
LEFT = "Lần thu hoạch ngày %(day)s chỉ còn %(left)s %(unit)s chưa vào lô nào."


def left(kilos: str) -> Sentence:
    return Sentence(LEFT, {"day": "21/11/2026", "left": Decimal(kilos), "unit": "kg"})


def test_a_sentence_writes_numbers_as_its_reader_does() -> None:
    assert left("1200.5").text("vi") == "Lần thu hoạch ngày 21/11/2026 chỉ còn 1.200,5 kg chưa vào lô nào."
    assert left("1200.5").text("en") == "Of the harvest of 21/11/2026 only 1,200.5 kg is left."


def test_a_sentence_in_a_sentence_is_said_in_the_same_language() -> None:
    error = not_found(Sentence("lô này"))
    assert error.text("vi") == "Không tìm thấy lô này. Hãy kiểm tra lại đường dẫn, hoặc về trang đầu."
    assert error.text("en") == "We could not find this batch. Check the address, or go back to the first page."
    assert sentences([Sentence("lô này"), Sentence("sản phẩm này")], ", ").text("en") == "this batch, this product"


def test_what_stands_in_brackets_ends_without_its_full_stop() -> None:
    ended = Sentence("Chứng nhận OCOP đã hết hạn.")
    assert (
        Sentence("%(name)s (%(why)s).", {"name": "Na", "why": ended}).text("en")
        == "Na (Its OCOP certificate has lapsed)."
    )


def test_a_percent_sign_stands_as_it_is_where_there_are_no_values() -> None:
    assert Sentence("100 %").text("en") == "100 %"
    assert Sentence("100 %% của %(what)s", {"what": "thôn"}).text("en") == "100 % của thôn"


def test_what_is_kept_is_the_key_the_values_and_the_vietnamese_as_it_stood() -> None:
    kept = Words.of(left("2.5"))
    said = "Lần thu hoạch ngày 21/11/2026 chỉ còn 2,5 kg chưa vào lô nào."
    assert json.loads(kept.model_dump_json(exclude_none=True)) == {
        "vi": said,
        "sentence": LEFT,
        "values": {"day": "21/11/2026", "left": {"number": "2.5"}, "unit": "kg"},
    }
    read = Words.model_validate_json(kept.model_dump_json(exclude_none=True))
    assert (read.text("vi"), read.text("en")) == (said, "Of the harvest of 21/11/2026 only 2.5 kg is left.")
    assert (read.speaks("vi"), read.speaks("en")) == (True, True)


def test_a_sentence_that_the_catalogue_does_not_know_any_more_is_read_as_it_stood() -> None:
    kept = Words(vi="Câu cũ: 3 gói.", sentence="Câu cũ: %(n)s gói.", values={"n": "3"})
    assert (kept.text("en"), kept.speaks("en")) == ("Câu cũ: 3 gói.", False)
    assert Words.of(sentences([Sentence("lô này"), Sentence("sản phẩm này")])).text("en") == "this batch this product"


def test_what_people_wrote_has_its_languages_beside_each_other() -> None:
    assert Words.of(Words(vi="Na dai", en="Custard apple")) == Words(vi="Na dai", en="Custard apple")
    assert (Words(vi="Na dai").text("en"), Words(vi="Na dai").speaks("en")) == ("Na dai", False)


def test_an_error_tells_machines_the_english_and_people_their_own() -> None:
    error = Invalid("harvest_used_up", left("2.5"), field="sources")
    assert str(error) == "harvest_used_up: Of the harvest of 21/11/2026 only 2.5 kg is left."
    assert error.text("vi").startswith("Lần thu hoạch ngày 21/11/2026 chỉ còn 2,5 kg")


def test_every_lazy_sentence_is_a_literal_with_exactly_the_values_it_names() -> None:
    """A catalogue is made by reading the source: what is put together at run time would never be found."""
    wrong = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_"):
                continue
            text = node.args[0]
            if len(node.args) != 1 or not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                wrong.append(f"{path.name}:{node.lineno} is no literal")
                continue
            named = {part.split(")")[0] for part in text.value.replace("%%", "").split("%(")[1:]}
            given = {keyword.arg for keyword in node.keywords}
            if given and named != given:  # a sentence whose values come later has none yet
                wrong.append(f"{path.name}:{node.lineno} {sorted(named ^ given, key=str)}")
    assert wrong == []


# Where a text has its languages beside each other because people wrote it so: on a page, or in a pack of criteria.
WRITTEN_BY_PEOPLE = {
    "criteria/facts/ocop.py", "criteria/flags.py", "criteria/rules/pack.py", "criteria/rules/sheet.py", "criteria/rules/words.py",
    "db/texts.py", "products/forms_shown.py", "products/schemas.py", "sheets/rows.py", "trace/schemas.py",
}  # fmt: skip
# Where English itself is meant: what the log says, the file of its catalogue, the other way to write a number.
ENGLISH = {"cli/developer.py", "db/texts.py", "errors.py", "numbers.py", "sheets/problems.py"}
VIETNAMESE_LETTER = re.compile("[à-ýăđơưạ-ỹ]", re.IGNORECASE)
TWO_WORDS = re.compile("[a-z]{3,} [a-z]{2,}", re.IGNORECASE)


def text_of(node: ast.AST) -> str:
    given = node.value if isinstance(node, ast.keyword) else node
    parts = given.values if isinstance(given, ast.JoinedStr) else [given]
    return "".join(p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str))


def second_sentences(tree: ast.AST, name: str) -> Iterator[str]:
    for node in ast.walk(tree):
        called = str(getattr(node, "arg", None) or getattr(node, "attr", None) or getattr(node, "id", ""))
        if (called == "en" or called.endswith("_en")) and name not in WRITTEN_BY_PEOPLE:
            yield f"{name}:{getattr(node, 'lineno', '?')} {called}"
        if isinstance(node, ast.Constant) and node.value == "en" and name not in ENGLISH | WRITTEN_BY_PEOPLE:
            yield f"{name}:{node.lineno} chooses English by name"
        beside: list[ast.AST] = []
        if isinstance(node, ast.Call):
            beside = [*node.args, *node.keywords]
        elif isinstance(node, ast.Tuple | ast.List):
            beside = list(node.elts)
        elif isinstance(node, ast.IfExp):
            beside = [node.body, node.orelse]
        for pair in pairwise(text_of(one) for one in beside):
            ours = [bool(VIETNAMESE_LETTER.search(one)) for one in pair]
            if any(ours) and not all(ours) and TWO_WORDS.search(pair[ours.index(False)]):
                yield f"{name}:{getattr(node, 'lineno', '?')} {pair}"


def test_no_module_holds_a_second_sentence_or_chooses_between_two() -> None:
    """English lives in the catalogue, so that a third language is a third catalogue."""
    found = [
        told
        for path in sorted((ROOT / "app").rglob("*.py"))
        if "migrations" not in path.parts
        for told in second_sentences(ast.parse(path.read_text()), path.relative_to(ROOT / "app").as_posix())
    ]
    found += [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "app").rglob("*.html"))
        if re.search("[\"']en[\"']", path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'Both("Chưa đạt.", "It is not met.")',
        'said = f"Chưa có {n}.", f"There is no {n} yet."',
        'words = "Not met yet" if language() != SOURCE else "Chưa đạt"',
        'Spec(vi="Gian", en="Shop")',
        "item.reason_en",
        'language == "en"',
    ],
)
def test_the_next_pair_is_found(code: str) -> None:
    assert list(second_sentences(ast.parse(code), "new.py"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with one more catalogue, of a language that nobody speaks: ⟦each English sentence⟧."""
    root = tmp_path_factory.mktemp("third")
    shutil.copytree(ROOT / "app", root / "app", ignore=shutil.ignore_patterns("__pycache__"))
    with (ROOT / "app" / "locale" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        english = read_po(file, locale="en")
    third = Catalog(locale="eo")
    for message in english:
        if message.id:
            said = message.string if isinstance(message.string, str) else tuple(message.string)
            third.add(
                message.id, f"⟦{said}⟧" if isinstance(said, str) else [f"⟦{s}⟧" for s in said], context=message.context
            )
    folder = root / "app" / "locale" / "eo" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, third)
    return root


SAYS = """
from datetime import date
from decimal import Decimal
from app import numbers
from app.accounts.schemas import PersonalChange
from app.criteria.packs import lint, shipped
from app.criteria.rules import Assessment, evaluate
from app.db import Words
from app.errors import forbidden
from app.languages import LANGUAGES, NAMES
from app.marketplace_sync.channels.registry import specs
from app.marketplace_sync.queries.evidence import OWN_SITE
from app.messages import N_, in_each_language
from app.trace.steps import STEPS
from app.web.formats import UNITS
from app.web.parsing import _PROBLEMS
print(LANGUAGES)
print(forbidden().text("eo"))
print(_PROBLEMS["missing"].text("eo"))
print(numbers.shown(Decimal("1200.5"), "eo"), numbers.read("1200,5", "eo"))
print(NAMES["eo"], PersonalChange(full_name="Lành", address_as="bác", language="eo").language, sorted(in_each_language(forbidden())))
print(STEPS["sowing"].text("eo"), UNITS["tan"].text("eo"), specs()[0].text("eo"), specs()[0].fields[0].hint.text("eo"))
print(Words.kept_in(Words.of(N_("Đang bán trên %(place)s.", place=OWN_SITE)).kept()).text("eo"))
print(Words.kept_in(Words.of(N_("Cần thêm %(n)s.", n=Decimal("1200.5"))).kept()).text("eo"))
for pack in shipped().values():
    kept = Assessment.from_json(evaluate(pack, {}, {}, date(2026, 11, 24)).to_json())
    print(kept.overall.reason.text("eo"))
    print(kept.results[2].answer.reason.text("eo"))
    print(kept.results[2].answer.missing[0].reason.text("eo"))
print(lint("id = 1")[0].as_error().text("eo"))
"""


def test_a_third_language_is_a_catalogue_and_nothing_else(elsewhere: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SAYS],
        cwd=elsewhere,
        env={"PYTHONPATH": str(elsewhere)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "('vi', 'en', 'eo')",
        "⟦This account may not do that. Ask the manager of your organisation.⟧",
        "⟦This field is missing.⟧",
        "1\xa0200,5 1200.5",
        "Esperanto eo ['en', 'eo', 'vi']",
        "⟦Sowing⟧ ⟦t⟧ ⟦WooCommerce shop⟧ ⟦The shop's first page, for example https://shop.vn⟧",
        "⟦On sale on ⟦its own shop⟧.⟧",
        "⟦1\xa0200,5 more needed.⟧",
        "⟦0 of 6 criteria met.⟧ ⟦⟦Not enough data⟧: criterion 1, 2, 3, 4, 5, 6.⟧",
        "⟦Wi-Fi miễn phí ở nhà văn hóa thôn: nobody has recorded it.⟧",  # a pack has its two languages
        "⟦Nobody has recorded it.⟧",
        "⟦Line 1, authority: ⟦this entry is missing⟧.⟧",
    ]
    assert N_("trang này").text("eo") == "trang này", "this installation has no such catalogue"
