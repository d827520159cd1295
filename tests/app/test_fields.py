"""The shared types of fields, and that no schema has a number, a day, a moment or a client's id of its own making."""

import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import pytest
from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError

from app import fields
from app.factory import create_app
from app.fields import AskedDay, ClientId, Counter, Day, Degrees, Dong, Moment, Number, OldDay, PhoneNow, Whole, Year

assert create_app  # the factory knows every part, so every schema is there to be walked

SHARED = {
    "numbers": {Number, Whole, Dong, Year, Degrees, Counter},
    "days": {Day, OldDay, AskedDay},
    "moments": {Moment, PhoneNow},
}
# Read from no form, address or body of a request.
NOT_SENT = {
    "app.settings": "the environment's, read once at the start",
    "app.criteria.rules": "a pack's TOML, whose numbers are strict integers",
    "app.db.texts": "texts only",
}


def sent_schemas() -> list[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    waiting: list[type[BaseModel]] = [BaseModel]
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting.extend(below)
    ours = (s for s in found if s.__module__.startswith("app."))
    return sorted(
        (s for s in ours if not s.__module__.startswith(tuple(NOT_SENT))), key=lambda s: (s.__module__, s.__name__)
    )


def leaves(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The types that a field may hold, each with what is said of it."""
    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)
        yield from leaves(inner, (*said, *metadata))
    elif get_origin(annotation) in {Union, types.UnionType, list, tuple, set, frozenset, dict}:
        for part in get_args(annotation):
            yield from leaves(part, metadata)
    else:
        yield annotation, metadata


def shared(leaf: Any, said: tuple[Any, ...], among: set[Any]) -> bool:
    """Whether the field is one of the shared types, perhaps with limits of its own beside."""
    for one in among:
        ((plain, needed),) = leaves(one)
        if plain is leaf and all(any(n is s for s in said) for n in needed):
            return True
    return False


def wrong_in(schema: type[BaseModel]) -> list[str]:
    kinds: dict[Any, str] = {int: "numbers", Decimal: "numbers", float: "numbers", date: "days", datetime: "moments"}
    found = []
    for name, field in schema.model_fields.items():
        for leaf, said in leaves(field.rebuild_annotation()):
            kind = kinds.get(leaf)
            if kind and not shared(leaf, said, SHARED[kind]):
                found.append(f"{schema.__module__}.{schema.__name__}.{name}: {kind}")
            if leaf is UUID and name == "id" and not shared(leaf, said, {ClientId}):
                found.append(f"{schema.__module__}.{schema.__name__}.{name}: clients' ids")
    return found


# The choice of a parameter comes checked from ChosenNumber or ChosenWord; which of the two it is, the pack says.
ALLOWED = {"app.criteria.schemas.NewParameterChoice.value: numbers"}


def test_every_field_of_every_schema_is_of_a_shared_type() -> None:
    schemas = sent_schemas()
    assert len(schemas) > 60
    assert {w for schema in schemas for w in wrong_in(schema)} - ALLOWED == set()


NONSENSE = (
    {"\0": []},
    [{}],
    [],
    None,
    1.5,
    float("nan"),
    -1,
    10**30,
    True,
    "\ud800",
    "\0",
    b"\xff",
    [[[]]],
    "a" * 5000,
)


@pytest.mark.parametrize("schema", sent_schemas(), ids=lambda s: f"{s.__module__}.{s.__name__}")
def test_nonsense_in_a_field_is_refused_as_such(schema: type[BaseModel]) -> None:
    """Whatever JSON may hold: a field of a schema is read or refused, and never breaks on what it is."""
    broken = {}
    for name, field in schema.model_fields.items():
        for value in NONSENSE:
            try:
                schema.model_validate({field.alias or name: value}, context={"language": "vi"})
            except ValidationError:
                continue
            except Exception as error:  # noqa: BLE001 - it would have been a 500
                broken[name] = f"{type(error).__name__}: {value!r}"
    assert broken == {}


def test_a_field_that_breaks_on_nonsense_is_noticed() -> None:
    class Careless(BaseModel):
        __module__ = "tests"
        ticked: Annotated[bool, BeforeValidator(lambda value: value in {True, "on"})]

    with pytest.raises(AssertionError, match="TypeError"):
        test_nonsense_in_a_field_is_refused_as_such(Careless)


def test_the_walk_notices_a_field_of_its_own_making() -> None:
    class Careless(BaseModel):
        id: UUID
        amount: Decimal | None = None
        count: int = 0
        on: tuple[date, ...] = ()
        at: datetime
        right: Annotated[Whole, "more"] = 0

    assert [w.rpartition(".")[2] for w in wrong_in(Careless)] == [
        "id: clients' ids", "amount: numbers", "count: numbers", "on: days", "at: moments",
    ]  # fmt: skip


def read(kind: Any, value: object, language: str | None = None) -> object:
    return TypeAdapter(kind).validate_python(value, context={"language": language})


@pytest.mark.parametrize(
    ("kind", "value", "language", "expected"),
    [
        (Number, "1.200", "vi", Decimal(1200)),
        (Number, "1.200", None, Decimal("1.2")),
        (Number, 1.5, None, Decimal("1.5")),
        (Whole, "1,200", "en", 1200),
        (Whole, "1200", None, 1200),
        (Dong, "120.000 đ", "vi", 120_000),
        (Dong, "120.000 Đồng", "vi", 120_000),
        (Dong, "120.000 VNĐ", "vi", 120_000),
        (Dong, "120,000 VND", "en", 120_000),
        (Dong, "120,000₫", "en", 120_000),
        (Year, "2026", "vi", 2026),
        (Counter, "1200", "vi", 1200),
        (Degrees, "21.853711", "vi", Decimal("21.853711")),
        (Degrees, "106,761", "en", Decimal("106.761")),
        (Day, "3-2-2026", "vi", date(2026, 2, 3)),
        (Day, "03022026", "vi", date(2026, 2, 3)),
        (Day, "3,2,2026", "vi", date(2026, 2, 3)),
        (Day, "2026-02-03", None, date(2026, 2, 3)),
        (AskedDay, "9999-12-31", None, fields.LAST_DAY),
        (AskedDay, "0001-01-01", None, fields.FIRST_OLD_DAY),
        (OldDay, "01/01/1900", "vi", date(1900, 1, 1)),
        (Moment, "2026-02-03T08:00:00+07:00", None, datetime(2026, 2, 3, 1, tzinfo=UTC)),
        (PhoneNow, "9999-12-31T23:59:59Z", None, fields.LAST_MOMENT),
        (PhoneNow, "0001-01-01T00:00:00+14:00", None, fields.FIRST_MOMENT),
    ],
)
def test_what_is_read(kind: Any, value: object, language: str | None, expected: object) -> None:
    assert read(kind, value, language) == expected


@pytest.mark.parametrize(
    ("kind", "value", "language", "code"),
    [
        (Number, "1.2", "vi", "decimal_parsing"),
        (Number, "1,5", None, "decimal_parsing"),
        (Number, True, None, "decimal_parsing"),
        (Whole, "185,0", "vi", "int_parsing"),
        (Whole, "185.0000", None, "int_parsing"),
        (Whole, True, None, "int_parsing"),
        (Dong, "120k", "vi", "int_parsing"),
        (Dong, "120đ", None, "int_parsing"),
        (Year, "2.026", "vi", "year"),
        (Counter, "1.200", "vi", "int_parsing"),
        (Degrees, "21.853.711", "vi", "degrees"),
        (Day, "31/11/2026", "vi", "date_parsing"),
        (Day, "46054", "vi", "date_parsing"),
        (Day, "20260203", "vi", "date_parsing"),
        (Day, 46054, None, "date_parsing"),
        (Day, "1989-12-31", None, "too_early"),
        (Day, "0026-02-03", None, "too_early"),
        (Day, "9999-12-31", None, "too_late"),
        (OldDay, "1899-12-31", None, "too_early"),
        (Moment, "9999-12-31T23:59:59+00:00", None, "in_future"),
        (Moment, "0001-01-01T00:00:00+14:00", None, "too_long_ago"),
        (Moment, "1999-12-31T23:59:59Z", None, "too_long_ago"),
        (ClientId, UUID(int=0), None, "uuid_empty"),
        (ClientId, str(UUID(int=2**128 - 1)), None, "uuid_empty"),
    ],
)
def test_what_is_refused(kind: Any, value: object, language: str | None, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(kind, value, language)
    assert [d["ctx"]["error"].code for d in refused.value.errors()] == [code]
