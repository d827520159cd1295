"""A certifier's findings: written by certifiers, corrected by certifiers, never by the holder."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import pytest

from app import clock
from app.accounts.models import Membership, Organisation, Person
from app.actor import SYSTEM, Actor, Role
from app.db import Database, new_id
from app.errors import Forbidden, NotFound
from app.trace import diary, findings, queries
from app.trace.schemas import FindingCorrectionIn, FindingIn
from tests.actors import acting
from tests.app.trace.steps_written import correction, events, everything, says
from tests.worlds.farm import World, a_log, a_site, officer_for, person, write


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding on the farmer's site, and three certifiers: who wrote it, a colleague, one of another organisation."""

    id: UUID
    site: UUID
    certifier: Actor
    colleague: Actor
    rival: Actor


@pytest.fixture
def finding(database: Database, world: World) -> Finding:
    site = a_site(database, world.farmer, world.household, world.village)
    office, rivals = new_id(), new_id()
    places = frozenset({world.commune, world.village})
    people = [person((Role.CERTIFIER, o), places=places) for o in (office, office, rivals)]
    now = clock.now()
    with database.transaction(SYSTEM) as session:
        for o in (office, rivals):
            session.add(
                Organisation(id=o, kind="enterprise", name="Chứng nhận thử", tax_code=None, village_id=None,
                             commune_id=world.commune, created_at=now, version=1)
            )  # fmt: skip
        session.add_all(Person(id=p.person_id, created_at=now) for p in people)
        session.flush()
        session.add_all(
            Membership(person_id=p.person_id, organisation_id=p.memberships[0].organisation_id, role=Role.CERTIFIER,
                       place_id=world.commune, valid_from=date(2025, 7, 1), recorded_at=now)
            for p in people
        )  # fmt: skip
    seen = FindingIn(id=new_id(), note="Có vỏ thuốc cấm ở bờ vườn.")
    with database.transaction(people[0]) as session:
        findings.record_finding(session, people[0], site, seen)
    return Finding(seen.id, site, *people)


def test_a_certifier_who_said_no_records_and_corrects_no_finding(
    database: Database, world: World, finding: Finding
) -> None:
    stored = FindingCorrectionIn(id=new_id(), note="Thấy vỏ thuốc ở bờ ruộng.", reason="Ghi rõ hơn")
    with database.transaction(finding.certifier) as session:
        findings.correct_finding(session, finding.certifier, finding.id, stored)
    says(database, finding.certifier, diary_agreed=False)
    before = everything(database)
    with database.transaction(finding.certifier) as session:
        assert findings.correct_finding(session, finding.certifier, finding.id, stored).status == "repeated"
    with database.transaction(finding.certifier) as session, pytest.raises(Forbidden) as refused:
        findings.record_finding(session, finding.certifier, finding.site, FindingIn(id=new_id(), note="Thấy khác."))
    assert refused.value.code == "diary_not_agreed"
    correction = FindingCorrectionIn(id=new_id(), note="Không phải thuốc cấm.", reason="Xem lại nhãn")
    with database.transaction(finding.certifier) as session, pytest.raises(Forbidden) as refused:
        findings.correct_finding(session, finding.certifier, finding.id, correction)
    assert refused.value.code == "diary_not_agreed"
    assert everything(database) == before


@pytest.mark.parametrize("who", ["farmer", "manager", "officer", "farmer_who_certifies"])
@pytest.mark.parametrize("withdrawn", ["0", "1"])
def test_a_finding_is_not_the_holders_to_correct_or_to_take_back(
    database: Database, world: World, finding: Finding, who: str, withdrawn: str
) -> None:
    actor = {
        "farmer": world.farmer,
        "manager": world.manager,
        "officer": officer_for(database, world),
        "farmer_who_certifies": acting(
            *world.farmer.memberships, *finding.rival.memberships, person_id=world.farmer.person_id
        ),
    }[who]
    before = everything(database)
    facts = {"kind": "observing", "note": "Vườn sạch.", "withdrawn": withdrawn}
    with database.transaction(actor) as session, pytest.raises(Forbidden, match="finding_is_the_certifiers") as refused:
        diary.correct_care_log(session, actor, finding.id, correction(finding.site, **facts))
    assert "chỉ họ sửa hoặc bỏ được" in refused.value.text("vi")
    assert "only they may correct or withdraw" in refused.value.text("en")
    assert everything(database) == before


def test_the_certifier_corrects_the_finding_and_the_first_words_stay(
    database: Database, world: World, finding: Finding
) -> None:
    better = FindingCorrectionIn(id=new_id(), note="Có vỏ thuốc, đã thu gom.", reason="Đã xem lại")
    with database.transaction(finding.certifier) as session:
        assert findings.correct_finding(session, finding.certifier, finding.id, better).status == "stored"
    with database.transaction(finding.certifier) as session:
        assert findings.correct_finding(session, finding.certifier, finding.id, better).status == "repeated"
    with database.transaction(world.farmer) as session:
        first, last = queries.chain(session, world.farmer, finding.id)
    assert (first.note, last.note, last.reason) == ("Có vỏ thuốc cấm ở bờ vườn.", better.note, "Đã xem lại")
    assert (last.witness, last.written_by, last.corrects_id) == ("certifier", finding.certifier.person_id, finding.id)
    assert [e["care_log_id"] for e in events(database, "trace.care_log_corrected")] == [str(finding.id)]
    # A farmer cannot slip in behind the correction either.
    before = everything(database)
    with database.transaction(world.farmer) as session, pytest.raises(Forbidden, match="finding_is_the_certifiers"):
        diary.correct_care_log(session, world.farmer, better.id, correction(finding.site, kind="observing"))
    assert everything(database) == before


def test_a_colleague_of_the_certifier_takes_the_finding_back(
    database: Database, world: World, finding: Finding
) -> None:
    gone = FindingCorrectionIn(id=new_id(), note="bỏ qua", reason="Nhầm vườn", withdrawn="1")  # type: ignore[arg-type]  # a ticked box
    with database.transaction(finding.colleague) as session:
        findings.correct_finding(session, finding.colleague, finding.id, gone)
    with database.transaction(world.farmer) as session:
        assert queries.diary_of_site(session, world.farmer, finding.site).lines == []
        last = queries.chain(session, world.farmer, finding.id)[-1]
    assert (last.withdrawn, last.note) == (True, "Có vỏ thuốc cấm ở bờ vườn.")
    assert last.written_by == finding.colleague.person_id


def test_another_certifier_and_another_step_are_refused(database: Database, world: World, finding: Finding) -> None:
    log, new = a_log(finding.site), FindingCorrectionIn(id=new_id(), note="Vườn sạch.", reason="Xem lại")
    write(database, world.farmer, log)
    before = everything(database)
    with database.transaction(finding.rival) as session, pytest.raises(Forbidden):
        findings.correct_finding(session, finding.rival, finding.id, new)
    with database.transaction(world.farmer) as session, pytest.raises(Forbidden):
        findings.correct_finding(session, world.farmer, finding.id, new)
    with database.transaction(finding.certifier) as session, pytest.raises(NotFound):
        findings.correct_finding(session, finding.certifier, log.id, new)
    assert everything(database) == before


@pytest.mark.parametrize(("begins", "ends", "theirs"), [(1, None, 0), (-30, -1, 0), (0, None, 1), (-30, 0, 1)])
def test_a_finding_is_an_organisations_whose_certifier_its_writer_was_on_that_day(
    database: Database, finding: Finding, begins: int, ends: int | None, theirs: int
) -> None:
    """Who came to the other office the day after, or had left it the day before, brings it none of their findings."""
    day, [office] = clock.today(), {m.organisation_id for m in finding.rival.memberships}
    with database.transaction(SYSTEM) as session:
        session.add(
            Membership(
                person_id=finding.certifier.person_id, organisation_id=office, role=Role.CERTIFIER, place_id=None,
                valid_from=day + timedelta(days=begins), valid_to=None if ends is None else day + timedelta(days=ends),
                recorded_at=clock.now(), ended_at=None if ends is None else clock.now(),
            )
        )  # fmt: skip
    before = everything(database)
    new = FindingCorrectionIn(id=new_id(), note="Vườn sạch.", reason="Xem lại")
    with database.transaction(finding.rival) as session:
        assert len(findings.own_findings(session, finding.rival, [finding.id])) == theirs
        if not theirs:
            with pytest.raises(Forbidden):
                findings.correct_finding(session, finding.rival, finding.id, new)
    assert everything(database) == before
