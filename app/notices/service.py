"""Tell people, mark as seen, and pay what each carrier owes: claim, send, record."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import queries as accounts
from app.accounts.events import CardScanned, DataRequestReceived, PersonErased, RoleOffered
from app.accounts.models import CardRequest, CardRequestState, DataRequest, PersonalData, Purpose, RoleOffer
from app.actor import SYSTEM, Actor, Role
from app.db import Database, Words, new_id
from app.errors import Unavailable
from app.messages import N_
from app.notices import carriers, queries
from app.notices.carriers import Carrier, CarrierError, Message, Recipient
from app.notices.events import NoticeCreated
from app.notices.models import DeliveryState, Notice, NoticeDelivery, Urgency
from app.outbox import DeliveryGivenUp, publish
from app.settings import Settings

CLAIM = timedelta(seconds=150)  # longer than a mail server may take
IN_APP = "in_app"


def tell(
    session: Session,
    actor: Actor,
    *,
    person_ids: Collection[UUID],
    reason: str,
    urgency: Urgency,
    title: Words,
    body: Words,
    link: str | None,
    key: str,
) -> None:
    """Tell each of these people once: the same `key` told again to the same person changes nothing.

    Texts must hold no name and no number of a person: they outlive an erasure. `link` is a path of ours.
    """
    for person_id in sorted(set(person_ids)):
        notice_id = new_id()
        # No conflict target and no RETURNING: the teller may not read what others are told.
        session.execute(
            insert(Notice)
            .values(
                id=notice_id,
                person_id=person_id,
                key=key,
                reason=reason,
                urgency=urgency,
                title=title,
                body=body,
                link=link,
                created_at=clock.now(),
            )
            .on_conflict_do_nothing()
        )
        publish(session, actor, NoticeCreated(notice_id=notice_id))


def mark_seen(session: Session, actor: Actor, notice_id: UUID) -> Notice:
    """Seen is seen: a second time changes nothing. Raises NotFound for somebody else's."""
    notice = queries.own_notice(session, actor, notice_id)
    if notice.seen_at is None:
        notice.seen_at = clock.now()
    return notice


def mark_all_seen(session: Session, actor: Actor) -> None:
    session.execute(
        update(Notice).where(Notice.person_id == actor.person_id, Notice.seen_at.is_(None)).values(seen_at=clock.now())
    )


# --- carriers' debts ---------------------------------------------------------------------------------------------


def deliver(
    database: Database, settings: Settings, event: NoticeCreated, by: Sequence[Carrier] = carriers.OUTSIDE
) -> None:
    """Send one notice by every carrier that reaches its person and has not sent it yet.

    Raises the last failure, so that the outbox tries again. Once a success is recorded the same notice is never sent
    again; when a process dies between sending and recording, the second mail bears the first one's Message-ID.
    """
    failed: Exception | None = None
    with database.transaction(SYSTEM) as session:
        _owe(session, event.notice_id, IN_APP, sent=True)
    for carrier in by:
        try:
            claimed = _claim(database, settings, event.notice_id, carrier)
            if claimed is None:
                continue
            carrier.send(settings, *claimed)
        except CarrierError as error:
            _record(database, event.notice_id, carrier, error)
            failed = failed if error.permanent else error
        except Unavailable as busy:
            failed = busy
        else:
            _record(database, event.notice_id, carrier, None)
    if failed is not None:
        raise failed


def _owe(session: Session, notice_id: UUID, carrier: str, *, sent: bool = False) -> None:
    """Write down a carrier's debt, unless the notice was told before under another id."""
    if session.get(Notice, notice_id) is None:
        return
    session.execute(
        insert(NoticeDelivery)
        .values(
            notice_id=notice_id,
            carrier=carrier,
            state=DeliveryState.SENT if sent else DeliveryState.WAITING,
            attempts=0,
            sent_at=clock.machine_now() if sent else None,
        )
        .on_conflict_do_nothing()
    )


def _claim(
    database: Database, settings: Settings, notice_id: UUID, carrier: Carrier
) -> tuple[Recipient, Message] | None:
    """What to send, claimed for CLAIM; None when there is nothing to send. Raises Unavailable while another has it."""
    with database.transaction(SYSTEM) as session:
        notice = session.get(Notice, notice_id)
        data = session.get(PersonalData, notice.person_id) if notice is not None else None
        if notice is None or data is None or notice.urgency == Urgency.LOW:
            return None
        if queries.settled_offers(session, [notice]):
            return None
        agreed = accounts.agrees(session, notice.person_id, Purpose.NOTICES_EMAIL)
        recipient = Recipient(language=data.language, email=data.email if agreed else None)
        if not carrier.reaches(settings, recipient):
            return None
        _owe(session, notice_id, carrier.name)
        debt = session.scalars(
            select(NoticeDelivery)
            .where(NoticeDelivery.notice_id == notice_id, NoticeDelivery.carrier == carrier.name)
            .with_for_update()
        ).one()
        now = clock.machine_now()
        if debt.state in {DeliveryState.SENT, DeliveryState.REFUSED}:
            return None
        if debt.state == DeliveryState.SENDING and debt.lease_until is not None and debt.lease_until > now:
            raise Unavailable("being_sent", N_("Tin báo này đang được gửi."))
        debt.state, debt.lease_until, debt.attempts = DeliveryState.SENDING, now + CLAIM, debt.attempts + 1
        message = Message(
            id=notice.id,
            title=notice.title.text(recipient.language),
            body=notice.body.text(recipient.language),
            link=notice.link,
            urgency=notice.urgency,
        )
        return recipient, message


def _record(database: Database, notice_id: UUID, carrier: Carrier, error: CarrierError | None) -> None:
    with database.transaction(SYSTEM) as session:
        debt = session.get_one(NoticeDelivery, (notice_id, carrier.name), with_for_update=True)
        debt.lease_until = None
        if error is None:
            debt.state, debt.sent_at, debt.error = DeliveryState.SENT, clock.machine_now(), None
        else:
            debt.state = DeliveryState.REFUSED if error.permanent else DeliveryState.WAITING
            debt.error = str(error)[:300]


# --- reactions to what happens in accounts -----------------------------------------------------------------------


def card_scanned(session: Session, actor: Actor, event: CardScanned) -> None:
    """Tell the cooperative's managers that a phone waits for their word, while it still does."""
    request = session.get(CardRequest, event.card_request_id)
    if request is None or request.state != CardRequestState.WAITING or request.expires_at <= clock.machine_now():
        return
    tell(
        session,
        actor,
        person_ids=accounts.people_of(session, request.organisation_id, [Role.COOPERATIVE_MANAGER]),
        reason="card_request",
        urgency=Urgency.HIGH,
        title=Words.of(N_("Có máy chờ bấm “Đúng người”")),
        body=Words.of(
            N_("Một người vừa quét thẻ và đang đợi. Hỏi số trên màn hình của họ, rồi bấm “Đúng người” trong 15 phút.")
        ),
        link="/xac-nhan-may",
        key=f"card_request:{request.id}",
    )


def data_request_received(session: Session, actor: Actor, event: DataRequestReceived) -> None:
    """Tell the administrators, for whom the law's clock runs."""
    request = session.get(DataRequest, event.data_request_id)
    if request is None or request.answered_at is not None:
        return
    day = clock.local(request.answer_due_at).strftime("%d/%m/%Y %H:%M")
    tell(
        session,
        actor,
        person_ids=accounts.administrators(session),
        reason="data_request",
        urgency=Urgency.HIGH,
        title=Words.of(N_("Có yêu cầu về dữ liệu cá nhân")),
        body=Words.of(N_("Phải trả lời trước %(day)s.", day=day)),
        link=f"/quan-tri/yeu-cau-du-lieu/{request.id}",
        key=f"data_request:{request.id}",
    )


def delivery_given_up(session: Session, actor: Actor, event: DeliveryGivenUp) -> None:
    """Tell the administrators that something was tried too often: once a day for each kind of work."""
    tell(
        session,
        actor,
        person_ids=accounts.administrators(session),
        reason="delivery_given_up",
        # A mail about mails that do not leave would not leave either.
        urgency=Urgency.LOW if event.reaction == "notices.deliver" else Urgency.HIGH,
        title=Words.of(N_("Có việc nền bị bỏ")),
        body=Words.of(
            N_(
                "Việc «%(reaction)s» thử nhiều lần vẫn không xong nên máy không thử nữa. Hãy báo người vận hành: xem "
                "nguyên nhân bằng ./hoi deliveries, sửa, rồi chạy ./hoi deliveries --revive.",
                reaction=event.reaction,
            )
        ),
        link=None,
        key=f"delivery_given_up:{event.reaction}:{clock.today()}",
    )


def role_offered(session: Session, actor: Actor, event: RoleOffered) -> None:
    """Tell the person who is asked, while they have not answered and the offer stands."""
    offer = session.get(RoleOffer, event.role_offer_id)
    if offer is None or offer.answered_at is not None or offer.withdrawn_at is not None:
        return
    tell(
        session,
        actor,
        person_ids=[offer.person_id],
        reason=queries.ROLE_OFFER,
        urgency=Urgency.NORMAL,
        title=Words.of(N_("Có lời mời chờ trả lời")),
        body=Words.of(N_("Một đơn vị mời nhận vai trò ở đó. Chưa nhận lời thì họ chưa thấy gì về người được mời.")),
        link="/du-lieu-cua-toi",
        key=f"{queries.ROLE_OFFER}:{offer.id}",
    )


def person_erased(session: Session, actor: Actor, event: PersonErased) -> None:
    """What somebody was told goes with them."""
    told = select(Notice.id).where(Notice.person_id == event.person_id)
    session.execute(delete(NoticeDelivery).where(NoticeDelivery.notice_id.in_(told)))
    session.execute(delete(Notice).where(Notice.person_id == event.person_id))
    audit.record(session, actor, "notices:person:forget", subject_id=event.person_id)
