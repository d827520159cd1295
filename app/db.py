"""The database: typed base, one transaction per request and task, the actor told to row-level security."""

import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import uuid_utils
from pydantic import BaseModel, ConfigDict
from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
    Engine,
    ForeignKey,
    MetaData,
    Numeric,
    String,
    Text,
    Uuid,
    create_engine,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from app import clock
from app.actor import Actor, Role
from app.errors import Conflict, Invalid

APP_ROLE = "hoi_app"


def new_id() -> uuid.UUID:
    """UUIDv7 made here. Never read a time from an id."""
    return uuid.UUID(int=uuid_utils.uuid7().int)


def nfc(value: str) -> str:
    """Trim, NFC, and one space where there were several."""
    return " ".join(unicodedata.normalize("NFC", value).split())


def fold(value: str) -> str:
    """What search compares: lower case, no diacritics, đ as d. Same answer as SQL's vn_fold()."""
    decomposed = unicodedata.normalize("NFD", nfc(value).casefold().replace("đ", "d"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


class PersonalNumber(Invalid, ValueError):
    """An Invalid that pydantic lets through with both of its sentences."""


_BETWEEN_DIGITS = r"[\s./\-\u2010-\u2015_()+]*|,"
_LONG_NUMBER = re.compile(rf"\d(?:(?:{_BETWEEN_DIGITS})\d){{8,}}")
_COORDINATES = re.compile(r"\d{1,3}[.,]\d{4,}\s*°?\s*[NSEWBĐ]?\s*[,;/\s]\s*[NSEWBĐ]?\s*-?\d{1,3}[.,]\d{4,}|\d\s*°\s*\d")
_TITLED = re.compile(r"\b(?i:ông|bà|anh|chị|cụ|bác|cô|chú|dì|cậu|mợ|thím)\.?\s+(\w)")
_MIDDLE_NAME = re.compile(r"\b(\w)\w*\s+Thị\s+(?!Trấn\b|Xã\b)(\w)")
_FULL_NAME = re.compile(
    r"\b(?:Bế|Bùi|Chu|Đàm|Đặng|Đinh|Đỗ|Dương|Hà|Hồ|Hoàng|Hứa|Huỳnh|La|Lâm|Lăng|Lê|Lộc|Lương|Lý|Mã|Ngô|Nguyễn|Nông|Phạm"
    r"|Phan|Phùng|Trần|Triệu|Vi|Võ|Vũ|Vương) (?:Thị|Văn) \w",
    re.IGNORECASE,
)


_DATE = re.compile(r"\b\d{1,2}/\d{1,2}/\d{4}\b")
_OF_A_PLACE = frozenset({"xã", "phường", "trấn", "thôn", "bản", "khối", "phố", "đường", "khu", "tổ", "đội"})


def holds_personal_number(value: str) -> bool:
    """Nine digits or more, however they are spaced (a phone or identity number), or coordinates; dates are neither."""
    text = _DATE.sub(" ngày ", nfc(value))
    return _LONG_NUMBER.search(text) is not None or _COORDINATES.search(text) is not None


def no_personal_numbers(value: str) -> str:
    """The same text, which anybody may read and so holds no personal number. Raises PersonalNumber, which fits a pydantic validator."""
    if holds_personal_number(value):
        raise PersonalNumber(
            "personal_number",
            vi="Chữ ở đây ai cũng đọc được. Bác bỏ số điện thoại, số giấy tờ và tọa độ ra.",
            en="Anybody may read this text. Leave out phone numbers, identity numbers and coordinates.",
        )
    return value


def _without_places(text: str) -> str:
    """Without the names of places: “xã Hoàng Văn Thụ” and “phố Bà Triệu” are nobody."""
    kept, of_a_place = [], 0
    for word in text.split():
        if word.casefold() in _OF_A_PLACE:
            of_a_place = 3  # no more words than the longest name of a commune
            kept.append("–")
        elif of_a_place and word[0].isupper():
            of_a_place = 0 if word.endswith((",", ";")) else of_a_place - 1
        else:
            of_a_place = 0
            kept.append(word)
    return " ".join(kept)


def names_a_person(value: str) -> bool:
    """“bà Mai”, “Sùng Thị Mai”, “lý văn páo”: a title or a middle name before a capital letter, or a known family name with Thị or Văn.

    Read with its tone marks: “Bà Mai” is somebody, “Ba Bể” is a place.
    """
    text = _without_places(nfc(value))
    return (
        any(m[1].isupper() for m in _TITLED.finditer(text))
        or any(m[1].isupper() and m[2].isupper() for m in _MIDDLE_NAME.finditer(text))
        or _FULL_NAME.search(text) is not None
    )


class Words(BaseModel):
    """A text in several languages; Vietnamese is required."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    vi: str
    en: str | None = None
    zh: str | None = None

    def text(self, language: str) -> str:
        return (getattr(self, language, None) if language in {"en", "zh"} else None) or self.vi


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
Ref = uuid.UUID
Dong = Annotated[int, mapped_column(BigInteger)]
Code = Annotated[str, mapped_column(String(64))]


def folded(column: str) -> Mapped[str]:
    """A stored column that search compares; give it a trigram index in the migration."""
    return mapped_column(Text, Computed(f"vn_fold({column})", persisted=True))


def references(column: str, **kwargs: Any) -> Mapped[Any]:  # noqa: ANN401 - any mapped_column option
    return mapped_column(ForeignKey(column), **kwargs)


class Database:
    """Engines of one process. Make it after fork; `dispose` on leaving."""

    def __init__(self, url: str, *, clock_movable: bool = False, pool_size: int = 5, application: str = "hoi") -> None:
        self.url = url
        self._clock_movable = clock_movable
        options = f"-c role={APP_ROLE} -c timezone=UTC -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
        self.engine: Engine = create_engine(
            psycopg_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            hide_parameters=True,  # names and numbers of people must not stand in the text of an error
            connect_args={"options": options, "application_name": application, "connect_timeout": 5},
        )

    def dispose(self) -> None:
        self.engine.dispose()

    @contextmanager
    def transaction(self, actor: Actor) -> Iterator[Session]:
        """The only commit in the code base: commit on leaving, roll back on raise.

        Raises Conflict when a concurrent change made this one impossible (serialisation, deadlock).
        """
        with Session(self.engine, expire_on_commit=False, autoflush=True) as session, session.begin():
            self.tell_actor(session, actor)
            yield session

    def tell_actor(self, session: Session, actor: Actor) -> None:
        """Tell row-level security who acts, and follow the shift of the clock, in one round trip."""
        row = session.execute(_TELL, actor_settings(actor)).one()
        session.info["actor"] = actor
        if self._clock_movable:
            clock.shift(row.shift or timedelta())


# The shift is asked of what was told, since row-level security shows it only to an actor that is known already.
_TELL = text(
    "SELECT told.*, (SELECT shift FROM clock_shift WHERE told.kind IS NOT NULL) AS shift FROM (SELECT"
    " set_config('hoi.kind', :kind, true) AS kind, set_config('hoi.person', :person, true),"
    " set_config('hoi.organisations', :organisations, true), set_config('hoi.places', :places, true),"
    " set_config('hoi.roles', :roles, true), set_config('hoi.managed', :managed, true) OFFSET 0) AS told"
)


def actor_settings(actor: Actor) -> dict[str, str]:
    """What row-level security reads: its own copies of the actor's rights, as PostgreSQL spells arrays."""
    return {
        "kind": actor.kind,
        "person": str(actor.person_id or ""),
        "organisations": _array(actor.organisations),
        "places": _array(actor.places),
        "roles": _array(actor.roles),
        "managed": _array(actor.organisations_as(Role.COOPERATIVE_MANAGER)),
    }


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(sorted(map(str, values))) + "}"


def psycopg_url(url: str) -> str:
    """The same address with SQLAlchemy's name for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def json_ready(value: object) -> Any:  # noqa: ANN401 - JSON
    """A JSON-able copy with one spelling per value, so that equal contents compare and hash equal."""
    if isinstance(value, BaseModel):
        return json_ready(value.model_dump())
    if isinstance(value, Mapping):
        return {str(k): json_ready(v) for k, v in sorted(value.items(), key=lambda kv: str(kv[0]))}
    if isinstance(value, list | tuple | set | frozenset):
        items = [json_ready(v) for v in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def picked(row: object, names: str) -> dict[str, Any]:
    """These columns of a row, by name."""
    return {name: getattr(row, name) for name in names.split()}


def canonical_json(value: object) -> str:
    return json.dumps(json_ready(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def check_version(row: Any, expected: int) -> None:  # noqa: ANN401 - any row with a version column
    """Raise Conflict when somebody changed the row since the actor read it; else step the version."""
    if row.version != expected:
        raise Conflict(
            "changed_meanwhile",
            vi="Có người vừa sửa mục này. Bác tải lại trang để thấy bản mới rồi sửa tiếp.",
            en="Somebody changed this meanwhile. Reload the page to see the new version, then edit again.",
        )
    row.version += 1


def insert_once(session: Session, row: Base) -> bool:
    """Insert a row under the id that a client chose. False when the id is taken, then nothing was written.

    Other unique constraints still raise: only the id may come twice. Equal calls go one after the other: met in the same moment,
    the second would fail on another unique index that holds the id.
    """
    table = row.__table__
    lock_ids(session, [row.__dict__["id"]])
    values = {c.name: getattr(row, c.name) for c in table.columns if c.name in row.__dict__}
    statement = insert(table).values(values).on_conflict_do_nothing(index_elements=["id"]).returning(table.c.id)  # type: ignore[arg-type]  # every model has a Table
    return session.scalar(statement) is not None


def lock_ids(session: Session, ids: Collection[uuid.UUID]) -> None:
    """Let nobody else work on these things until the transaction ends: for append-only rows, which cannot be locked."""
    ordered = sorted(map(str, ids))
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(i, 0)) FROM unnest(CAST(:ids AS text[])) AS i"),
        {"ids": ordered},
    )


SessionMaker = Callable[[], Session]

_LETTERS = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_TONES = "\u0300\u0309\u0303\u0301\u0323"  # huyền, hỏi, ngã, sắc, nặng: the order of Vietnamese dictionaries
_MARKS = {"a\u0306": "ă", "a\u0302": "â", "e\u0302": "ê", "o\u0302": "ô", "o\u031b": "ơ", "u\u031b": "ư"}


def sort_key(value: str) -> str:
    """A key whose code-point order is the Vietnamese dictionary's: letters first, then tones. Store it in COLLATE "C"."""
    letters: list[str] = []
    tones: list[str] = []
    for character in nfc(value).casefold():
        base, tone = character, "0"
        marks = unicodedata.normalize("NFD", character)
        for mark in marks[1:]:
            if mark in _TONES:
                tone = str(_TONES.index(mark) + 1)
        plain = "".join(m for m in marks if m not in _TONES)
        base = _MARKS.get(plain, unicodedata.normalize("NFC", plain))
        position = _LETTERS.find(base)
        letters.append(f"{position + 40:02d}" if position >= 0 else f"{min(ord(base[0]), 39):02d}")
        tones.append(tone)
    return "".join(letters) + " " + "".join(tones)  # a blank sorts before every digit: the shorter word first
