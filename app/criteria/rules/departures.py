"""Two assessments compared: a pass that came only because things left the count is said, not hidden."""

from dataclasses import dataclass

from app.criteria.rules.answers import VALUE_LABELS, Answer, Assessment, CriterionResult
from app.criteria.rules.sheet import Item, ItemSet
from app.criteria.rules.words import Both, left_words


@dataclass(frozen=True, slots=True)
class PassByDeparture:
    """A pass that would not stand had nothing left the count.

    left    what left, each with the reason the provider gave
    gained  what joined the numerator meanwhile
    only    nothing joined: the pass came by departure alone
    """

    criterion_id: str
    clause: int
    left: tuple[Item, ...]
    gained: tuple[Item, ...]
    only: bool
    reason: Both


def compare(before: Assessment, after: Assessment) -> tuple[PassByDeparture, ...]:
    """Criteria that were not met before, and now are met or no longer apply, because things left a denominator."""
    earlier = {result.id: result for result in before.results}
    found: list[PassByDeparture] = []
    for result in after.results:
        old = earlier.get(result.id)
        if old is None or not old.answer.value.is_open or result.answer.value.is_open:
            continue
        for leaf in result.answer.walk():
            ratio = leaf.percent is not None or (leaf.of == 0 and len(leaf.facts_used) == 2)  # noqa: PLR2004 - numerator, denominator
            if ratio and not leaf.value.is_open:
                flagged = _departed(before, after, result, leaf)
                found.extend([flagged] if flagged else [])
    return tuple(found)


def _departed(before: Assessment, after: Assessment, result: CriterionResult, leaf: Answer) -> PassByDeparture | None:
    numerator, denominator = leaf.facts_used
    old, new = _sets(before, numerator, denominator), _sets(after, numerator, denominator)
    if old is None or new is None:
        return None
    (old_have, old_of), (new_have, new_of) = old, new
    left_ids = old_of.keys() - new_of.keys()
    kept = new_have.keys() | (old_have.keys() & left_ids)
    percent = leaf.percent if leaf.percent is not None else 100
    if not left_ids or len(kept) * 100 >= (len(new_of) + len(left_ids)) * percent:
        return None
    fact = after.facts[denominator].value
    explained = {item.id: item for item in fact.missing} if isinstance(fact, ItemSet) else {}
    left = tuple(sorted((explained.get(i, old_of[i]) for i in left_ids), key=lambda item: (item.label, item.id)))
    gained = tuple(item for key, item in new_have.items() if key not in old_have)
    words = left_words(left)
    what = Both("chỉ vì", "only because") if not gained else Both("một phần vì", "partly because")
    outcome = VALUE_LABELS[result.answer.value]
    reason = Both(
        f"Tiêu chí {result.clause} chuyển sang “{outcome.vi.lower()}” {what.vi} có mục thôi được tính.{words.vi}",
        f"Criterion {result.clause} became “{outcome.en.lower()}” {what.en} something left the count.{words.en}",
    )
    return PassByDeparture(result.id, result.clause, left, gained, not gained, reason)


def _sets(assessment: Assessment, numerator: str, denominator: str) -> tuple[dict[str, Item], dict[str, Item]] | None:
    """Counted members of both sets by id; an absent numerator has none. None where the denominator has no names."""
    whole = assessment.facts.get(denominator)
    if whole is None or not isinstance(whole.value, ItemSet):
        return None
    of = {item.id: item for item in whole.value.have}
    part = assessment.facts.get(numerator)
    have = part.value.have if part is not None and isinstance(part.value, ItemSet) else ()
    return {item.id: item for item in have if item.id in of}, of
