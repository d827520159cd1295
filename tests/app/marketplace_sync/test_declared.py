"""A pasted link counts only once a second named person has looked and kept a dated picture, and only while that look is fresh."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import delete, func, select, update

from app import clock
from app.accounts.models import Membership, PersonalData
from app.accounts.named_rights import Reach, with_rights
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.actor import Membership as Held
from app.db import Database, Words, new_id
from app.factory import create_app
from app.marketplace_sync import queries
from app.marketplace_sync.models import DeclaredConfirmation, DeclaredListing, Floor, FloorDecision
from app.outbox import OutboxEvent
from app.settings import Settings
from tests.app.browsers import browser_of
from tests.worlds.farm import NOON, World, a_product, build, person

TODAY = date(2026, 11, 20)
URL = "https://san.example/na-dai-dong-mau"


@dataclass
class Case:
    """One product, one counted floor, and a browser for whoever acts."""

    app: Flask
    database: Database
    people: World
    product: UUID
    other_product: UUID
    floor: UUID

    def client(self, actor: Actor) -> FlaskClient:
        return browser_of(self.app, actor)

    def declare(self, actor: Actor | None = None, **other: Any) -> tuple[int, UUID]:
        form = {"id": new_id(), "product_id": self.product, "floor_id": self.floor, "url": URL} | other
        answer = self.client(actor or self.people.manager).post("/san/khai", data=form)
        return answer.status_code, form["id"]

    def confirm(self, declared_id: UUID, actor: Actor | None = None, **other: Any) -> int:
        form = {"id": new_id(), "on_sale": "true", "seen_on": TODAY, "photo": (picture(), "man-hinh.png")} | other
        sent = {name: value for name, value in form.items() if value is not None}
        client = self.client(actor or self.people.official)
        return client.post(f"/san/da-khai/{declared_id}", data=sent).status_code

    def evidence(self, on: date = TODAY) -> list[tuple[str, bool, str]]:
        with self.database.transaction(SYSTEM) as session:
            found = queries.live_evidence(session, [self.product], as_of=on, known_at=clock.now()).get(self.product, [])
        return [(e.state, e.counted, e.reason.text("vi")) for e in found]

    def name(self, actor: Actor, name: str | None) -> None:
        """What the person is called from now on; None: their data is erased."""
        mine = PersonalData.person_id == actor.person_id
        with self.database.transaction(SYSTEM) as session:
            session.execute(
                update(PersonalData).where(mine).values(full_name=name) if name else delete(PersonalData).where(mine)
            )

    def rows(self) -> tuple[list[Any], list[Any], int]:
        """All that is stored, and how often it was announced."""
        with self.database.transaction(SYSTEM) as session:
            declared = session.execute(
                select(
                    DeclaredListing.id, DeclaredListing.product_id, DeclaredListing.url, DeclaredListing.withdrawn_at
                )
            ).all()
            looks = session.execute(select(DeclaredConfirmation.id, DeclaredConfirmation.on_sale)).all()
            told = session.scalar(select(func.count()).where(OutboxEvent.name == "marketplace_sync.declared_confirmed"))
        return list(declared), list(looks), told or 0


def answering_for(actor: Actor, role: Role, place: UUID) -> Actor:
    """The same person, with one role that is held for a place and opens it."""
    return in_roles(actor, Held(actor.memberships[0].organisation_id, role, place))


def in_roles(actor: Actor, *roles: Held) -> Actor:
    """The same person in these roles, each of which opens its own place and nothing beside it."""
    reach = {m.place_id: Reach(frozenset({m.place_id}), frozenset({m.place_id})) for m in roles if m.place_id}
    return with_rights(actor, roles, reach=reach)


def picture(shade: int = 0) -> BytesIO:
    raw = BytesIO()
    Image.new("RGB", (40, 30), (20, 120, shade)).save(raw, "PNG")
    raw.seek(0)
    return raw


@pytest.fixture
def case(settings: Settings, database: Database, clock_at: Callable[[datetime], None]) -> Case:
    clock_at(NOON)
    people, floor = build(database), new_id()
    people = replace(people, official=answering_for(people.official, Role.COMMUNE_OFFICIAL, people.commune))
    with database.transaction(SYSTEM) as session:
        for actor in (people.manager, people.purchaser, people.farmer, people.stranger, people.official):
            session.add(
                PersonalData(person_id=actor.person_id, phone=None, full_name="Người Thử", address_as="bác", email=None,
                             language="vi", updated_at=clock.now())
            )  # fmt: skip
        session.add(
            Floor(id=floor, key="san-thu", name=Words(vi="Sàn thử"), hosts=["san.example"], kind="marketplace",
                  created_at=clock.now())
        )  # fmt: skip
        session.flush()
        session.add(
            FloorDecision(id=new_id(), floor_id=floor, counted=True, effective_on=date(2026, 1, 1),
                          legal_basis="MẪU-01", recorded_at=clock.now(), person_id=people.manager.person_id)
        )  # fmt: skip
    app = create_app(settings, database)
    app.config["WTF_CSRF_ENABLED"] = False
    product, other = a_product(database, people), a_product(database, people, name_vi="Na bở")
    return Case(app, database, people, product, other, floor)


WAITS = ("no", True, "Đã khai đang bán trên Sàn thử, chờ người ngoài đơn vị xem và xác nhận.")
ON_SALE = ("live", True, "Đang bán trên Sàn thử, có người xác nhận ngày 20/11/2026.")


def test_a_link_alone_is_not_counted(case: Case) -> None:
    status, declared_id = case.declare()
    assert (status, case.evidence()) == (303, [WAITS])
    assert case.rows() == ([(declared_id, case.product, URL, None)], [], 1)


def test_who_declared_it_cannot_confirm_it(case: Case) -> None:
    _, declared_id = case.declare()
    before = case.rows()
    assert case.confirm(declared_id, case.people.manager) == 409
    assert (case.rows(), case.evidence()) == (before, [WAITS])


@pytest.mark.parametrize("sent", [None, b"not a picture"])
def test_a_picture_is_needed(case: Case, sent: bytes | None) -> None:
    _, declared_id = case.declare()
    before = case.rows()
    assert case.confirm(declared_id, photo=None if sent is None else (BytesIO(sent), "x.png")) == 422
    assert (case.rows(), case.evidence()) == (before, [WAITS])


@pytest.mark.parametrize(
    "role", [Role.DIGITAL_GROUP, Role.VILLAGE_OFFICER, Role.EXTENSION_OFFICER, Role.COMMUNE_OFFICIAL]
)
def test_somebody_who_answers_for_the_place_makes_it_count_with_a_picture(case: Case, role: Role) -> None:
    _, declared_id = case.declare()
    actor = answering_for(case.people.official, role, case.people.village)
    assert case.client(actor).get("/san/da-khai").status_code == 200
    assert case.confirm(declared_id, actor) == 303
    assert case.evidence() == [ON_SALE]


# --- two people are two organisations --------------------------------------------------------------------------------

COLLEAGUE_SAW = (
    "no",
    True,
    "Đã khai đang bán trên Sàn thử, chờ người ngoài đơn vị xem và xác nhận. Người cùng đơn vị xem ngày 20/11/2026, chưa tính.",
)


def give(case: Case, actor: Actor, role: Role, organisation_id: UUID, *, ended_at: datetime | None = None) -> None:
    """A role that this sign-in does not show, as it is with a card or after it ended."""
    with case.database.transaction(SYSTEM) as session:
        session.add(
            Membership(id=new_id(), person_id=actor.person_id, organisation_id=organisation_id, role=role, place_id=None,
                       valid_from=date(2026, 1, 1), valid_to=TODAY - timedelta(days=1) if ended_at else None,
                       recorded_at=NOON, granted_by=None, ended_at=ended_at, ended_by=None)
        )  # fmt: skip


def by_colleague(case: Case) -> list[bool]:
    with case.database.transaction(SYSTEM) as session:
        return list(session.scalars(select(DeclaredConfirmation.by_colleague)))


def test_a_colleagues_look_is_kept_and_shown_as_such_and_does_not_count(case: Case) -> None:
    _, declared_id = case.declare()
    form = case.client(case.people.purchaser).get(f"/san/da-khai/{declared_id}").get_data(as_text=True)
    assert "lần xem này vẫn ghi, nhưng chưa tính" in form
    assert case.confirm(declared_id, case.people.purchaser) == 303
    assert (by_colleague(case), case.evidence()) == ([True], [COLLEAGUE_SAW])
    for actor in (case.people.manager, case.people.purchaser, case.people.official):
        html = case.client(actor).get("/san/da-khai").get_data(as_text=True)
        assert "Người Thử xem ngày 20/11/2026 (cùng đơn vị, chưa tính trừ khi tỉnh chọn)" in html
        assert ("Chờ người ngoài đơn vị" in html, "Cùng đơn vị: đang bán" in html) == (True, True)
    html = case.client(case.people.manager).get("/san").get_data(as_text=True)
    assert ("Chờ người ngoài đơn vị" in html, "cùng đơn vị, chưa tính" in html) == (True, True)


def test_a_colleagues_look_counts_when_the_province_says_so(case: Case) -> None:
    _, declared_id = case.declare()
    case.confirm(declared_id, case.people.purchaser)
    with case.database.transaction(SYSTEM) as session:
        found = queries.live_evidence(
            session, [case.product], as_of=TODAY, known_at=clock.now(), colleagues_count=True
        )[case.product]
    assert [(e.state, e.reason.text("vi")) for e in found] == [
        ("live", "Đang bán trên Sàn thử, có người cùng đơn vị xác nhận ngày 20/11/2026.")
    ]


def test_a_colleagues_later_word_does_not_change_what_somebody_from_outside_saw(
    case: Case, clock_at: Callable[[datetime], None]
) -> None:
    _, declared_id = case.declare()
    assert case.confirm(declared_id, seen_on=TODAY - timedelta(days=1)) == 303
    clock_at(NOON + timedelta(hours=1))
    assert case.confirm(declared_id, case.people.purchaser, on_sale="false") == 303
    assert case.evidence() == [("live", True, "Đang bán trên Sàn thử, có người xác nhận ngày 19/11/2026.")]
    with case.database.transaction(SYSTEM) as session:
        (evidence,) = queries.live_evidence(
            session, [case.product], as_of=TODAY, known_at=clock.now(), colleagues_count=True
        )[case.product]
    assert evidence.state == "no", "where colleagues count, the newest of both stands"


@pytest.mark.parametrize("where", ["cooperative", "household"])
def test_an_official_who_also_belongs_to_the_seller_looks_as_a_colleague(case: Case, where: str) -> None:
    """The second hat binds though this sign-in does not show it; a hat in somebody else's house does not."""
    _, declared_id = case.declare()
    give(case, case.people.official, Role.FARMER, case.people.foreign)
    assert case.confirm(declared_id) == 303
    give(case, case.people.official, Role.FARMER, getattr(case.people, where))
    assert case.confirm(declared_id) == 303
    assert sorted(by_colleague(case)) == [False, True]


@pytest.mark.parametrize(("after", "colleague"), [(timedelta(seconds=-1), False), (timedelta(0), True)])
def test_a_role_that_ended_after_the_link_was_declared_still_binds(
    case: Case, after: timedelta, *, colleague: bool
) -> None:
    _, declared_id = case.declare()
    give(case, case.people.official, Role.PURCHASER, case.people.cooperative, ended_at=NOON + after)
    assert case.confirm(declared_id) == 303
    assert by_colleague(case) == [colleague]


def test_the_manager_of_the_cooperative_is_a_colleague_of_a_household_that_sells(case: Case) -> None:
    with case.database.transaction(SYSTEM) as session:
        declared = DeclaredListing(organisation_id=case.people.household, declared_at=NOON)
        told = {who: getattr(case.people, who) for who in ("farmer", "manager", "neighbour", "stranger", "official")}
        assert {
            who: queries.is_of_the_seller(session, replace(actor, organisations=frozenset()), declared)
            for who, actor in told.items()
        } == {"farmer": True, "manager": True, "neighbour": False, "stranger": False, "official": False}


def test_nobody_learns_of_others_where_they_belong(case: Case) -> None:
    asked = select(func.hoi_of_the_seller(case.people.purchaser.person_id, case.people.cooperative, NOON))
    for actor, told in ((case.people.purchaser, True), (case.people.official, False), (PUBLIC, False)):
        with case.database.transaction(actor) as session:
            assert bool(session.scalar(asked)) is told


def test_an_officials_role_of_another_place_or_a_certifiers_place_makes_no_witness(case: Case) -> None:
    """The place was opened by one role and the look permitted by another: neither alone suffices."""
    _, declared_id = case.declare()
    before = case.rows()
    office = case.people.official.memberships[0].organisation_id
    for memberships in (
        (Held(office, Role.CERTIFIER, case.people.commune), Held(office, Role.VILLAGE_OFFICER, new_id())),
        (Held(office, Role.CERTIFIER, case.people.commune), Held(office, Role.PURCHASER)),
        (Held(office, Role.CERTIFIER, case.people.commune),),
        (Held(office, Role.PROVINCE_OFFICIAL, case.people.commune),),
    ):
        assert case.confirm(declared_id, in_roles(case.people.official, *memberships)) == 403
        assert (case.rows(), case.evidence()) == (before, [WAITS])


def test_who_judges_by_the_looks_reads_them_and_is_not_asked_to_look(case: Case) -> None:
    _, declared_id = case.declare()
    for role, offered in ((Role.PROVINCE_OFFICIAL, False), (Role.CERTIFIER, False), (Role.VILLAGE_OFFICER, True)):
        actor = answering_for(case.people.official, role, case.people.commune)
        html = case.client(actor).get("/san/da-khai").get_data(as_text=True)
        assert (URL in html, f'href="/san/da-khai/{declared_id}"' in html) == (True, offered)


def test_who_sees_the_link_sees_by_name_who_looked_and_the_picture(case: Case) -> None:
    _, declared_id = case.declare()
    case.name(case.people.official, "Lý Thị Xem")
    assert case.confirm(declared_id, case.people.official) == 303
    with case.database.transaction(SYSTEM) as session:
        digest = session.scalars(select(DeclaredConfirmation.photo_sha256)).one()
    shown = (
        f'<a href="/anh/{digest}"><img src="/anh/{digest}?nho=1" alt="Ảnh chụp trang bán ngày 20/11/2026"'
        ' width="120" height="90" loading="lazy"></a>'
    )
    for actor in (case.people.manager, case.people.official):
        html = case.client(actor).get("/san/da-khai").get_data(as_text=True)
        assert ("Lý Thị Xem xem ngày 20/11/2026" in html, shown in html) == (True, True)
        assert case.client(actor).get(f"/anh/{digest}").status_code == 200
    for actor in (case.people.stranger, PUBLIC):
        assert case.client(actor).get(f"/anh/{digest}").status_code == 404
    assert "Lý Thị Xem" not in case.client(case.people.stranger).get("/san/da-khai").get_data(as_text=True)
    case.name(case.people.official, None)
    html = case.client(case.people.manager).get("/san/da-khai").get_data(as_text=True)
    assert ("Một người đã xóa dữ liệu của mình xem ngày 20/11/2026" in html, shown in html) == (True, True)


@pytest.mark.parametrize("unbacked", [False, True], ids=["with row-level security", "by the query alone"])
def test_a_look_is_told_only_to_whoever_may_open_its_organisation(case: Case, *, unbacked: bool) -> None:
    _, declared_id = case.declare()
    case.confirm(declared_id)
    with case.database.transaction(SYSTEM) as session:
        look = session.scalars(select(DeclaredConfirmation)).one()
    seen = {look.id: queries.Look("Người Thử", True, TODAY, look.photo_sha256, by_colleague=False)}
    elsewhere = replace(case.people.official, units=frozenset({new_id()}))
    for actor, expected in (
        (case.people.manager, seen),
        (case.people.official, seen),
        (case.people.stranger, {}),
        (case.people.farmer, {}),
        (elsewhere, {}),
        (PUBLIC, {}),
    ):
        with case.database.transaction(SYSTEM if unbacked else actor) as session:
            assert queries.declared_looks(session, actor, [look.id, new_id()]) == expected


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("marketplace", "Sàn này không có trong danh sách được tính của tỉnh."),
        ("own_site", "Trang riêng không phải là sàn nên không được tính."),
        ("advertising", "Trang quảng cáo không phải là sàn nên không được tính."),
    ],
)
def test_why_a_link_does_not_count_is_said_by_the_legal_kind_of_its_place(case: Case, kind: str, why: str) -> None:
    place = new_id()
    with case.database.transaction(SYSTEM) as session:
        session.add(
            Floor(
                id=place,
                key="khac",
                name=Words(vi="Nơi khác"),
                hosts=["khac.example"],
                kind=kind,
                created_at=clock.now(),
            )
        )
    _, declared_id = case.declare(floor_id=place, url="https://khac.example/na")
    assert case.confirm(declared_id) == 303
    assert case.evidence() == [("live", False, f"Đang bán trên Nơi khác, có người xác nhận ngày 20/11/2026. {why}")]


def test_the_look_ages_out_after_thirty_days(case: Case, clock_at: Callable[[datetime], None]) -> None:
    _, declared_id = case.declare()
    case.confirm(declared_id)
    clock_at(NOON + timedelta(days=40))
    assert [case.evidence(TODAY + timedelta(days=d))[0][0] for d in (0, 29, 30)] == ["live", "live", "stale"]


@pytest.mark.parametrize("days", [-1, 31])
def test_a_look_is_of_the_last_thirty_days(case: Case, days: int) -> None:
    _, declared_id = case.declare()
    before = case.rows()
    assert case.confirm(declared_id, seen_on=TODAY - timedelta(days=days)) == 422
    assert case.rows() == before


def test_a_later_look_that_does_not_find_it_denies(case: Case, clock_at: Callable[[datetime], None]) -> None:
    _, declared_id = case.declare()
    case.confirm(declared_id)
    clock_at(NOON + timedelta(days=1))
    tomorrow = TODAY + timedelta(days=1)
    assert case.confirm(declared_id, on_sale="false", seen_on=tomorrow) == 303
    assert case.evidence() == [ON_SALE], "yesterday's answer stands"
    assert case.evidence(tomorrow) == [("no", True, "Ngày 21/11/2026 có người xem, không thấy đang bán trên Sàn thử.")]


def test_what_is_withdrawn_no_longer_counts_and_cannot_be_confirmed(case: Case) -> None:
    _, declared_id = case.declare()
    case.confirm(declared_id)
    assert case.client(case.people.manager).post(f"/san/da-khai/{declared_id}/go").status_code == 303
    assert case.evidence() == []
    before = case.rows()
    assert case.confirm(declared_id) == 404
    assert case.rows() == before
    assert case.declare()[0] == 303, "it may be declared anew"


def test_the_sellers_are_offered_to_withdraw_what_they_declared_and_nobody_else_is(case: Case) -> None:
    _, declared_id = case.declare()
    form = f'<form method="post" action="/san/da-khai/{declared_id}/go">'
    for actor, offered in ((case.people.manager, True), (case.people.purchaser, True), (case.people.official, False)):
        html = case.client(actor).get("/san/da-khai").get_data(as_text=True)
        assert (URL in html, form in html, "không còn được tính nhờ đường dẫn này" in html) == (True, offered, offered)
    client = case.client(case.people.manager)
    done = client.post(f"/san/da-khai/{declared_id}/go", follow_redirects=True).get_data(as_text=True)
    assert ("Đã gỡ đường dẫn này." in done, URL in done) == (True, False)
    after = case.rows()
    assert (after[0][0].withdrawn_at, after[2]) == (clock.now(), 2)
    assert (client.post(f"/san/da-khai/{declared_id}/go").status_code, case.rows()) == (303, after)


def test_who_sells_elsewhere_but_not_here_does_not_withdraw(case: Case) -> None:
    _, declared_id = case.declare()
    before = case.rows()
    cooperative, foreign = case.people.cooperative, case.people.foreign
    farms_here = person((Role.FARMER, cooperative), (Role.COOPERATIVE_MANAGER, foreign))
    for actor, status in ((farms_here, 403), (case.people.stranger, 404), (case.people.official, 403)):
        assert case.client(actor).post(f"/san/da-khai/{declared_id}/go").status_code == status
        assert case.rows() == before


@pytest.mark.parametrize("url", ["https://kho.example/na", "https://san.example/", "https://me:pw@san.example/na"])
def test_a_link_that_is_no_product_page_of_the_floor_is_refused(case: Case, url: str) -> None:
    assert (case.declare(url=url)[0], case.rows()) == (422, ([], [], 0))


def test_a_link_is_declared_once(case: Case) -> None:
    case.declare()
    before = case.rows()
    assert (case.declare()[0], case.rows()) == (409, before)


@pytest.mark.parametrize(("who", "status"), [("farmer", 403), ("stranger", 404)])
def test_others_neither_declare_nor_confirm(case: Case, who: str, status: int) -> None:
    _, declared_id = case.declare()
    before, actor = case.rows(), getattr(case.people, who)
    assert case.declare(actor, url=URL + "-2")[0] == status
    assert case.confirm(declared_id, actor) == status
    assert case.rows() == before


# --- sent again --------------------------------------------------------------------------------------------------


def test_the_same_declaration_sent_again_is_the_same(case: Case) -> None:
    _, declared_id = case.declare()
    before = case.rows()
    assert (case.declare(id=declared_id)[0], case.rows()) == (303, before)


def test_the_same_id_with_another_declaration_is_a_conflict(case: Case) -> None:
    _, declared_id = case.declare()
    before = case.rows()
    for other in ({"url": URL + "-2"}, {"product_id": case.other_product}):
        assert case.declare(id=declared_id, **other)[0] == 409
    assert case.declare(case.people.purchaser, id=declared_id)[0] == 409
    assert case.rows() == before


def test_the_same_id_with_another_look_is_a_conflict(case: Case) -> None:
    _, declared_id = case.declare()
    _, second = case.declare(url=URL + "-2")
    look = {"id": new_id()}
    assert case.confirm(declared_id, **look) == 303
    before = case.rows()
    assert case.confirm(declared_id, **look) == 303
    for target, other in (
        (declared_id, {"on_sale": "false"}),
        (declared_id, {"seen_on": TODAY - timedelta(days=1)}),
        (declared_id, {"photo": (picture(99), "khac.png")}),
        (second, {}),
    ):
        assert case.confirm(target, **look, **other) == 409
    assert case.rows() == before
