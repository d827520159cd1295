"""Check constraints that tables share: a word of a closed list, and the days between which a row holds."""

from collections.abc import Iterable

from sqlalchemy import CheckConstraint


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """The column holds one of these words; they stand in the table's rule in the order given."""
    listed = ", ".join(f"'{v}'" for v in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def dated() -> tuple[CheckConstraint, CheckConstraint]:
    """For rows with `valid_from` and `valid_to`, the last day: the day before the first for one that never held.

    `ended_at` is the moment at which somebody said so, so that both stand or neither.
    """
    return (
        CheckConstraint("valid_to >= valid_from - 1", name="order"),
        CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name="ended"),
    )
