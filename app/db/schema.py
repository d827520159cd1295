"""The makings of tables: the typed base, its columns, ids."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import uuid_utils
from sqlalchemy import BigInteger, ColumnElement, Computed, DateTime, MetaData, Numeric, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from app.db.texts import Words


def new_id() -> uuid.UUID:
    """UUIDv7 made here. Never read a time from an id."""
    return uuid.UUID(int=uuid_utils.uuid7().int)


class WordsType(TypeDecorator[Words]):
    """Stores Words as JSONB."""

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: Words | None, dialect: Any) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        return None if value is None else value.model_dump(exclude_none=True)

    def process_result_value(self, value: Any, dialect: Any) -> Words | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        return None if value is None else Words.model_validate(value)


class AwareDateTime(TypeDecorator[datetime]):
    """timestamptz that refuses a naive datetime and always gives UTC back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        if value is not None and value.tzinfo is None:
            message = "a datetime without a time zone must not reach the database"
            raise ValueError(message)
        return value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's signature
        return None if value is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table. Constraints have names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        uuid.UUID: Uuid(),
        datetime: AwareDateTime(),
        Words: WordsType(),
        str: Text(),
        Decimal: Numeric(18, 3),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }


Id = Annotated[uuid.UUID, mapped_column(primary_key=True, default=new_id)]
Dong = Annotated[int, mapped_column(BigInteger)]


def folded(column: str) -> Mapped[str]:
    """A stored column that search compares; give it a trigram index in the migration."""
    return mapped_column(Text, Computed(f"vn_fold({column})", persisted=True))


def in_order(column: str) -> Mapped[str]:
    """A stored column that a list of names is ordered by, with the numbers inside as numbers: `numbered` of the folded name.

    A page of a list begins by it inside the index, which a function of a column could not: it would be asked of each row
    after the row's own rule.
    """
    return mapped_column(Text, Computed(f"vn_numbered(vn_fold({column}))", persisted=True))


def numbered(column: ColumnElement[str] | InstrumentedAttribute[str]) -> ColumnElement[str]:
    """The order of a list of names by their folded column: numbers inside sort as numbers (Hộ số 2 before Hộ số 10)."""
    return func.vn_numbered(column)
