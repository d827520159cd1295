"""The verbs of sites and seasons: where things grow, in which village, and from when to when."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import audit, clock, media
from app.actor import Actor, Right, check_may
from app.db import check_version, insert_once, new_id
from app.errors import Conflict, Invalid
from app.messages import N_
from app.outbox import publish
from app.places import queries as places
from app.places.models import Level
from app.products import queries as products
from app.trace import queries
from app.trace.events import SiteChanged
from app.trace.models import Cycle, Site, SiteVillage
from app.trace.schemas import EditSite, EndCycle, NewCycle, NewSite, SiteFacts

BEFORE_RECORDS = date(1990, 1, 1)
LONGEST_SEASON = timedelta(days=5 * 366)


def _other_content() -> Conflict:
    return Conflict(
        "same_id_other_content",
        N_("Mẫu này đã gửi một lần với nội dung khác. Hãy tải lại trang, xem bản đã ghi rồi sửa trên bản đó."),
    )


def _check(session: Session, actor: Actor, facts: SiteFacts) -> None:
    village = places.places(session, [facts.village_id]).get(facts.village_id)
    if village is None or village.level != Level.VILLAGE or (village.valid_to and village.valid_to < clock.today()):
        raise Invalid(
            "not_a_village",
            N_("Hãy chọn thôn, bản hoặc khối phố đang có trong danh sách."),
            field="village_id",
        )
    if facts.photo_sha256 and not media.attachable(session, actor, [facts.photo_sha256], sees=queries.points_to_file):
        raise Invalid(
            "photo_unknown",
            N_("Chưa nhận được ảnh này. Hãy chọn lại ảnh rồi gửi."),
            field="photo",
        )


def _values(facts: SiteFacts) -> dict[str, object]:
    names = ("name", "kind", "area", "area_unit", "photo_sha256", "latitude", "longitude")
    return {name: getattr(facts, name) for name in names}


def create_site(session: Session, actor: Actor, new: NewSite) -> UUID:
    """Sent again with the same content it answers the same. Raises Conflict, Invalid or Forbidden."""
    check_may(actor, Right.KEEP_DIARY, new.organisation_id)
    _check(session, actor, new)
    now = clock.now()
    row = Site(
        id=new.id,
        organisation_id=new.organisation_id,
        created_at=now,
        person_id=actor.person_id,
        version=1,
        **_values(new),
    )
    if not insert_once(session, row):
        there = session.scalar(select(Site).where(Site.id == new.id, Site.organisation_id == new.organisation_id))
        if there is None or (there.version == 1 and any(getattr(there, k) != v for k, v in _values(new).items())):
            raise _other_content()
        return there.id
    session.add(_stay(new.id, new.organisation_id, new.village_id, new.since or BEFORE_RECORDS, actor))
    audit.record(session, actor, "trace:site:create", subject_id=new.id, organisation_id=new.organisation_id)
    publish(session, actor, SiteChanged(new.id, new.organisation_id))
    return new.id


def _stay(site_id: UUID, organisation_id: UUID, village_id: UUID, since: date, actor: Actor) -> SiteVillage:
    return SiteVillage(
        id=new_id(),
        site_id=site_id,
        organisation_id=organisation_id,
        village_id=village_id,
        valid_from=since,
        valid_to=None,
        recorded_at=clock.now(),
        person_id=actor.person_id,
        ended_at=None,
        ended_by=None,
    )


def update_site(session: Session, actor: Actor, site_id: UUID, facts: EditSite) -> None:
    """Describe it otherwise; in another village from `moved_on` on (today when left out), the days before stay as they were."""
    row = queries.site(session, actor, site_id, lock=True)
    check_may(actor, Right.KEEP_DIARY, row.organisation_id)
    _check(session, actor, facts)
    check_version(row, facts.version)
    for key, value in _values(facts).items():
        setattr(row, key, value)
    now_in = session.scalars(
        select(SiteVillage).where(SiteVillage.site_id == row.id, SiteVillage.valid_to.is_(None))
    ).one()
    if now_in.village_id != facts.village_id:
        moved_on = facts.moved_on or clock.today()
        if moved_on < now_in.valid_from:
            raise Invalid(
                "moved_before",
                N_("Ngày chuyển thôn phải từ %(valid_from)s trở đi.", valid_from=f"{now_in.valid_from:%d/%m/%Y}"),
                field="moved_on",
            )
        session.execute(
            update(SiteVillage)
            .where(SiteVillage.id == now_in.id)
            .values(valid_to=moved_on - timedelta(days=1), ended_at=clock.now(), ended_by=actor.person_id)
            .execution_options(synchronize_session=False)
        )
        session.add(_stay(row.id, row.organisation_id, facts.village_id, moved_on, actor))
    audit.record(session, actor, "trace:site:update", subject_id=row.id, organisation_id=row.organisation_id)
    publish(session, actor, SiteChanged(row.id, row.organisation_id))


def start_cycle(session: Session, actor: Actor, new: NewCycle) -> UUID:
    """Begin a season on a site, for an own product or one of the cooperative. Raises NotFound, Invalid, Conflict, Forbidden."""
    site = queries.site(session, actor, new.site_id)
    check_may(actor, Right.KEEP_DIARY, site.organisation_id)
    if new.product_id is not None:
        products.product(session, actor, new.product_id)
    if new.started_on > clock.today() + timedelta(days=60):
        raise Invalid(
            "starts_too_late",
            N_("Ngày bắt đầu vụ còn xa quá. Hãy ghi khi gần tới ngày, sớm nhất trước hai tháng."),
            field="started_on",
        )
    if new.expected_harvest_on and not new.started_on <= new.expected_harvest_on <= new.started_on + LONGEST_SEASON:
        raise Invalid(
            "harvest_before_start",
            N_("Ngày thu hoạch dự kiến phải sau ngày bắt đầu vụ, trong vòng năm năm."),
            field="expected_harvest_on",
        )
    values = {
        "site_id": site.id,
        "product_id": new.product_id,
        "crop": new.crop(),
        "started_on": new.started_on,
        "expected_harvest_on": new.expected_harvest_on,
    }
    row = Cycle(
        id=new.id,
        organisation_id=site.organisation_id,
        created_at=clock.now(),
        person_id=actor.person_id,
        ended_on=None,
        version=1,
        **values,
    )
    if not insert_once(session, row):
        there = session.scalar(select(Cycle).where(Cycle.id == new.id, Cycle.organisation_id == site.organisation_id))
        if there is None or any(getattr(there, k) != v for k, v in values.items()):
            raise _other_content()
        return there.id
    audit.record(session, actor, "trace:cycle:start", subject_id=new.id, organisation_id=site.organisation_id)
    return new.id


def end_cycle(session: Session, actor: Actor, cycle_id: UUID, end: EndCycle) -> None:
    """Raises Conflict when somebody was faster, Invalid for a day before the start or in the future."""
    row = queries.cycle(session, actor, cycle_id, lock=True)
    check_may(actor, Right.KEEP_DIARY, row.organisation_id)
    if row.ended_on == end.ended_on:
        return
    check_version(row, end.version)
    if not row.started_on <= end.ended_on <= clock.today():
        raise Invalid(
            "ends_before_start",
            N_("Ngày kết thúc vụ phải từ %(started_on)s đến hôm nay.", started_on=f"{row.started_on:%d/%m/%Y}"),
            field="ended_on",
        )
    row.ended_on = end.ended_on
    audit.record(session, actor, "trace:cycle:end", subject_id=row.id, organisation_id=row.organisation_id)
