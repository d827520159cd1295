"""People are told once, read only their own, and get one mail however often things fail on the way."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from app import clock, outbox
from app.accounts import consents, offers, people, privacy
from app.accounts.events import CardScanned, DataRequestReceived, PersonErased, RoleOffered
from app.accounts.models import AddressAs, PersonalData, Purpose, RequestKind
from app.accounts.schemas import DataRequestIn, PersonIn
from app.actor import PUBLIC, SYSTEM, Role
from app.db import Database, Words, new_id
from app.errors import NotFound, Unavailable
from app.notices import queries, service
from app.notices.carriers import CarrierError, Email, Message, Recipient
from app.notices.events import NoticeCreated
from app.notices.models import Notice, NoticeDelivery, Urgency
from app.outbox import DeliveryGivenUp, OutboxEvent
from app.settings import Settings
from tests.app.notices.smtp import Mailbox, mail_server
from tests.worlds.organisations import Province, make_province
from worker import reactions


@pytest.fixture
def province(database: Database) -> Province:
    return make_province(database)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as found:
        yield found


@pytest.fixture
def mailing(settings: Settings, box: Mailbox) -> Settings:
    return settings_for(settings, box)


def settings_for(settings: Settings, box: Mailbox, login: str = "") -> Settings:
    values = {"smtp_url": f"smtp://{login}127.0.0.1:{box.port}", "mail_from": "hoi@tinh.example"}
    return Settings.model_validate({**settings.model_dump(), **values})


def tell(
    province: Province, *names: str, key: str = "k", urgency: Urgency = Urgency.NORMAL, by: str = ""
) -> list[NoticeCreated]:
    actor = province.actor(by) if by else SYSTEM
    before = province.one("SELECT coalesce(max(position), 0) FROM outbox_events")
    with province.database.transaction(actor) as session:
        service.tell(
            session,
            actor,
            person_ids=[province[n] for n in names],
            reason="test",
            urgency=urgency,
            title=Words(vi="Chứng nhận sắp hết hạn", en="A certificate ends soon"),
            body=Words(vi="Còn bảy ngày.", en="Seven days left."),
            link="/san-pham",
            key=key,
        )
    with province.database.transaction(SYSTEM) as session:
        rows = session.scalars(
            select(OutboxEvent)
            .where(OutboxEvent.position > before, OutboxEvent.name == NoticeCreated.name)
            .order_by(OutboxEvent.position)
        )
        return [outbox.read(NoticeCreated, r.body) for r in rows]


def reachable(province: Province, name: str, *, agrees: bool = True) -> None:
    actor = province.actor(name)
    with province.database.transaction(SYSTEM) as session:
        session.execute(
            update(PersonalData).where(PersonalData.person_id == province[name]).values(email=f"{name}@nha.example")
        )
    if agrees:
        with province.database.transaction(actor) as session:
            consents.answer_consents(session, actor, {Purpose.ACCOUNT, Purpose.NOTICES_EMAIL})


def debts(province: Province) -> dict[str, tuple[str, int]]:
    rows = province.rows("SELECT carrier, state, attempts FROM notice_deliveries")
    return {r.carrier: (r.state, r.attempts) for r in rows}


def test_the_same_key_is_told_once(province: Province) -> None:
    for _ in range(3):
        tell(province, "minh", "khac", "minh")
    assert province.one("SELECT count(*) FROM notices") == 2
    tell(province, "minh", key="other")
    assert province.one("SELECT count(*) FROM notices") == 3


def test_somebody_may_be_told_by_one_who_cannot_read_it(province: Province) -> None:
    tell(province, "khac", by="minh")
    minh, khac = province.actor("minh"), province.actor("khac")
    with province.database.transaction(minh) as session:
        assert queries.inbox(session, minh).rows == []
    with province.database.transaction(khac) as session:
        found = queries.inbox(session, khac).rows
        assert [n.title.vi for n in found] == ["Chứng nhận sắp hết hạn"]
        assert queries.unseen_count(session, khac) == 1
    with pytest.raises(NotFound), province.database.transaction(minh) as session:
        service.mark_seen(session, minh, found[0].id)
    assert province.one("SELECT seen_at FROM notices") is None
    with province.database.transaction(khac) as session:
        service.mark_seen(session, khac, found[0].id)
        assert queries.unseen_count(session, khac) == 0


def test_the_public_tells_nobody(province: Province) -> None:
    with pytest.raises(Exception, match="row-level security"), province.database.transaction(PUBLIC) as session:
        service.tell(
            session, PUBLIC, person_ids=[province["minh"]], reason="x", urgency=Urgency.LOW, title=Words(vi="x"),
            body=Words(vi="x"), link=None, key="x",
        )  # fmt: skip
    assert province.one("SELECT count(*) FROM notices") == 0


def test_a_mail_says_what_and_where_and_how_to_stop(province: Province, mailing: Settings, box: Mailbox) -> None:
    reachable(province, "minh")
    (event,) = tell(province, "minh")
    service.deliver(province.database, mailing, event)
    (mail,) = box.mails
    assert box.recipients == ["minh@nha.example"]
    assert mail["Subject"] == "Chứng nhận sắp hết hạn"
    assert mail["From"] == "hoi@tinh.example"
    assert mail["Message-ID"] == f"<{event.notice_id}@tinh.example>"
    body = mail.get_content()
    assert "Còn bảy ngày." in body
    assert "http://127.0.0.1:8000/san-pham" in body
    assert "rút lại đồng ý" in body
    assert debts(province) == {"in_app": ("sent", 0), "email": ("sent", 1)}


def test_a_recorded_success_is_never_sent_again(province: Province, mailing: Settings, box: Mailbox) -> None:
    reachable(province, "minh")
    (event,) = tell(province, "minh")
    for _ in range(5):
        service.deliver(province.database, mailing, event)
    assert len(box.mails) == 1
    assert debts(province)["email"] == ("sent", 1)


def test_a_failure_then_a_success(province: Province, mailing: Settings, box: Mailbox) -> None:
    reachable(province, "minh")
    box.answers = ["451 try later"]
    (event,) = tell(province, "minh")
    with pytest.raises(CarrierError):
        service.deliver(province.database, mailing, event)
    assert box.mails == []
    assert debts(province)["email"] == ("waiting", 1)
    error = province.one("SELECT error FROM notice_deliveries WHERE carrier = 'email'")
    assert error == "recipient refused (451)"
    service.deliver(province.database, mailing, event)
    assert len(box.mails) == 1
    assert debts(province)["email"] == ("sent", 2)


def test_a_refused_recipient_is_not_asked_again(province: Province, mailing: Settings, box: Mailbox) -> None:
    reachable(province, "minh")
    box.answers = ["550 no such user"]
    (event,) = tell(province, "minh")
    for _ in range(3):
        service.deliver(province.database, mailing, event)
    assert box.mails == []
    assert debts(province)["email"] == ("refused", 1)


def test_a_server_that_is_away_is_tried_again(province: Province, settings: Settings, box: Mailbox) -> None:
    reachable(province, "minh")
    (event,) = tell(province, "minh")
    away = Settings.model_validate({**settings.model_dump(), "smtp_url": "smtp://127.0.0.1:1"})
    with pytest.raises(CarrierError, match="away"):
        service.deliver(province.database, away, event)
    service.deliver(province.database, settings_for(settings, box), event)
    assert len(box.mails) == 1


def test_a_lost_answer_is_sent_again_under_the_same_message_id(
    province: Province, mailing: Settings, box: Mailbox
) -> None:
    reachable(province, "minh")
    box.answers = ["hang up"]
    (event,) = tell(province, "minh")
    with pytest.raises(CarrierError):
        service.deliver(province.database, mailing, event)
    service.deliver(province.database, mailing, event)
    assert [m["Message-ID"] for m in box.mails] == [f"<{event.notice_id}@tinh.example>"] * 2


def test_no_mail_without_consent_address_or_weight(province: Province, mailing: Settings, box: Mailbox) -> None:
    reachable(province, "khac", agrees=False)
    reachable(province, "xa")
    events = [*tell(province, "minh", "khac"), *tell(province, "xa", urgency=Urgency.LOW, key="low")]
    for event in events:
        service.deliver(province.database, mailing, event)
    assert box.mails == []
    assert debts(province) == {"in_app": ("sent", 0)}


def test_an_event_of_a_notice_told_before_does_nothing(province: Province, mailing: Settings, box: Mailbox) -> None:
    reachable(province, "minh")
    (first,), (second,) = tell(province, "minh"), tell(province, "minh")
    for event in (second, first, second):
        service.deliver(province.database, mailing, event)
    assert len(box.mails) == 1


def test_two_workers_send_one_mail(fresh_database: Database, settings: Settings) -> None:
    province = make_province(fresh_database)
    reachable(province, "minh")
    (event,) = tell(province, "minh")
    sending, go_on = threading.Event(), threading.Event()
    sent: list[Message] = []

    class Slow:
        name = "slow"

        def reaches(self, _settings: Settings, _recipient: Recipient) -> bool:
            return True

        def send(self, _settings: Settings, _recipient: Recipient, message: Message) -> None:
            sending.set()
            assert go_on.wait(10)
            sent.append(message)

    first = threading.Thread(target=service.deliver, args=(fresh_database, settings, event, [Slow()]))
    first.start()
    assert sending.wait(10)
    with pytest.raises(Unavailable):
        service.deliver(fresh_database, settings, event, [Slow()])
    go_on.set()
    first.join()
    service.deliver(fresh_database, settings, event, [Slow()])
    assert len(sent) == 1


def test_a_claim_that_died_is_taken_over_when_its_lease_ends(
    province: Province, mailing: Settings, box: Mailbox
) -> None:
    reachable(province, "minh")
    (event,) = tell(province, "minh")
    assert service._claim(province.database, mailing, event.notice_id, Email()) is not None
    with pytest.raises(Unavailable):
        service.deliver(province.database, mailing, event)
    with province.database.transaction(SYSTEM) as session:
        session.execute(
            update(NoticeDelivery)
            .where(NoticeDelivery.carrier == "email")
            .values(lease_until=clock.machine_now() - timedelta(seconds=1))
        )
    service.deliver(province.database, mailing, event)
    assert len(box.mails) == 1


def test_a_password_goes_to_no_far_server_in_the_clear(
    province: Province, settings: Settings, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable(province, "minh")
    (event,) = tell(province, "minh")
    near = settings_for(settings, box, login="ten:mat-khau@")
    monkeypatch.setattr("app.notices.carriers._same_machine", lambda _host: False)
    with pytest.raises(CarrierError, match="no encryption"):
        service.deliver(province.database, near, event)
    assert box.logins == []
    monkeypatch.undo()
    service.deliver(province.database, near, event)
    assert len(box.logins) == 1


def test_every_event_of_accounts_that_concerns_people_has_its_notice() -> None:
    for event in (NoticeCreated, CardScanned, DataRequestReceived, RoleOffered, PersonErased):
        assert event.name in reactions.BY_EVENT


def test_administrators_hear_of_a_request_about_data(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        row = privacy.request_data(session, lanh, DataRequestIn(id=new_id(), kind=RequestKind.OBJECT))
    for _ in range(2):
        with province.database.transaction(SYSTEM) as session:
            service.data_request_received(session, SYSTEM, DataRequestReceived(data_request_id=row.id))
    told = province.rows("SELECT person_id, link FROM notices")
    assert told == [(province["admin"], f"/quan-tri/yeu-cau-du-lieu/{row.id}")]


def test_administrators_hear_once_a_day_of_each_kind_of_work_that_was_given_up(
    province: Province, mailing: Settings, box: Mailbox, clock_at: Callable[[datetime], None]
) -> None:
    reachable(province, "admin")
    first = clock.start_of_day(clock.today() + timedelta(days=1))
    for hours, reaction in (
        *((0, "trace.check_site"), (1, "trace.check_site"), (23, "trace.check_site")),
        *((24, "trace.check_site"), (25, "notices.deliver")),
    ):
        clock_at(first + timedelta(hours=hours))
        with province.database.transaction(SYSTEM) as session:
            service.delivery_given_up(session, SYSTEM, DeliveryGivenUp(event_id=new_id(), reaction=reaction))
    told = province.rows("SELECT id, person_id, urgency, body ->> 'vi' AS vi FROM notices ORDER BY created_at")
    assert {n.person_id for n in told} == {province["admin"]}
    assert [("«trace.check_site»" in n.vi, "«notices.deliver»" in n.vi, n.urgency) for n in told] == [
        (True, False, "high"),
        (True, False, "high"),
        (False, True, "low"),
    ]
    for notice in told:
        service.deliver(province.database, mailing, NoticeCreated(notice_id=notice.id))
    assert len(box.mails) == 2, "a mail about mails that do not leave would not leave either"


def offered_role(province: Province) -> RoleOffered:
    """Anh Minh's cooperative asks bác Khác, who is told."""
    minh = province.actor("minh")
    form = PersonIn(
        id=new_id(), full_name="Lý Thị Khác", address_as=AddressAs.BAC, phone="0912 000 003", role=Role.PURCHASER
    )
    with province.database.transaction(minh) as session:
        people.add_person(session, minh, province["coop"], form)
    event = RoleOffered(role_offer_id=province.one("SELECT id FROM role_offers WHERE withdrawn_at IS NULL"))
    with province.database.transaction(SYSTEM) as session:
        service.role_offered(session, SYSTEM, event)
    return event


def test_who_is_offered_a_role_hears_of_it_while_it_waits(province: Province) -> None:
    khac = province.actor("khac")
    event = offered_role(province)
    with province.database.transaction(SYSTEM) as session:
        service.role_offered(session, SYSTEM, event)
    assert province.rows("SELECT person_id, link FROM notices") == [(province["khac"], "/du-lieu-cua-toi")]
    with province.database.transaction(khac) as session:
        offers.answer_offer(session, khac, event.role_offer_id, accepted=False)
    with province.database.transaction(SYSTEM) as session:
        session.execute(delete(Notice))
        service.role_offered(session, SYSTEM, event)
    assert province.rows("SELECT id FROM notices") == []


def withdraw(province: Province, event: RoleOffered) -> None:
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        offers.withdraw_offer(session, minh, event.role_offer_id, province["coop"])


def test_an_offer_taken_back_or_answered_asks_for_nothing_any_more(province: Province) -> None:
    khac = province.actor("khac")

    def waiting() -> tuple[int, list[bool]]:
        with province.database.transaction(khac) as session:
            told = queries.inbox(session, khac).rows
            settled = queries.settled_offers(session, told)
            return queries.unseen_count(session, khac), [n.id in settled for n in told]

    tell(province, "khac", key="role_offer:another kind of key")
    first = offered_role(province)
    assert waiting() == (2, [False, False])
    withdraw(province, first)
    assert waiting() == (1, [False, True]), "what still asks comes first"
    second = offered_role(province)
    assert waiting() == (2, [False, False, True])
    with province.database.transaction(khac) as session:
        offers.answer_offer(session, khac, second.role_offer_id, accepted=False)
    assert waiting() == (1, [False, True, True])
    assert province.rows("SELECT id FROM notices WHERE seen_at IS NOT NULL") == [], "what was told is not rewritten"


def test_no_mail_asks_for_an_answer_to_an_offer_taken_back(province: Province, mailing: Settings, box: Mailbox) -> None:
    reachable(province, "khac")
    withdraw(province, offered_role(province))
    service.deliver(province.database, mailing, NoticeCreated(notice_id=province.one("SELECT id FROM notices")))
    assert box.mails == []
    offered_role(province)
    newest = province.one("SELECT id FROM notices ORDER BY created_at DESC, id DESC LIMIT 1")
    service.deliver(province.database, mailing, NoticeCreated(notice_id=newest))
    assert [mail["Subject"] for mail in box.mails] == ["Có lời mời chờ trả lời"]


def test_what_somebody_was_told_goes_when_they_are_erased(province: Province, settings: Settings) -> None:
    (event,) = tell(province, "minh")
    tell(province, "khac")
    service.deliver(province.database, settings, event)
    with province.database.transaction(SYSTEM) as session:
        service.person_erased(session, SYSTEM, PersonErased(person_id=province["minh"]))
    assert [r.person_id for r in province.rows("SELECT person_id FROM notices")] == [province["khac"]]
    assert province.one("SELECT count(*) FROM notice_deliveries") == 0
