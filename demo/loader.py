"""Loads the demo through the parts' own verbs, in the names of its people, with the clock at the day things happened.

Every id is made from a name (names.key), so loading again finds what is there and adds only what is missing.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import cards, consents, organisations, people, tokens
from app.accounts import queries as accounts_queries
from app.accounts.models import AddressAs, PersonalData, Purpose
from app.accounts.schemas import OrganisationIn, PersonIn, PrintCard
from app.actor import SYSTEM, Role
from app.db import Database, sort_key
from app.places import queries as places
from app.places import reference
from app.places.models import Level, Place, PlaceName
from app.settings import Settings
from app.trace.models import TraceCode
from demo import cast, lots, season, trade, village_facts
from demo.goods import LIGHTER
from demo.names import key, person, phone, spread, village_names
from demo.season import manager_of
from demo.stage import Stage

VILLAGES = 1700
FEWEST_IN_A_COMMUNE = 12
VILLAGES_SINCE = date(2025, 7, 1)
LIFE = timedelta(days=400)  # how far back the demo reaches
FRESH = timedelta(days=1)
STORY_FARMER = "nong-dan"


def load_places(stage: Stage) -> None:
    """The reference units, and 1,700 invented villages spread over the 65 communes."""
    reference.load_reference(stage.session)
    communes = places.current_communes(stage.session, stage.today)
    stage.communes = {c.code: c.id for c in communes} | {"20": places.province(stage.session).id}
    named = {v.commune: [w for w in cast.VILLAGES if w.commune == v.commune] for v in cast.VILLAGES}
    stage.villages = {v.key: key("village", v.key) for v in cast.VILLAGES}
    stage.seats = {c.key: c.village for c in cast.COMPANIES if c.village}
    by_name = {c.name: c.code for c in communes}
    for one in LIGHTER:
        seat = f"first-{one.company.key}"
        stage.villages[seat] = key("village", f"{by_name[one.commune_name]}/1")
        stage.seats[one.company.key] = seat
    rows: list[dict[str, object]] = []
    for commune, count in zip(communes, spread(VILLAGES, len(communes), FEWEST_IN_A_COMMUNE, "communes"), strict=True):
        own = named.get(commune.code, [])
        taken = {v.name for v in cast.VILLAGES}
        invented = (n for n in village_names(commune.code) if n not in taken)
        for number in range(1, count + 1):
            known = own[number - 1] if number <= len(own) else None
            name = known.name if known else next(invented)
            rows.append(
                {
                    "id": key("village", known.key if known else f"{commune.code}/{number}"),
                    "code": f"{commune.code}-T{number:02d}",
                    "level": Level.VILLAGE,
                    "kind_word": "khối phố" if commune.kind_word == "phường" else "thôn",
                    "name": name,
                    "sort_key": sort_key(name),
                    "parent_id": commune.id,
                    "valid_from": VILLAGES_SINCE,
                    "valid_to": None,
                    "recorded_at": clock.start_of_day(VILLAGES_SINCE),
                }
            )
    stage.session.execute(insert(Place), rows)
    kept = ("kind_word", "name", "valid_from", "valid_to", "recorded_at")
    stage.session.execute(
        insert(PlaceName),
        [{"id": key("name", r["id"]), "place_id": r["id"], "person_id": None} | {k: r[k] for k in kept} for r in rows],
    )


def load_accounts(stage: Stage) -> None:
    """The administrator first, who makes every organisation and gives every role."""
    session = stage.session
    admin = cast.ADMINISTRATOR
    admin_id = session.scalar(select(PersonalData.person_id).where(PersonalData.phone == admin.phone))
    if admin_id is None:
        admin_id = people.create_first_administrator(session, admin.phone, cast.PASSWORD, admin.name)
    actor = stage.act(admin_id, anew=True)
    for company in cast.COMPANIES + tuple(one.company for one in LIGHTER):
        seat = stage.seats.get(company.key)
        organisations.create_organisation(
            session,
            actor,
            OrganisationIn(
                id=key("organisation", company.key),
                kind=company.kind,
                name=company.name,
                village_id=stage.place(seat),
                commune_id=None if seat else stage.place(company.commune),
            ),
        )
    for player in cast.PLAYERS:
        if player.at and not player.at.startswith("household"):
            person_id = people.add_person(session, actor, key("organisation", player.at), stage.person_in(player))
            stage.set_password(person_id)
            actor = stage.act(admin_id, anew=True)
    for number, one in enumerate(LIGHTER):
        people.add_person(
            session,
            actor,
            key("organisation", one.company.key),
            PersonIn(
                id=manager_of(one.company.key),
                full_name=person(500 + number, woman=number % 2 == 0),
                address_as=AddressAs.CHI if number % 2 == 0 else AddressAs.ANH,
                phone=phone(100 + number),
                role=Role.COOPERATIVE_MANAGER,
            ),
        )


def load_consents(stage: Stage) -> None:
    """Those who sign in with a password have been asked; the story's farmer is asked when her card signs her in."""
    session = stage.session
    stage.act(None)
    numbers = {p.phone for p in cast.PLAYERS if p.key != STORY_FARMER}
    person_ids = session.scalars(select(PersonalData.person_id).where(PersonalData.phone.in_(numbers))).all()
    for person_id in person_ids:
        consents.answer_consents(session, stage.act(person_id), {Purpose.ACCOUNT, Purpose.DIARY})


def load(settings: Settings) -> None:
    """Fill an empty province, all or nothing; one that is filled keeps what it has, but for a card that ran out."""
    database = Database(settings.database_url or "", application="hoi-demo", pool_size=2)
    try:
        with database.transaction(SYSTEM) as session:
            stage = Stage(database, session, settings, clock.today())
            if session.get(Place, key("village", cast.STORY.key)) is None:
                _fill(stage)
            else:
                trade.follow_port(stage)
            _keep_card(stage)
    finally:
        clock.shift(timedelta())
        database.dispose()


def _fill(stage: Stage) -> None:
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="pictures") as pool:
        stage.read_ahead(pool)
        _fill_all(stage)


def _fill_all(stage: Stage) -> None:
    with stage.at(stage.today - LIFE):
        load_places(stage)
        load_accounts(stage)
        season.load_households(stage)
        load_consents(stage)
    trade.load_goods(stage)
    season.load_diaries(stage)
    lots.load_lots(stage)
    trade.load_floors(stage)
    trade.load_accounts(stage)
    trade.load_sales(stage)
    village_facts.load_village_facts(stage)
    village_facts.load_history(stage)
    village_facts.request_fill(stage)


# --- what a visitor of the demo is given -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Samples:
    """A farmer's printed card that no phone is bound to yet, and codes to scan. Paths on this installation."""

    card: str | None
    pin: str | None
    codes: tuple[tuple[str, str], ...]


FARMER = key("person", STORY_FARMER)
SHOWN_LOTS = (("NA-RAI-01", "na", "Na dai, lô đang bán"), ("MAT-01", "mat-na-mau", "Mật ong, lô đang thu hồi"))


def _keep_card(stage: Stage) -> None:
    """The story's farmer has a card: printed anew when the one before was never used within its seven days."""
    organisation = key("organisation", cast.MAIN_COOPERATIVE.key)
    stage.act(None)
    card = accounts_queries.open_card(stage.session, FARMER, organisation)
    now = clock.machine_now()
    if card is not None and (card.bound_at is not None or card.expires_at > now + FRESH):
        return
    form = PrintCard(id=key("card", now.date()), person_id=FARMER)
    cards.print_card(
        stage.session, stage.act(manager_of(cast.MAIN_COOPERATIVE.key)), organisation, form, key=_key(stage.settings)
    )


def _key(settings: Settings) -> bytes:
    return settings.secret_key.get_secret_value().encode() if settings.secret_key else b""


def samples(session: Session, settings: Settings) -> Samples:
    """As SYSTEM. Codes that were issued, and the card while it is fresh."""
    card = accounts_queries.open_card(session, FARMER, key("organisation", cast.MAIN_COOPERATIVE.key))
    fresh = card is not None and card.bound_at is None and card.expires_at > clock.machine_now()
    lots_shown = {key("batch", good, lot): says for lot, good, says in SHOWN_LOTS}
    issued = session.execute(select(TraceCode.batch_id, TraceCode.code).where(TraceCode.batch_id.in_(lots_shown)))
    by_batch = {row.batch_id: row.code for row in issued}
    return Samples(
        card=f"/the/{tokens.card_secret(_key(settings), card.id)}" if card is not None and fresh else None,
        pin=tokens.card_pin(_key(settings), card.id) if card is not None and fresh else None,
        codes=tuple((says, f"/t/{by_batch[b]}") for b, says in lots_shown.items() if b in by_batch),
    )


def doors(settings: Settings, address: str) -> list[str]:
    """What the command line prints: the four doors, and who may sign in at each."""
    database = Database(settings.database_url or "", application="hoi-demo", pool_size=1)
    try:
        with database.transaction(SYSTEM) as session:
            found = samples(session, settings)
    finally:
        database.dispose()
    lines = [f"Trang đầu: {address}    Mật khẩu của mọi người mẫu: {cast.PASSWORD}"]
    for door, title in cast.DOORS.items():
        lines.append(title)
        lines += [f"  {p.shown_phone}  {p.name}, {p.does}" for p in cast.PLAYERS if p.door == door]
        if door == "farmer" and found.card:
            lines.append(f"  Thẻ của bác Lành: {address}{found.card} (bốn số: {found.pin})")
        if door == "consumer":
            lines += [f"  {says}: {address}{path}" for says, path in found.codes]
    return lines
