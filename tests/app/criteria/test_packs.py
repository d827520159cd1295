"""Packs: the shipped one quotes the letter, every fault is told with its line, and hostile ones are refused at once."""

import time
from datetime import date
from pathlib import Path

import pytest

from app.criteria.packs import DATA, document_schema, lint, parse, shipped
from app.criteria.rules import NOT_CHOSEN, NOT_FROM_LETTER, Value, evaluate
from app.errors import InvalidMany

FILE = DATA / "lang-son-thon-thong-minh-2022.toml"
TEXT = FILE.read_text(encoding="utf-8")
LETTER = Path(__file__).parents[4] / "shared" / "data" / "letter" / "tieu-chi-8-lang-son-2022.md"

MINIMAL = """\
id = "thu"
version = "2026.1"
title = { vi = "Thử", en = "Trial" }
unit_level = "village"
authority = { vi = "Tỉnh", en = "Province" }
effective_from = 2026-01-01

[[legal]]
doc = "1"
date = "2026"
title = "Văn bản"

[[parameter]]
name = "least"
type = "integer"
source = "not_from_letter"
label = { vi = "Ít nhất", en = "At least" }
default = 3
minimum = 1
maximum = 9

[[fact]]
name = "cameras"
type = "count"
label = { vi = "camera", en = "cameras" }
meaning = { vi = "Số camera.", en = "Cameras." }
unit = { vi = "camera", en = "cameras" }

[[criterion]]
id = "camera"
clause = 1
label = { vi = "Camera", en = "Cameras" }
legal_quote = "Có camera."
evidence = ["photo"]
who_can_fix = { vi = "Thôn", en = "Village" }
what_to_do = { vi = "Lắp camera.", en = "Install cameras." }

[criterion.rule]
kind = "count_at_least@1"
fact = "cameras"
at_least = "$least"

[result]
kind = "all_of@1"
"""


def plain(text: str) -> str:
    return " ".join(text.replace("*", "").split())


def test_shipped_pack_has_no_fault_and_six_criteria_in_the_letters_order() -> None:
    assert lint(FILE.read_bytes()) == ()
    pack = shipped()["lang-son-thon-thong-minh-2022"]
    assert [criterion.clause for criterion in pack.criterion] == [1, 2, 3, 4, 5, 6]
    assert pack.effective_from == date(2022, 10, 1)
    assert pack.effective_to == date(2025, 12, 31)


def test_every_quote_and_every_legal_title_stands_word_for_word_in_the_letter() -> None:
    if not LETTER.exists():
        pytest.skip("the letter is not beside this checkout")
    letter = plain(LETTER.read_text(encoding="utf-8"))
    pack = shipped()["lang-son-thon-thong-minh-2022"]
    quotes = [criterion.legal_quote for criterion in pack.criterion]
    assert [quote for quote in quotes if quote not in letter] == []
    assert [basis.title for basis in pack.legal if basis.title not in letter] == []
    village = letter[letter.index("1. Mô hình Thôn thông minh") : letter.index("2. Tiêu chí số 9")]
    bullets = [bullet.strip() for bullet in village.split(" - ")]
    joined = " - ".join(bullets)
    assert sum(joined.count(quote) for quote in quotes) == 6
    left = joined
    for quote in quotes:
        left = left.replace(quote, "")
    assert plain(left.replace("-", "")) == (
        "1. Mô hình Thôn thông minh: Thôn thông minh là thôn đáp ứng đầy đủ các tiêu chí sau:"
    )


def test_every_parameter_of_the_shipped_pack_is_the_provinces_choice_and_is_shown_with_the_answers_it_decides() -> None:
    pack = shipped()["lang-son-thon-thong-minh-2022"]
    assert {parameter.source for parameter in pack.parameter} == {"not_from_letter"}
    nothing = evaluate(pack, {}, {}, date(2026, 11, 24))
    shown = {result.clause: [c.name for c in nothing.choices_of(result.answer)] for result in nothing.results}
    assert shown == {
        1: ["group_window_days", "group_min_activities"],
        2: [
            "channel_max_age_days",
            "feedback_window_days",
            "feedback_days",
            "feedback_percent",
            "village_without_feedback",
        ],
        3: ["wifi_max_age_days"],
        4: [],
        5: [
            "village_of_product",
            "village_without_products",
            "lapsed_certificate",
            "liveness_max_age_hours",
            "declared_max_age_days",
            "declared_look_by",
        ],
        6: [
            "model_max_age_days",
            "smart_agriculture_min_households",
            "smart_agriculture_min_logs",
            "smart_agriculture_window_days",
        ],
    }
    assert sorted(name for names in shown.values() for name in names) == sorted(pack.parameters_by_name)
    choice = nothing.choices_of(nothing.result("ocop-tren-san").answer)[0]
    assert (choice.note, choice.chosen) == (NOT_CHOSEN, False)
    decided = evaluate(pack, {}, {}, date(2026, 11, 24), {"village_of_product": "holder_seat"})
    choice = decided.choices_of(decided.result("ocop-tren-san").answer)[0]
    assert (choice.note, choice.chosen) == (NOT_FROM_LETTER, True)
    assert choice.label.vi == "Sản phẩm OCOP tính cho thôn nào"
    assert choice.value_label.vi == "thôn có trụ sở của chủ thể"


def test_a_village_without_any_record_is_insufficient_everywhere_and_each_criterion_names_what_to_record() -> None:
    nothing = evaluate(shipped()["lang-son-thon-thong-minh-2022"], {}, {}, date(2026, 11, 24))
    assert {result.answer.value for result in nothing.results} == {Value.INSUFFICIENT}
    assert all(result.answer.missing for result in nothing.results)
    assert nothing.overall.reason.vi == "Đạt 0/6 tiêu chí. Thiếu dữ liệu: tiêu chí 1, 2, 3, 4, 5, 6."
    assert nothing.overall.reason.text("en") == "0 of 6 criteria met. Not enough data: criterion 1, 2, 3, 4, 5, 6."


def test_address_of_a_pack_is_its_content_not_its_layout() -> None:
    pack = parse(MINIMAL)
    assert parse("# ghi chú\n\n" + MINIMAL).sha256 == pack.sha256
    assert parse(MINIMAL.replace("default = 3", "default = 4")).sha256 != pack.sha256
    assert parse(MINIMAL.replace("\n", "\r\n")).sha256 == pack.sha256


def test_settings_take_the_provinces_choice_and_refuse_all_bad_ones_at_once() -> None:
    pack = shipped()["lang-son-thon-thong-minh-2022"]
    assert pack.settings({"wifi_max_age_days": 30})["wifi_max_age_days"] == 30
    assert pack.settings()["wifi_max_age_days"] == 365
    bad = {"wifi_max_age_days": 0, "lapsed_certificate": "met", "group_min_activities": True, "khac": 1}
    with pytest.raises(InvalidMany) as caught:
        pack.settings(bad)
    assert [error.field for error in caught.value.errors] == [
        "khac",
        "group_min_activities",
        "wifi_max_age_days",
        "lapsed_certificate",
    ]
    assert caught.value.errors[2].text("vi") == (
        "Minh chứng về Wi-Fi ở nhà văn hóa còn dùng được trong: 0 không dùng được; hãy chọn số nguyên từ 1 đến 1000."
    )


def swap(old: str, new: str) -> str:
    assert MINIMAL.count(old) == 1, old
    return MINIMAL.replace(old, new)


RULE = 'kind = "count_at_least@1"\nfact = "cameras"\nat_least = "$least"'
SECOND_FACT = MINIMAL[MINIMAL.index("[[fact]]") : MINIMAL.index("[[criterion]]")]
CRITERION = MINIMAL[MINIMAL.index("[[criterion]]") : MINIMAL.index("[result]")]
PARAMETER = MINIMAL[MINIMAL.index("[[parameter]]") : MINIMAL.index("[[fact]]")]

BAD = {
    "unknown key": (swap('id = "thu"', 'id = "thu"\nmau = 1'), "mau", 2),
    "missing key": (swap('version = "2026.1"\n', ""), "version", 1),
    "wrong version": (swap('"2026.1"', '"mới"'), "version", 2),
    "unit level unknown": (swap('"village"', '"district"'), "unit_level", 4),
    "title without English": (swap(', en = "Trial"', ""), "title.en", 3),
    "title with a third language": (swap('en = "Trial"', 'en = "Trial", fr = "Essai"'), "title.fr", 3),
    "date as text": (swap("2026-01-01", '"2026-01-01"'), "effective_from", 6),
    "date with a time": (swap("2026-01-01", "2026-01-01T00:00:00"), "effective_from", 6),
    "ends before it begins": (swap("2026-01-01", "2026-01-01\neffective_to = 2025-01-01"), "effective_to", 7),
    "no legal basis": (swap('[[legal]]\ndoc = "1"\ndate = "2026"\ntitle = "Văn bản"\n', "legal = []\n"), "legal", 8),
    "parameter default below minimum": (swap("default = 3", "default = 0"), "parameter[0].default", 18),
    "parameter default is a boolean": (swap("default = 3", "default = true"), "parameter[0].default", 18),
    "parameter without maximum": (swap("maximum = 9\n", ""), "parameter[0].maximum", 13),
    "choice with limits": (swap('type = "integer"', 'type = "choice"'), "parameter[0].choices", 13),
    "parameter twice": (swap("[[fact]]\n", PARAMETER + "[[fact]]\n"), "parameter[1].name", 23),
    "source unknown": (swap('"not_from_letter"', '"rumour"'), "parameter[0].source", 16),
    "fact type unknown": (swap('type = "count"', 'type = "float"'), "fact[0].type", 24),
    "flag without its sentences": (swap('type = "count"', 'type = "flag"'), "fact[0].no", 22),
    "count with a flag's sentence": (
        swap('type = "count"', 'type = "count"\nyes = { vi = "Có", en = "Yes" }'),
        "fact[0].yes",
        25,
    ),
    "count without unit": (swap('unit = { vi = "camera", en = "cameras" }\n', ""), "fact[0].unit", 22),
    "fact names an unknown parameter": (
        swap('type = "count"', 'type = "count"\nparameters = ["khac"]'),
        "fact[0].parameters[0]",
        25,
    ),
    "fact twice": (swap("[[criterion]]\n", SECOND_FACT + "[[criterion]]\n"), "fact[1].name", 30),
    "fact unused": (
        swap("[[criterion]]\n", SECOND_FACT.replace('"cameras"', '"lamps"', 1) + "[[criterion]]\n"),
        "fact[1].name",
        30,
    ),
    "parameter unused": (swap('"$least"', "3"), "parameter[0].name", 14),
    "criterion twice": (
        swap("[result]", CRITERION.replace("clause = 1", "clause = 2") + "[result]"),
        "criterion[1].id",
        44,
    ),
    "clause twice": (
        swap("[result]", CRITERION.replace('"camera"', '"den"', 1) + "[result]"),
        "criterion[1].clause",
        45,
    ),
    "clause zero": (swap("clause = 1", "clause = 0"), "criterion[0].clause", 31),
    "empty quote": (swap('"Có camera."', '""'), "criterion[0].legal_quote", 33),
    "no evidence kind": (swap('["photo"]', "[]"), "criterion[0].evidence", 34),
    "unknown kind": (swap("count_at_least@1", "python@1"), "criterion[0].rule", 38),
    "kind of a version that does not exist": (swap("count_at_least@1", "count_at_least@2"), "criterion[0].rule", 38),
    "no kind": (swap('kind = "count_at_least@1"\n', ""), "criterion[0].rule", 38),
    "unknown key in a rule": (swap("$least", '$least"\nsql = "select'), "criterion[0].rule.sql", 42),
    "fact not declared": (swap('fact = "cameras"', 'fact = "drones"'), "criterion[0].rule.fact", 40),
    "parameter not declared": (swap('"$least"', '"$most"'), "criterion[0].rule.at_least", 41),
    "threshold zero would always pass": (swap('"$least"', "0"), "criterion[0].rule.at_least", 41),
    "threshold negative": (swap('"$least"', "-1"), "criterion[0].rule.at_least", 41),
    "threshold with a fraction": (swap('"$least"', "1.5"), "criterion[0].rule.at_least", 41),
    "threshold not a number": (swap('"$least"', "nan"), "criterion[0].rule.at_least", 41),
    "threshold a boolean": (swap('"$least"', "true"), "criterion[0].rule.at_least", 41),
    "threshold an expression": (swap('"$least"', '"least + 1"'), "criterion[0].rule.at_least", 41),
    "parameter may be zero where one is the least": (
        swap("minimum = 1", "minimum = 0"),
        "criterion[0].rule.at_least",
        41,
    ),
    "flag over a count": (swap(RULE, 'kind = "flag@1"\nfact = "cameras"'), "criterion[0].rule.fact", 40),
    "ratio of a thing to itself": (
        swap(
            RULE,
            'kind = "ratio_at_least@1"\nnumerator = "cameras"\ndenominator = "cameras"\npercent = 50\n'
            'zero_denominator = "unmet"',
        ),
        "criterion[0].rule.denominator",
        41,
    ),
    "ratio over a hundred per cent": (
        swap(
            RULE,
            'kind = "ratio_at_least@1"\nnumerator = "cameras"\ndenominator = "lamps"\npercent = 101\n'
            'zero_denominator = "unmet"',
        ),
        "criterion[0].rule.percent",
        42,
    ),
    "nothing counted as a pass": (
        swap(
            RULE,
            'kind = "ratio_at_least@1"\nnumerator = "cameras"\ndenominator = "lamps"\npercent = 50\n'
            'zero_denominator = "met"',
        ),
        "criterion[0].rule.zero_denominator",
        43,
    ),
    "ratio silent about nothing": (
        swap(RULE, 'kind = "ratio_at_least@1"\nnumerator = "cameras"\ndenominator = "lamps"\npercent = 50'),
        "criterion[0].rule.zero_denominator",
        38,
    ),
    "all of nothing": (swap(RULE, 'kind = "all_of@1"\nof = []'), "criterion[0].rule.of", 40),
    "more of n than n": (
        swap(RULE, f'kind = "k_of_n@1"\nk = 2\n[[criterion.rule.of]]\n{RULE}'),
        "criterion[0].rule.k",
        40,
    ),
    "threshold by attribute of neither shape": (
        swap(
            RULE,
            'kind = "threshold_by_attribute@1"\nattribute = "commune_group"\n'
            'attribute_label = { vi = "nhóm xã", en = "commune group" }\nthresholds = { "1" = 3 }',
        ),
        "criterion[0].rule",
        38,
    ),
    "result k without k_of_n": (swap('kind = "all_of@1"', 'kind = "all_of@1"\nk = 1'), "result.k", 45),
    "result k over the criteria": (swap('kind = "all_of@1"', 'kind = "k_of_n@1"\nk = 2'), "result.k", 45),
    "not TOML": (swap("clause = 1", "clause = = 1"), "", 31),
    "key twice": (swap("clause = 1", "clause = 1\nclause = 2"), "", 32),
    "number of many digits": (swap("clause = 1", "clause = " + "9" * 5000), "", None),
    "hidden direction mark": (swap('"Có camera."', '"Có \u202ecamera."'), "criterion[0].legal_quote", 33),
    "zero width": (swap('"Có camera."', '"Có\u200b camera."'), "criterion[0].legal_quote", 33),
    "not NFC": (swap('"Có camera."', '"Co\u0301 camera."'), "criterion[0].legal_quote", 33),
    "look-alike letter in a name": (swap('fact = "cameras"', 'fact = "c\u0430meras"'), "criterion[0].rule.fact", 40),
    "control character": (swap('"Có camera."', '"Có\\u0007 camera."'), "criterion[0].legal_quote", 33),
    "text too long": (swap('"Có camera."', '"' + "a" * 2001 + '"'), "criterion[0].legal_quote", 33),
    "not a table": (swap("[result]\nkind = ", "result = "), "", None),
    "result a number": (
        MINIMAL[: MINIMAL.index("[result]")].replace('id = "thu"', 'id = "thu"\nresult = 1'),
        "result",
        2,
    ),
}


def test_the_minimal_pack_is_sound_so_that_each_bad_one_has_one_reason() -> None:
    assert lint(MINIMAL) == ()


@pytest.mark.parametrize("name", BAD)
def test_bad_pack_is_refused_with_path_and_line(name: str) -> None:
    text, path, line = BAD[name]
    faults = lint(text)
    found = [(fault.path, fault.line) for fault in faults]
    if name == "not a table":
        assert faults
    else:
        assert (path, line) in found, found
    with pytest.raises(InvalidMany) as caught:
        parse(text)
    assert len(caught.value.errors) == len(faults)
    assert all(error.text("vi") and error.text("en") and error.status == 422 for error in caught.value.errors)


def test_at_least_sixty_bad_packs_are_known() -> None:
    assert len(BAD) + len(HOSTILE) >= 60


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = swap('"2026.1"', '"mới"').replace("clause = 1", "clause = 0").replace('fact = "cameras"', "fact = 5")
    assert [(fault.line, fault.path, fault.said.text("vi")) for fault in lint(text)] == [
        (2, "version", r"sai cách viết tên; mẫu: ^[0-9]{4}\.[0-9]{1,4}$"),
        (31, "criterion[0].clause", "phải từ 1 trở lên"),
        (40, "criterion[0].rule.fact", "phải là chữ trong dấu ngoặc kép"),
    ]
    with pytest.raises(InvalidMany) as caught:
        parse(text)
    assert caught.value.errors[1].text("vi") == "Dòng 31, criterion[0].clause: phải từ 1 trở lên."
    assert caught.value.errors[1].text("en") == "Line 31, criterion[0].clause: must be at least 1."


def test_fault_in_a_nested_condition_names_its_own_line() -> None:
    start = TEXT[: TEXT.index('at_least = "$smart_agriculture_min_households"')]
    text = TEXT.replace('at_least = "$smart_agriculture_min_households"', 'at_least = "$khong_co"')
    found = [(fault.path, fault.line) for fault in lint(text)]
    assert ("criterion[5].rule.of[3].of[1].at_least", start.count("\n") + 1) in found


HOSTILE = {
    "too large": "# " + "a" * 200_000,
    "ten thousand criteria": MINIMAL + "[[criterion]]\n" * 8000,
    "ten thousand criteria in one line": MINIMAL[: MINIMAL.index("[[criterion]]")].replace(
        'id = "thu"', 'id = "thu"\ncriterion = [' + "{}," * 30_000 + "]"
    ),
    "ten thousand quotes of evidence": swap('["photo"]', "[" + '"a",' * 25_000 + "]"),
    "ten thousand arrays in arrays": "x = " + "[" * 10_000,
    "closed arrays in arrays": "x = " + "[" * 60_000 + "]" * 60_000,
    "tables in tables": "x = " + "{a=" * 30_000 + "1" + "}" * 30_000,
    "one key of thirty thousand parts": ".".join(["a"] * 30_000) + " = 1",
    "quoted key of many parts": ".".join(['"a"'] * 30_000) + " = 1",
    "header of many parts": "[" + ".".join(["a"] * 30_000) + "]",
    "spaced key of many parts": " . ".join(["a"] * 30_000) + " = 1",
    "nesting hidden behind odd quotes": 'x = [""""a"""", ' + "[" * 20_000 + "]" * 20_000 + ', "b"]',
    "parts hidden behind odd quotes": 'x = [""""a"""", {' + ".".join(["a"] * 20_000) + ' = 1}, "b"]',
    "parts hidden behind single quotes": "x = [''''a'''', {" + ".".join(["a"] * 20_000) + " = 1}, 'b']",
    "unclosed quotes": 'x = "' * 25_000,
    "unclosed long quotes": 'x = """' + '\\"""' * 25_000,
    "many long quotes": 'x = """a"""\n' * 9_000,
    "backslashes": 'x = "' + "\\" * 120_000,
    "many keys": "\n".join(f"k{n} = 1" for n in range(12_000)),
    "many tables": "\n".join(f"[t{n}]" for n in range(12_000)),
    "many conditions": MINIMAL.replace(RULE, 'kind = "all_of@1"\n' + f"[[criterion.rule.of]]\n{RULE}\n" * 1200),
    "one hexadecimal number": "x = 0x" + "f" * 120_000,
    "surrogates": b"id = '\xed\xa0\x80'",
    "latin letters": "id = 'thôn'".encode("latin-1"),
    "nothing": "",
    "nul": "id = '\0'",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pack_is_refused_within_a_second(name: str) -> None:
    start = time.process_time()  # our own work, whatever else the machine does
    faults = lint(HOSTILE[name])
    took = time.process_time() - start
    assert faults
    assert len(faults) <= 50
    assert took < 1, f"{took:.2f} s"


def test_schema_names_every_kind_of_condition() -> None:
    kinds = {
        definition["properties"]["kind"]["const"]
        for definition in document_schema()["$defs"].values()
        if "const" in definition.get("properties", {}).get("kind", {})
    }
    assert kinds == {
        "flag@1",
        "count_at_least@1",
        "ratio_at_least@1",
        "all_of@1",
        "any_of@1",
        "k_of_n@1",
        "threshold_by_attribute@1",
    }
