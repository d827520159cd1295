"""Two assessments compared: an answer that came only because things left the count is said, not hidden."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.criteria.rules.answers import VALUE_WORDS, Answer, Assessment, CriterionResult, Value
from app.criteria.rules.sheet import Item, ItemSet
from app.criteria.rules.words import left_words
from app.messages import N_, Sentence, sentences


@dataclass(frozen=True, slots=True)
class Departure:
    """A pass that would not stand had nothing left the count, or a criterion that no longer applies because all left it.

    outcome  met or not_applicable: what the answer became
    left     what left, each with the reason the provider gave
    gained   what joined the numerator meanwhile
    only     nothing joined: it came by departure alone
    """

    criterion_id: str
    clause: int
    outcome: Value
    left: tuple[Item, ...]
    gained: tuple[Item, ...] = ()
    only: bool = True

    @property
    def reason(self) -> Sentence:
        if self.only:
            said = N_("Tiêu chí %(clause)s chuyển sang “%(outcome)s” chỉ vì có mục không còn được tính.")
        else:
            said = N_("Tiêu chí %(clause)s chuyển sang “%(outcome)s” một phần vì có mục không còn được tính.")
        values = {"clause": self.clause, "outcome": VALUE_WORDS[self.outcome]}
        return sentences((replace(said, values=values), left_words(self.left)))


def compare(before: Assessment, after: Assessment) -> tuple[Departure, ...]:
    """Criteria that are met now and were not, or no longer apply and did, because things left a denominator."""
    earlier = {result.id: result for result in before.results}
    found: list[Departure] = []
    for result in after.results:
        old = earlier.get(result.id)
        now = result.answer.value
        if old is None or now.is_open or now is old.answer.value or old.answer.value is Value.NOT_APPLICABLE:
            continue
        for leaf in _ratios(result.answer):
            flagged = None if leaf.value.is_open else _departed(before, after, result, leaf)
            found.extend([flagged] if flagged else [])
    return tuple(found)


def carried(earlier: Sequence[Departure], fresh: Sequence[Departure], after: Assessment) -> tuple[Departure, ...]:
    """The departures to be told with `after`: the fresh ones, and earlier ones that still explain its answers.

    An earlier one stays while the answer is open for lack of data, and for as long as what left stays out. It ends when
    the criterion is not met, when everything that left is counted again, and when a criterion that had ceased to apply
    is met by something else.
    """
    found = {one.criterion_id: one for one in fresh}
    for one in earlier:
        result = next((r for r in after.results if r.id == one.criterion_id), None)
        if result is None or result.answer.value is Value.UNMET:
            continue
        if one.outcome is Value.NOT_APPLICABLE and result.answer.value is Value.MET:
            continue
        newer = found.get(one.criterion_id)
        known = {item.id for item in newer.left} if newer else set()
        left = tuple(i for i in one.left if i.id not in known and i.id not in _counted(after, result.answer))
        if newer is None and left:
            found[one.criterion_id] = Departure(one.criterion_id, one.clause, one.outcome, left, one.gained, one.only)
        elif newer is not None and left:
            only = newer.only and one.only
            found[one.criterion_id] = Departure(
                one.criterion_id, one.clause, newer.outcome, (*newer.left, *left), newer.gained, only
            )
    return tuple(sorted(found.values(), key=lambda one: one.clause))


def _ratios(answer: Answer) -> list[Answer]:
    return [leaf for leaf in answer.walk() if not leaf.children and len(leaf.facts_used) == 2]  # noqa: PLR2004 - numerator, denominator


def _counted(assessment: Assessment, answer: Answer) -> set[str]:
    """What the denominators of this answer count, by id."""
    found: set[str] = set()
    for leaf in _ratios(answer):
        sets = _sets(assessment, *leaf.facts_used)
        found.update(sets[1] if sets else ())
    return found


def _departed(before: Assessment, after: Assessment, result: CriterionResult, leaf: Answer) -> Departure | None:
    numerator, denominator = leaf.facts_used
    old, new = _sets(before, numerator, denominator), _sets(after, numerator, denominator)
    if old is None or new is None:
        return None
    (old_have, old_of), (new_have, new_of) = old, new
    left_ids = old_of.keys() - new_of.keys()
    kept = new_have.keys() | (old_have.keys() & left_ids)
    percent = leaf.percent if leaf.percent is not None else 100
    stands = leaf.value is Value.MET and len(kept) * 100 >= (len(new_of) + len(left_ids)) * percent
    if not left_ids or stands:
        return None
    fact = after.facts[denominator].value
    explained = {item.id: item for item in fact.missing} if isinstance(fact, ItemSet) else {}
    left = tuple(sorted((explained.get(i, old_of[i]) for i in left_ids), key=lambda item: (item.label, item.id)))
    gained = tuple(item for key, item in new_have.items() if key not in old_have)
    return Departure(result.id, result.clause, result.answer.value, left, gained, not gained)


def _sets(assessment: Assessment, numerator: str, denominator: str) -> tuple[dict[str, Item], dict[str, Item]] | None:
    """Counted members of both sets by id; an absent numerator has none. None where the denominator has no names."""
    whole = assessment.facts.get(denominator)
    if whole is None or not isinstance(whole.value, ItemSet):
        return None
    of = {item.id: item for item in whole.value.have}
    part = assessment.facts.get(numerator)
    have = part.value.have if part is not None and isinstance(part.value, ItemSet) else ()
    return {item.id: item for item in have if item.id in of}, of
