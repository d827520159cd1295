"""Sheets and rules of every shape, for what must hold of all of them."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from app.criteria.rules import Fact, ItemSet, Source
from tests.app.criteria.rules.small_pack import TODAY, named

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
