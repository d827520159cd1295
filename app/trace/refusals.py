"""Refusals of a step of a diary, by its site, season, time, photos, people and witness."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, media
from app.accounts import queries as accounts
from app.accounts.models import Person, Purpose
from app.accounts.queries import among
from app.actor import Actor, Right
from app.errors import Forbidden, HoiError, Invalid, forbidden, not_found
from app.messages import N_
from app.trace import queries
from app.trace.care_logs import AHEAD, writer_of
from app.trace.models import CareLog, Cycle, Site, Witness
from app.trace.schemas import StepFacts
from app.trace.witnesses import witnesses_of

FAR = timedelta(days=30)  # no clock that is merely wrong is taken this far ahead
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class StepChecks:
    """What the steps of one call point to, read by a fixed number of statements."""

    def __init__(
        self, session: Session, actor: Actor, logs: Sequence[StepFacts], *, holders: Mapping[UUID, UUID] | None = None
    ) -> None:
        self._actor = actor
        if holders is None:
            sites = session.execute(
                select(Site.id, Site.organisation_id).where(among(Site.id, {log.site_id for log in logs}))
            )
            holders = {row.id: row.organisation_id for row in sites}
        self._sites = {site: holder for site, holder in holders.items() if actor.reads(holder)}
        seasons = {log.cycle_id for log in logs if log.cycle_id}
        self._cycles: dict[UUID, UUID] = {}
        if seasons:
            cycles = session.execute(select(Cycle.id, Cycle.site_id).where(among(Cycle.id, seasons)))
            self._cycles = {row.id: row.site_id for row in cycles}
        photos = {p for log in logs for p in log.photos}
        self._photos = media.attachable(session, actor, photos, sees=queries.points_to_file)
        people = {p for log in logs for p in (log.performed_by, log.witnessed_by) if p is not None}
        self._people = set(session.scalars(select(Person.id).where(among(Person.id, people)))) if people else set()
        # Who was never asked is named: a phone in the field must not lose work for want of an answer.
        self.unnamed = accounts.who_said_no(session, people | {writer_of(actor)}, Purpose.DIARY)
        self._now = clock.now()
        self._witnesses: dict[UUID, Collection[Witness]] = {}  # holder to what the actor may vouch as there

    def organisation(self, log: StepFacts) -> UUID:
        return self._sites[log.site_id]

    def refusal(
        self, log: StepFacts, phone_now: datetime | None, *, kept_from: CareLog | None = None
    ) -> HoiError | None:
        """Why the step cannot be written, or None. `kept_from`: the row that is taken back, whose witness may stay as it was."""
        organisation_id = self._sites.get(log.site_id)
        if organisation_id is None:
            return not_found(N_("nơi sản xuất này"))
        if not self._actor.may(Right.KEEP_DIARY, organisation_id):
            return forbidden()
        if self._actor.person_id in self.unnamed:
            return not_agreed()
        return (
            self._cycle(log)
            or self._time(log.happened_at, phone_now)
            or self._photo(log)
            or self._person(log)
            or self._witness(log, organisation_id, kept_from)
        )

    def _cycle(self, log: StepFacts) -> Invalid | None:
        if log.cycle_id is None or self._cycles.get(log.cycle_id) == log.site_id:
            return None
        return Invalid(
            "cycle_elsewhere",
            N_("Vụ này không ở nơi sản xuất đã chọn. Hãy chọn lại nơi sản xuất hoặc vụ."),
            field="cycle_id",
        )

    def _time(self, happened_at: datetime, phone_now: datetime | None) -> Invalid | None:
        ahead = happened_at - self._now
        if happened_at < EARLIEST:
            return Invalid(
                "too_long_ago",
                N_("Ngày giờ này xa quá, có thể đồng hồ máy bị sai. Hãy chỉnh lại đồng hồ rồi chọn lại ngày."),
                field="happened_at",
            )
        clock_is_ahead = phone_now is not None and happened_at <= phone_now + AHEAD and ahead <= FAR
        if ahead > AHEAD and not clock_is_ahead:
            return Invalid(
                "in_future",
                N_(
                    "Ngày giờ làm việc (%(day)s) chưa tới. Hãy chọn lại ngày đã làm; nếu đồng hồ máy sai thì chỉnh lại "
                    "đồng hồ.",
                    day=f"{clock.local(happened_at):%d/%m/%Y %H:%M}",
                ),
                field="happened_at",
            )
        return None

    def _photo(self, log: StepFacts) -> Invalid | None:
        if all(p in self._photos for p in log.photos):
            return None
        return Invalid(
            "photo_unknown",
            N_("Có ảnh chưa gửi xong. Hãy đợi ảnh gửi hết rồi gửi lại việc này."),
            field="photos",
        )

    def _person(self, log: StepFacts) -> Invalid | None:
        if all(p in self._people for p in (log.performed_by, log.witnessed_by) if p is not None):
            return None
        return Invalid(
            "person_unknown",
            N_("Không tìm thấy người làm hoặc người làm chứng. Hãy chọn lại trong danh sách."),
            field="performed_by",
        )

    def _witness(self, log: StepFacts, organisation_id: UUID, kept_from: CareLog | None) -> Invalid | None:
        if kept_from is not None and (log.witness, log.witnessed_by) == (kept_from.witness, kept_from.witnessed_by):
            return None
        if organisation_id not in self._witnesses:
            self._witnesses[organisation_id] = witnesses_of(self._actor, organisation_id)
        if log.witness not in self._witnesses[organisation_id]:
            return Invalid(
                "witness_not_yours",
                N_(
                    "Không đứng ra làm chứng kiểu này được: ai làm chứng thì người đó tự ghi. Hãy chọn lại ai làm "
                    "chứng."
                ),
                field="witness",
            )
        if log.witnessed_by not in {None, self._actor.person_id}:
            return Invalid(
                "witness_is_another",
                N_(
                    "Không ghi người khác làm chứng thay họ được: người thấy tận mắt thì tự ghi. Hãy bỏ tên người làm "
                    "chứng."
                ),
                field="witness",
            )
        return None


def not_agreed() -> Forbidden:
    return Forbidden(
        "diary_not_agreed",
        N_(
            "Đã chọn không ghi nhật ký dưới tên mình nên việc này chưa ghi. Hãy nhờ hợp tác xã ghi thay, không "
            "kèm tên; hoặc mở trang Đồng ý (/dong-y), đánh dấu mục “Ghi nhật ký” rồi gửi lại."
        ),
    )
