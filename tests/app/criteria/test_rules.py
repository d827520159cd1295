"""The engine: frozen meanings, four values, never a pass from what is missing, and always a reason and a name."""

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.criteria.packs import shipped
from app.criteria.rules import (
    Answer,
    Assessment,
    Fact,
    Item,
    ItemSet,
    Pack,
    Source,
    Value,
    all_of_1,
    any_of_1,
    compare,
    evaluate,
    facts_from_json,
    facts_to_json,
    k_of_n_1,
    percent_text,
)

TODAY = date(2026, 11, 24)
MET, UNMET, INSUFFICIENT, NOT_APPLICABLE = Value.MET, Value.UNMET, Value.INSUFFICIENT, Value.NOT_APPLICABLE
VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))


def words(vi: str, en: str) -> dict[str, str]:
    return {"vi": vi, "en": en}


def declared(name: str, kind: str, vi: str, en: str) -> dict[str, Any]:
    common = {"name": name, "type": kind, "label": words(vi, en), "meaning": words("Để thử.", "For tests.")}
    if kind == "flag":
        upper = name.upper()
        return {
            **common,
            "yes": words(f"Có {upper}.", f"{upper} is there."),
            "no": words(f"Chưa có {upper}.", f"No {upper}."),
        }
    return {**common, "unit": words(vi, en)}


FACTS = [
    *(declared(name, "flag", f"điều {name}", f"thing {name}") for name in "fgh"),
    declared("n", "count", "camera", "cameras"),
    declared("d", "count", "đường", "roads"),
    declared("p", "items", "hộ có mã", "households with a code"),
    declared("q", "items", "hộ", "households"),
]
PARAMETERS = [
    {
        "name": "k",
        "type": "integer",
        "source": "not_from_letter",
        "label": words("K", "K"),
        "default": 2,
        "minimum": 1,
        "maximum": 9,
    },
    {
        "name": "z",
        "type": "choice",
        "source": "not_from_letter",
        "label": words("Z", "Z"),
        "default": "insufficient",
        "choices": [
            {"value": value, "label": words(value, value)} for value in ("insufficient", "unmet", "not_applicable")
        ],
    },
]


def pack_of(*rules: Mapping[str, Any]) -> Pack:
    return Pack.model_validate(
        {
            "id": "thu",
            "version": "2026.1",
            "title": words("Thử", "Trial"),
            "unit_level": "village",
            "authority": words("Tỉnh", "Province"),
            "legal": [{"doc": "1", "date": "2026", "title": "Văn bản"}],
            "effective_from": date(2026, 1, 1),
            "parameter": PARAMETERS,
            "fact": FACTS,
            "criterion": [
                {
                    "id": f"c{clause}",
                    "clause": clause,
                    "label": words("Điều", "Clause"),
                    "legal_quote": "Văn bản.",
                    "rule": rule,
                    "evidence": ["photo"],
                    "who_can_fix": words("Thôn", "Village"),
                    "what_to_do": words("Ghi.", "Record."),
                }
                for clause, rule in enumerate(rules, start=1)
            ],
            "result": {"kind": "all_of@1"},
        }
    )


def item(name: str) -> Item:
    return Item(name.lower(), "household", name, f"Lý do của {name}.", f"Reason of {name}.")


def named(have: str = "", missing: str = "", unknown: str = "") -> ItemSet:
    return ItemSet(*(tuple(item(name) for name in part.split()) for part in (have, missing, unknown)))


def fact(value: bool | int | ItemSet, observed_on: date | None = None, due: date | None = None) -> Fact:  # noqa: FBT001 - a fact's value
    return Fact(value, TODAY, Source.SELF_DECLARED, observed_on=observed_on, next_change_on=due)


def answer_of(rule: Mapping[str, Any], facts: Mapping[str, Fact], **more: Any) -> Answer:
    assessment = evaluate(
        pack_of(rule), facts, more.get("attributes", {}), more.get("as_of", TODAY), more.get("choices")
    )
    return assessment.results[0].answer


# -------------------------------------------------------------------------------------------------------------- vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_vector(case: dict[str, Any]) -> None:
    def value(given_: Any) -> bool | int | ItemSet:
        if not isinstance(given_, dict):
            return given_
        return named(*(" ".join(given_.get(part, [])) for part in ("have", "missing", "unknown")))

    def day(table: str, name: str) -> date | None:
        text = case.get(table, {}).get(name)
        return date.fromisoformat(text) if text else None

    facts = {
        name: fact(value(given_), day("observed", name), day("due", name)) for name, given_ in case["facts"].items()
    }
    answer = answer_of(
        case["rule"],
        facts,
        attributes=case.get("attributes", {}),
        choices=case.get("choices"),
        as_of=date.fromisoformat(VECTORS["as_of"]),
    )
    found = {
        "value": answer.value.value,
        "have": answer.have,
        "need": answer.need,
        "gap": answer.gap,
        "of": answer.of,
        "percent": answer.percent,
        "to_do": answer.to_do,
        "vi": answer.reason.vi,
        "en": answer.reason.en,
        "next": answer.next_change_on.isoformat() if answer.next_change_on else None,
        "missing": [one.label for one in answer.missing],
        "not_counted": [one.label for one in answer.not_counted],
        "parameters": list(answer.parameters_used),
    }
    assert {key: found[key] for key in case["expect"]} == case["expect"]


def test_vectors_cover_every_kind() -> None:
    kinds = {case["rule"]["kind"] for case in VECTORS["cases"]}
    assert kinds == {
        "flag@1",
        "count_at_least@1",
        "ratio_at_least@1",
        "all_of@1",
        "any_of@1",
        "k_of_n@1",
        "threshold_by_attribute@1",
    }


# --------------------------------------------------------------------------------------------------------- truth tables
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_truth_tables_of_all_any_and_k_of_n_hold_for_every_combination(size: int) -> None:
    for values in itertools.product(Value, repeat=size):
        applicable = [value for value in values if value is not NOT_APPLICABLE]
        met, unmet = applicable.count(MET), applicable.count(UNMET)
        if not applicable:
            assert (all_of_1(values), any_of_1(values)) == (NOT_APPLICABLE, NOT_APPLICABLE)
            assert {k_of_n_1(values, k) for k in range(1, size + 1)} == {NOT_APPLICABLE}
            continue
        assert all_of_1(values) == (UNMET if unmet else MET if met == len(applicable) else INSUFFICIENT)
        assert any_of_1(values) == (MET if met else UNMET if unmet == len(applicable) else INSUFFICIENT)
        for k in range(1, size + 1):
            reachable = len(applicable) - unmet
            assert k_of_n_1(values, k) == (MET if met >= k else INSUFFICIENT if reachable >= k else UNMET)


@pytest.mark.parametrize(
    ("part", "whole", "vi", "en"),
    [
        (999, 1000, "99,9 %", "99.9%"),
        (99_999, 100_000, "99,9 %", "99.9%"),
        (1, 1, "100 %", "100%"),
        (2, 3, "66,6 %", "66.6%"),
        (0, 7, "0 %", "0%"),
        (1, 2000, "0 %", "0%"),
    ],
)
def test_percentage_is_rounded_down(part: int, whole: int, vi: str, en: str) -> None:
    assert (percent_text(part, whole), percent_text(part, whole, "en")) == (vi, en)


def ratio(percent: int, zero: str = "insufficient") -> dict[str, Any]:
    return {
        "kind": "ratio_at_least@1",
        "numerator": "n",
        "denominator": "d",
        "percent": percent,
        "zero_denominator": zero,
    }


@settings(deadline=None)
@given(of=st.integers(1, 10**12), percent=st.integers(1, 100), shift=st.integers(-2, 2))
def test_ratio_is_exact_around_its_threshold(of: int, percent: int, shift: int) -> None:
    have = min(max(-(-of * percent // 100) + shift, 0), of)
    answer = answer_of(ratio(percent), {"n": fact(have), "d": fact(of)})
    assert answer.value is (MET if have * 100 >= of * percent else UNMET)
    assert answer.need is not None
    assert (answer.need - 1) * 100 < of * percent <= answer.need * 100
    assert answer.gap == max(answer.need - have, 0)


# ----------------------------------------------------------------------------------------------------------- properties
NAMES = "ABCDEF"


@st.composite
def item_sets(draw: st.DrawFn) -> ItemSet:
    places = draw(st.lists(st.sampled_from(["have", "missing", "unknown", "out"]), min_size=6, max_size=6))
    return named(
        *(
            " ".join(n for n, p in zip(NAMES, places, strict=True) if p == part)
            for part in ("have", "missing", "unknown")
        )
    )


days = st.none() | st.integers(-40, 40).map(lambda n: TODAY + timedelta(days=n))


@st.composite
def sheets(draw: st.DrawFn) -> dict[str, Fact]:
    values: dict[str, Any] = {
        **{name: st.booleans() for name in "fgh"},
        "n": st.integers(0, 6),
        "d": st.integers(0, 6),
        "p": item_sets(),
        "q": item_sets(),
    }
    sheet = {}
    for name, strategy in values.items():
        if draw(st.booleans() | st.just(value=True)):
            due = draw(st.none() | st.integers(-3, 40).map(lambda n: TODAY + timedelta(days=n)))
            sheet[name] = Fact(
                draw(strategy),
                TODAY,
                draw(st.sampled_from(Source)),
                observed_on=draw(days),
                witness=draw(st.none() | st.just("officer")),
                evidence=tuple(draw(st.lists(st.sampled_from(["anh-1", "anh-2"]), max_size=2))),
                next_change_on=due,
            )
    return sheet


ages = st.none() | st.integers(1, 40)


def leaf(kind: str, **operands: Any) -> dict[str, Any]:
    return {"kind": kind, **{key: value for key, value in operands.items() if value is not None}}


leaves = st.one_of(
    st.builds(lambda fact_, age: leaf("flag@1", fact=fact_, max_age_days=age), st.sampled_from("fgh"), ages),
    st.builds(
        lambda fact_, k, age: leaf("count_at_least@1", fact=fact_, at_least=k, max_age_days=age),
        st.sampled_from("np"),
        st.integers(1, 5),
        ages,
    ),
    st.builds(
        lambda pair, percent, zero, age: leaf(
            "ratio_at_least@1",
            numerator=pair[0],
            denominator=pair[1],
            percent=percent,
            zero_denominator=zero,
            max_age_days=age,
        ),
        st.sampled_from([("n", "d"), ("p", "q"), ("p", "d"), ("n", "q")]),
        st.sampled_from([1, 34, 50, 67, 100]),
        st.sampled_from(["insufficient", "unmet", "not_applicable", "$z"]),
        ages,
    ),
)


def joined(children: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    of = st.lists(children, min_size=1, max_size=4)
    return st.one_of(
        of.map(lambda rules: {"kind": "all_of@1", "of": rules}),
        of.map(lambda rules: {"kind": "any_of@1", "of": rules}),
        of.flatmap(lambda rules: st.integers(1, len(rules)).map(lambda k: {"kind": "k_of_n@1", "k": k, "of": rules})),
    )


rules_ = st.recursive(leaves, joined, max_leaves=8)


@settings(deadline=None)
@given(rule=leaves, facts=sheets(), data=st.data())
def test_a_condition_is_never_met_once_a_fact_it_needs_is_missing(
    rule: dict[str, Any], facts: dict[str, Fact], data: st.DataObject
) -> None:
    needed = [rule[key] for key in ("fact", "numerator", "denominator") if key in rule]
    gone = data.draw(st.sampled_from(needed))
    answer = answer_of(rule, {name: one for name, one in facts.items() if name != gone})
    assert answer.value is not MET
    assert answer.value is not UNMET or rule.get("zero_denominator") in {"unmet", "$z"}


@settings(deadline=None)
@given(rule=rules_, facts=sheets())
def test_taking_a_fact_away_never_makes_an_answer_better(rule: dict[str, Any], facts: dict[str, Fact]) -> None:
    monotone = "k_of_n" not in json.dumps(rule) and "ratio" not in json.dumps(rule)
    before = answer_of(rule, facts)
    for name in facts:
        after = answer_of(rule, {key: one for key, one in facts.items() if key != name})
        if monotone and before.value is not MET:
            assert after.value is not MET
        # What is settled without a fact stays settled with it, whatever the fact says.
        if monotone and after.value in {MET, UNMET}:
            assert before.value is after.value


@settings(deadline=None)
@given(rule=rules_, facts=sheets())
def test_every_answer_has_a_sentence_and_whatever_is_not_met_names_something(
    rule: dict[str, Any], facts: dict[str, Fact]
) -> None:
    for node in answer_of(rule, facts).walk():
        assert node.reason.vi.endswith(".")
        assert node.reason.en.endswith(".")
        assert node.reason.vi[0] == node.reason.vi[0].upper()
        wanting = node.value in {UNMET, INSUFFICIENT}
        assert bool(node.missing) is wanting or not wanting
        assert (node.to_do > 0) is wanting
        assert all(one.label and (one.reason_vi or one.kind == "household") for one in node.missing)


@pytest.mark.slow
@settings(deadline=None)
@given(rule=rules_, facts=sheets())
def test_next_change_is_the_first_day_on_which_time_alone_changes_the_answer(
    rule: dict[str, Any], facts: dict[str, Fact]
) -> None:
    undated = {name: replace(one, next_change_on=None) for name, one in facts.items()}
    now = answer_of(rule, undated)
    expected = None
    for ahead in range(1, 90):
        day = TODAY + timedelta(days=ahead)
        if answer_of(rule, undated, as_of=day).value is not now.value:
            expected = day
            break
    assert now.next_change_on == expected
    # A fact that falls due may bring the change forward, never push it back.
    due = answer_of(rule, facts)
    later = {one.next_change_on for one in facts.values() if one.next_change_on and one.next_change_on > TODAY}
    if not any(one.next_change_on and one.next_change_on <= TODAY for one in facts.values()) and expected:
        assert due.next_change_on is not None
        assert due.next_change_on <= expected
        assert due.next_change_on == expected or due.next_change_on in later


@settings(deadline=None)
@given(have=st.integers(0, 6), need=st.integers(1, 6), of=st.integers(0, 6), percent=st.integers(1, 100))
def test_more_never_harms_and_a_higher_threshold_never_helps(have: int, need: int, of: int, percent: int) -> None:
    order = [UNMET, INSUFFICIENT, MET]

    def count(n: int, k: int) -> int:
        return order.index(answer_of({"kind": "count_at_least@1", "fact": "n", "at_least": k}, {"n": fact(n)}).value)

    assert count(have + 1, need) >= count(have, need)
    assert count(have, need + 1) <= count(have, need)
    if have < of:
        lower = order.index(answer_of(ratio(percent), {"n": fact(have), "d": fact(of)}).value)
        assert order.index(answer_of(ratio(percent), {"n": fact(have + 1), "d": fact(of)}).value) >= lower
        if percent < 100:
            assert order.index(answer_of(ratio(percent + 1), {"n": fact(have), "d": fact(of)}).value) <= lower


SETS = {"kind": "ratio_at_least@1", "numerator": "p", "denominator": "q", "zero_denominator": "unmet"}


@settings(deadline=None)
@given(part=item_sets(), whole=item_sets(), percent=st.sampled_from([1, 34, 50, 67, 100]))
def test_a_ratio_is_certain_only_if_every_way_the_unknown_may_turn_out_agrees(
    part: ItemSet, whole: ItemSet, percent: int
) -> None:
    answer = answer_of({**SETS, "percent": percent}, {"p": fact(part), "q": fact(whole)})
    outcomes = set()
    for in_part in itertools.product([False, True], repeat=len(part.unknown)):
        for in_whole in itertools.product([False, True], repeat=len(whole.unknown)):
            have = {one.id for one in part.have} | {o.id for o, yes in zip(part.unknown, in_part, strict=True) if yes}
            of = {one.id for one in whole.have} | {o.id for o, yes in zip(whole.unknown, in_whole, strict=True) if yes}
            outcomes.add(bool(of) and len(have & of) * 100 >= len(of) * percent)
    certain = {MET: {True}, UNMET: {False}}.get(answer.value)
    if certain is None:
        assert len(outcomes) == 2 or not whole.have
    else:
        assert outcomes == certain


@pytest.mark.slow
@settings(deadline=None)
@given(rule=rules_, facts=sheets(), group=st.sampled_from(["1", "2"]))
def test_same_facts_give_the_same_bytes_in_any_order_and_survive_json(
    rule: dict[str, Any], facts: dict[str, Fact], group: str
) -> None:
    pack = pack_of(rule)
    one = evaluate(pack, facts, {"commune_group": group, "area": "x"}, TODAY)
    other = evaluate(pack, dict(reversed(facts.items())), {"area": "x", "commune_group": group}, TODAY)
    assert one.to_json() == other.to_json()
    assert one.sha256 == other.sha256
    again = Assessment.from_json(one.to_json())
    assert again == one
    assert again.to_json() == one.to_json()
    kept = facts_from_json(facts_to_json(facts))
    assert kept == facts
    assert evaluate(pack, kept, again.attributes, again.as_of).sha256 == one.sha256


def test_a_true_stays_a_true_and_a_one_stays_a_one_through_json() -> None:
    kept = facts_from_json(facts_to_json({"f": fact(value=True), "n": fact(1)}))
    assert kept["f"].value is True
    assert type(kept["n"].value) is int


# ---------------------------------------------------------------------------------------------------------------- facts
def test_a_fact_of_another_type_than_declared_is_the_providers_fault() -> None:
    for name, value in (("f", 1), ("n", True), ("p", 3), ("d", named("A"))):
        with pytest.raises(TypeError, match=f"fact {name} is declared as"):
            answer_of({"kind": "flag@1", "fact": "f"}, {name: fact(value)})


def test_a_count_below_zero_and_an_item_named_twice_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="never negative"):
        fact(-1)
    with pytest.raises(ValueError, match="twice"):
        named("A", "A")


def test_facts_that_the_pack_does_not_declare_change_nothing() -> None:
    rule = {"kind": "flag@1", "fact": "f"}
    one = evaluate(pack_of(rule), {"f": fact(value=True)}, {}, TODAY)
    other = evaluate(pack_of(rule), {"f": fact(value=True), "khac": fact(3)}, {}, TODAY)
    assert other.to_json() == one.to_json()


def test_evidence_at_the_end_of_the_calendar_does_not_break_the_sum() -> None:
    last = Fact(value=True, as_of=date.max, source=Source.VERIFIED, observed_on=date.max)
    answer = answer_of({"kind": "flag@1", "fact": "f", "max_age_days": 36500}, {"f": last}, as_of=date.max)
    assert (answer.value, answer.next_change_on) == (MET, None)


# ----------------------------------------------------------------------------------------------------- the smart village
PRODUCT = {
    "hoi": Item("hoi", "product", "Hoa hồi Nà Mẫu", link="/ocop/hoi"),
    "thach": Item("thach", "product", "Thạch đen Nà Mẫu"),
    "mat": Item(
        "mat",
        "product",
        "Mật ong rừng Nà Mẫu",
        "Đang bán ở trang riêng của hợp tác xã; trang riêng không phải là sàn.",
        "On sale in the cooperative's own shop, which is not a marketplace.",
        "/ocop/mat",
    ),
}
LETTER = "lang-son-thon-thong-minh-2022"


def products(*ids: str) -> tuple[Item, ...]:
    return tuple(PRODUCT[one] for one in ids)


def village(**changes: Fact | None) -> dict[str, Fact]:
    """Nà Mẫu with everything in order; a change of None takes the fact away."""
    households = tuple(Item(f"ho-{n}", "household", f"Hộ {n}") for n in range(1, 6))
    premises = tuple(Item(f"nha-{n}", "premises", f"Nhà {n}") for n in range(1, 132))
    sheet: dict[str, Fact | None] = {
        "digital_group_established": fact(value=True),
        "digital_group_activities": fact(
            ItemSet(have=tuple(Item(f"buoi-{n}", "activity", f"Buổi {n}") for n in range(6)))
        ),
        "village_channel_in_use": fact(value=True, observed_on=date(2026, 11, 1)),
        "feedback_received": fact(14),
        "feedback_answered_in_time": fact(
            ItemSet(have=tuple(Item(f"pa-{n}", "feedback", f"PA {n}") for n in range(14)))
        ),
        "culture_house_free_wifi": fact(value=True, observed_on=date(2026, 6, 1)),
        "premises": fact(131),
        "premises_with_digital_address": fact(ItemSet(have=premises)),
        "ocop_products": fact(ItemSet(have=products("hoi", "thach", "mat"))),
        "ocop_products_live": fact(ItemSet(have=products("hoi", "thach", "mat"))),
        "models_smart_agriculture": fact(ItemSet(have=(Item("mh", "model", "Nhật ký điện tử Nà Mẫu"),))),
        "smart_agriculture_households": fact(ItemSet(have=households)),
    }
    sheet.update(changes)
    return {name: one for name, one in sheet.items() if one is not None}


def judged(facts: Mapping[str, Fact], as_of: date = TODAY, **choices: int | str) -> Assessment:
    return evaluate(shipped()[LETTER], facts, {}, as_of, choices)


def values(assessment: Assessment) -> list[str]:
    return [result.answer.value.value for result in assessment.results]


def test_village_with_everything_in_order_is_met_until_its_first_evidence_ages() -> None:
    assessment = judged(village())
    assert values(assessment) == ["met"] * 6
    assert assessment.overall.value is MET
    assert assessment.overall.reason.vi == "Đạt 6/6 tiêu chí."
    assert [result.answer.reason.vi for result in assessment.results] == [
        "Đạt 2/2 điều kiện.",
        "Đạt 2/2 điều kiện.",
        "Nhà văn hóa thôn có Wi-Fi miễn phí.",
        "131/131 trụ sở, hộ đã gắn địa chỉ số (100 %).",
        "3/3 sản phẩm OCOP đang bán trên sàn được tính.",
        "Nông nghiệp thông minh: Đạt 2/2 điều kiện.",
    ]
    assert assessment.overall.next_change_on == date(2026, 11, 1) + timedelta(days=181)
    assert assessment.result("wifi-nha-van-hoa").answer.next_change_on == date(2027, 6, 2)


def test_product_in_an_own_shop_only_is_named_with_the_reason() -> None:
    live = ItemSet(have=products("hoi", "thach"), missing=products("mat"))
    assessment = judged(village(ocop_products_live=fact(live)))
    answer = assessment.result("ocop-tren-san").answer
    assert answer.value is UNMET
    assert (answer.have, answer.need, answer.gap, answer.of) == (2, 3, 1, 3)
    assert answer.reason.vi == ("2/3 sản phẩm OCOP đang bán trên sàn được tính; còn thiếu 1: Mật ong rừng Nà Mẫu.")
    assert answer.missing == products("mat")
    assert answer.unit is not None
    assert answer.unit.vi == "sản phẩm"
    assert assessment.overall.reason.vi == "Đạt 5/6 tiêu chí. Chưa đạt: tiêu chí 5."
    assert assessment.overall.missing == products("mat")
    assert [result.clause for result in assessment.shortest_path()] == [5]


def test_product_last_seen_too_long_ago_is_neither_a_pass_nor_a_failure() -> None:
    live = ItemSet(have=products("hoi", "thach"), unknown=products("mat"))
    answer = judged(village(ocop_products_live=fact(live))).result("ocop-tren-san").answer
    assert answer.value is INSUFFICIENT
    assert answer.missing == products("mat")


def test_village_without_products_is_what_the_province_chose() -> None:
    facts = village(ocop_products=fact(ItemSet()), ocop_products_live=None)
    chosen = judged(facts).result("ocop-tren-san").answer
    assert chosen.value is NOT_APPLICABLE
    assert chosen.reason.vi == "Không có sản phẩm OCOP tính cho thôn nào, nên điều này không áp dụng."
    assert judged(facts).overall.value is MET
    other = judged(facts, village_without_products="unmet")
    assert other.result("ocop-tren-san").answer.value is UNMET
    assert other.overall.value is UNMET


def test_wifi_picture_older_than_a_year_is_missing_data() -> None:
    facts = village(culture_house_free_wifi=fact(value=True, observed_on=date(2025, 9, 24)))
    assessment = judged(facts)
    answer = assessment.result("wifi-nha-van-hoa").answer
    assert answer.value is INSUFFICIENT
    assert answer.reason.vi == (
        "Wi-Fi miễn phí ở nhà văn hóa thôn: ghi nhận gần nhất ngày 24/09/2025, đã 426 ngày, quá hạn 365 ngày; "
        "cần ghi nhận mới."
    )
    assert assessment.overall.value is INSUFFICIENT
    assert judged(facts, wifi_max_age_days=426).result("wifi-nha-van-hoa").answer.value is MET


def test_group_established_but_idle_is_not_met() -> None:
    answer = judged(village(digital_group_activities=fact(ItemSet()))).result("to-cong-nghe-so").answer
    assert answer.value is UNMET
    assert answer.reason.vi == (
        "Đạt 1/2 điều kiện. Hoạt động: Chưa có hoạt động của tổ công nghệ số cộng đồng; cần ít nhất 3, còn thiếu 3."
    )
    assert answer.to_do == 3


def test_channel_without_feedback_handled_is_not_met_by_existing() -> None:
    late = ItemSet(
        have=(Item("1", "feedback", "PA 1"),), missing=(Item("2", "feedback", "PA 2", "Trả lời sau 9 ngày."),)
    )
    facts = village(feedback_received=fact(2), feedback_answered_in_time=fact(late))
    assert judged(facts).result("nen-tang-so").answer.value is UNMET
    none = village(feedback_received=fact(0), feedback_answered_in_time=None)
    assert judged(none).result("nen-tang-so").answer.value is INSUFFICIENT
    assert judged(none, village_without_feedback="not_applicable").result("nen-tang-so").answer.value is MET


def test_premises_without_a_list_is_missing_data_and_one_without_address_is_named() -> None:
    assert judged(village(premises=None)).result("dia-chi-so").answer.value is INSUFFICIENT
    assert judged(village(premises=fact(0))).result("dia-chi-so").answer.value is INSUFFICIENT
    short = ItemSet(
        have=tuple(Item(f"nha-{n}", "premises", f"Nhà {n}") for n in range(999)),
        missing=(Item("x", "premises", "Nhà X"),),
    )
    answer = judged(village(premises=fact(1000), premises_with_digital_address=fact(short))).result("dia-chi-so").answer
    assert answer.value is UNMET
    assert answer.reason.vi == "999/1.000 trụ sở, hộ đã gắn địa chỉ số (99,9 %); còn thiếu 1: Nhà X."


def test_smart_agriculture_needs_the_model_and_enough_households() -> None:
    few = ItemSet(
        have=(Item("1", "household", "Hộ 1"),), missing=(Item("2", "household", "Hộ 2", "Mới ghi 1/3 bước."),)
    )
    facts = village(smart_agriculture_households=fact(few))
    answer = judged(facts).result("mo-hinh-chuyen-doi-so").answer
    # Nobody has said whether there is a model in the other three fields.
    assert answer.value is INSUFFICIENT
    assert answer.reason.vi == (
        "Chưa có lựa chọn nào đạt. Gần nhất: Nông nghiệp thông minh: Đạt 1/2 điều kiện. Nhật ký: Mới có 1 hộ trong mô "
        "hình ghi đủ nhật ký chăm sóc; cần ít nhất 5, còn thiếu 4. Chưa được tính: Hộ 2."
    )
    none = {
        name: fact(ItemSet(), observed_on=TODAY)
        for name in ("models_production_business", "models_public_order", "models_smart_lighting")
    }
    assert judged({**facts, **none}).result("mo-hinh-chuyen-doi-so").answer.value is UNMET
    lamp = ItemSet(have=(Item("den", "model", "Đèn đường tự động"),))
    lit = {**facts, **none, "models_smart_lighting": fact(lamp, observed_on=TODAY)}
    assert judged(lit).result("mo-hinh-chuyen-doi-so").answer.value is MET
    assert judged(facts, smart_agriculture_min_households=1).result("mo-hinh-chuyen-doi-so").answer.value is MET


def test_a_day_outside_the_letters_period_is_said() -> None:
    assert judged(village()).outside_period is not None
    assert judged(village()).outside_period.vi == (  # type: ignore[union-attr]
        "Văn bản ghi giai đoạn đến 31/12/2025; ngày tính 24/11/2026 ở sau đó. "
        "Kết quả để tham khảo cho đến khi tỉnh có bộ tiêu chí mới."
    )
    assert judged(village(), as_of=date(2025, 12, 31)).outside_period is None
    assert judged(village(), as_of=date(2022, 9, 30)).outside_period is not None


# ----------------------------------------------------------------------------------------------------------- departures
LEFT = replace(
    PRODUCT["mat"], reason_vi="Chứng nhận hết hạn ngày 12/11/2026.", reason_en="Certificate lapsed on 12/11/2026."
)


def with_products(counted: str, live: str, left: tuple[Item, ...] = ()) -> Assessment:
    return judged(
        village(
            ocop_products=fact(ItemSet(have=products(*counted.split()), missing=left)),
            ocop_products_live=fact(ItemSet(have=products(*live.split()))),
        )
    )


def test_pass_gained_only_because_a_product_left_is_flagged_with_its_name() -> None:
    (flag,) = compare(with_products("hoi thach mat", "hoi thach"), with_products("hoi thach", "hoi thach", (LEFT,)))
    assert (flag.criterion_id, flag.clause, flag.only) == ("ocop-tren-san", 5, True)
    assert flag.left == (LEFT,)
    assert flag.gained == ()
    assert flag.reason.vi == (
        "Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục thôi được tính. "
        "Thôi tính 1: Mật ong rừng Nà Mẫu (Chứng nhận hết hạn ngày 12/11/2026)."
    )


def test_last_product_that_leaves_is_flagged_when_nothing_applies_any_more() -> None:
    (flag,) = compare(with_products("mat", ""), with_products("", "", (LEFT,)))
    assert flag.only
    assert flag.reason.vi.startswith("Tiêu chí 5 chuyển sang “không áp dụng” chỉ vì")


def test_pass_gained_by_listing_the_product_is_not_flagged() -> None:
    assert compare(with_products("hoi thach mat", "hoi thach"), with_products("hoi thach mat", "hoi thach mat")) == ()


def test_pass_that_needed_a_listing_and_a_departure_is_flagged_as_partly() -> None:
    (flag,) = compare(with_products("hoi thach mat", "hoi"), with_products("hoi thach", "hoi thach", (LEFT,)))
    assert not flag.only
    assert flag.gained == products("thach")
    assert "một phần vì" in flag.reason.vi


def test_departure_that_did_not_decide_is_not_flagged() -> None:
    # The one that left was on sale: without its leaving the village would pass as well.
    assert compare(with_products("hoi thach mat", "hoi mat"), with_products("hoi thach", "hoi thach")) == ()
    # It passed before already.
    assert compare(with_products("hoi mat", "hoi mat"), with_products("hoi", "hoi")) == ()
    # It does not pass afterwards either.
    assert compare(with_products("hoi thach mat", "hoi"), with_products("hoi thach", "hoi")) == ()


# ---------------------------------------------------------------------------------------------------------------- speed
def test_two_thousand_villages_are_judged_within_seconds() -> None:
    facts = village()
    pack = shipped()[LETTER]
    start = time.process_time()
    for _ in range(200):
        evaluate(pack, facts, {}, TODAY)
    assert (time.process_time() - start) * 10 < 10
