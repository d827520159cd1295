"""Records of the demo's villages: four by hand, a part of the other 1,700 by seeded chance in the background."""

import json
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app import clock, jobs
from app.accounts.models import PersonalData
from app.actor import Actor
from app.criteria import assessments, derivation, village_facts
from app.criteria.models import VillageFact
from app.criteria.schemas import (
    Channel,
    DigitalAddress,
    DigitalGroup,
    Feedback,
    GroupActivity,
    Model,
    NewVillageFact,
    Shape,
    Wifi,
)
from app.db import Words, canonical_json
from app.jobs import Job, Report
from app.places import queries as places
from app.places.models import Premises, PremisesKind
from demo import cast
from demo.names import decision, key, seeded
from demo.season import STORY_HOUSEHOLDS
from demo.stage import Stage

FILL_JOB = "demo.fill_villages"
TOPICS = ("Đèn đường hỏng", "Đường vào thôn lầy", "Hỏi lịch tiêm phòng", "Nước sinh hoạt yếu", "Rác ở đầu thôn")
SESSIONS = (
    "Cài định danh điện tử",
    "Nộp hồ sơ trên cổng dịch vụ công",
    "Ghi nhật ký vườn trên điện thoại",
    "Thanh toán tiền điện không tiền mặt",
    "Tránh lừa đảo trên mạng",
)
ONCE = {"digital_group", "channel", "wifi"}
PROOF = "https://minh-chung.example/"


def _day(stage_today: date, ago: int) -> date:
    return stage_today - timedelta(days=ago)


# --- four villages by hand ---------------------------------------------------------------------------------------


def load_village_facts(stage: Stage) -> None:
    """Story: all but clauses 5 and 6. Passing: all. Failing: all but clause 5. Missing: only its digital group."""
    officers = {"story": "truong-thon", "passing": "truong-thon-2", "failing": "xa", "missing": "xa-2"}
    for village in cast.VILLAGES:
        recorder = _Recorder(stage, village.key, officers[village.key])
        recorder.group()
        if village is cast.MISSING:
            continue
        recorder.channel()
        recorder.wifi()
        recorder.addresses()
    _Recorder(stage, "story", "truong-thon").smart_agriculture()
    _Recorder(stage, "passing", "truong-thon-2").trade_model("Bán tinh dầu hồi có phần mềm kho và sổ quỹ", 14)
    _Recorder(stage, "failing", "xa").trade_model("Sổ bán hàng điện tử của tổ hợp tác", 6)


class _Recorder:
    """Records facts of one village in one person's name, each on the day it happened."""

    def __init__(self, stage: Stage, village: str, player: str) -> None:
        self.stage = stage
        self.village = village
        self.person_id = key("person", player)

    def picture(self, kind: str, seed: str) -> str:
        return self.stage.picture(kind, seed, self.person_id)

    def note(self, kind: str, name: str, ago: int, value: Shape, evidence: tuple[str, ...] = ()) -> None:
        day = _day(self.stage.today, ago)
        with self.stage.at(day, 20):
            village_facts.record_village_fact(
                self.stage.session,
                self.stage.act(self.person_id),
                self.stage.villages[self.village],
                NewVillageFact.model_validate(
                    {
                        "id": key("fact", self.village, kind, name),
                        "kind": kind,
                        "subject": _subject(self.stage.villages[self.village], kind, name),
                        "observed_on": day,
                        "evidence": evidence,
                    }
                ),
                value,
            )

    def group(self) -> None:
        number = 300 + sum(map(ord, self.village)) % 90
        self.note(
            "digital_group",
            "group",
            330,
            DigitalGroup(
                decision_number=decision(number, "UBND"),
                decided_on=_day(self.stage.today, 340),
                issuer="UBND xã (dữ liệu mẫu)",
                members=5,
            ),
            (self.picture("sheet", self.village),),
        )
        for index, ago in enumerate((8, 27, 55, 76)[: 0 if self.village == "missing" else 4]):
            value = GroupActivity(topic=SESSIONS[index], people=9 + index * 4)
            picture = self.picture("house", f"{self.village}{index}")
            self.note("group_activity", str(index), ago, value, (picture,))

    def channel(self) -> None:
        link = f"https://zalo.example/{self.village}"
        self.note("channel", "channel", 20, Channel(exists=True, platform="zalo", link=link, households=24), (link,))
        for index, (ago, days) in enumerate(((70, 2), (41, 1), (15, 3))):
            self.note(
                "feedback",
                str(index),
                ago - days,
                Feedback(
                    topic=TOPICS[index],
                    received_on=_day(self.stage.today, ago),
                    answered_on=_day(self.stage.today, ago - days),
                ),
                (self.picture("sheet", f"{self.village}{index}"),),
            )

    def wifi(self) -> None:
        picture = self.picture("house", self.village)
        self.note("wifi", "wifi", 35, Wifi(available=True, network="NhaVanHoa-MienPhi"), (picture,))

    def addresses(self) -> None:
        """Twenty-two households, an office and the culture house, each with a made-up Vpostcode that begins with noughts."""
        village_id = self.stage.villages[self.village]
        since = _day(self.stage.today, 380)
        listed = (self.picture("sheet", f"{self.village} Vpostcode"),)
        labels = [(PremisesKind.HOUSEHOLD, f"Hộ số {n:02d}") for n in range(1, 23)]
        labels += [(PremisesKind.OFFICE, "Điểm trường"), (PremisesKind.CULTURE_HOUSE, "Nhà văn hóa thôn")]
        with self.stage.at(since):
            self.stage.act(None)
            rows = [_premises(village_id, kind, label, since) for kind, label in labels]
            self.stage.session.execute(insert(Premises), rows)
        coded = [row for row in rows if row["kind"] != PremisesKind.CULTURE_HOUSE]
        town = sum(map(ord, self.village))
        facts = [
            _fact(
                village_id,
                "digital_address",
                str(index),
                _day(self.stage.today, 60),
                DigitalAddress(premises_id=row["id"], code=f"00{town:05d}{index:03d}"),
                self.person_id,
                "village",
                listed,
            )
            for index, row in enumerate(coded)
        ]
        self.stage.session.execute(insert(VillageFact), facts)

    def smart_agriculture(self) -> None:
        """Five households take part; the pack asks three steps of each in ninety days, and one of them lacks one."""
        households = tuple(key("organisation", h.key) for h in STORY_HOUSEHOLDS[:5])
        self.note(
            "model",
            "na",
            85,
            Model(
                field="smart_agriculture",
                title="Nhật ký vườn na trên điện thoại",
                participants=len(households),
                started_on=_day(self.stage.today, 290),
                tool="Hồi, điện thoại của hộ",
                household_ids=households,
            ),
            (self.picture("orchard", "model"),),
        )

    def trade_model(self, title: str, participants: int) -> None:
        self.note(
            "model",
            "trade",
            64,
            Model(
                field="production_business",
                title=title,
                participants=participants,
                started_on=_day(self.stage.today, 260),
                tool="Phần mềm bán hàng và kho",
            ),
            (self.picture("sheet", title),),
        )


def _premises(village_id: UUID, kind: PremisesKind, label: str, since: date) -> dict[str, Any]:
    return {
        "id": key("premises", village_id, label),
        "village_id": village_id,
        "kind": kind,
        "label": label,
        "valid_from": since,
        "valid_to": None,
        "recorded_at": clock.now(),
        "ended_at": None,
        "person_id": None,
    }


def _subject(village_id: UUID, kind: str, name: str) -> UUID:
    """As the pages name it, so that a correction there follows this row."""
    return village_facts.subject_of(village_id, kind, "" if kind in ONCE else name)


def _fact(
    village_id: UUID,
    kind: str,
    name: str,
    day: date,
    value: Shape,
    person_id: UUID,
    witness: str,
    evidence: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A row for the mass of facts, which go in many at once; the others go through the verb."""
    return {
        "id": key("fact", village_id, kind, name),
        "village_id": village_id,
        "kind": kind,
        "subject": value.premises_id if isinstance(value, DigitalAddress) else _subject(village_id, kind, name),
        "value": json.loads(canonical_json(value)),
        "observed_on": day,
        "recorded_at": clock.start_of_day(day) + timedelta(hours=16),
        "person_id": person_id,
        "witness": witness,
        "evidence": list(evidence),
        "note": "",
        "withdrawn": False,
        "supersedes_id": None,
    }


def load_history(stage: Stage, months: int = 5) -> None:
    """What the four villages' answers were at the end of each month, so that their page has a past to show."""
    stage.act(None)
    for ago in [30 * n for n in range(months, 0, -1)] + [0]:
        with stage.at(_day(stage.today, ago), 23):
            assessments.derive(stage.session, stage.act(None), [stage.villages[v.key] for v in cast.VILLAGES])


# --- the other villages, in the background -----------------------------------------------------------------------


def request_fill(stage: Stage) -> None:
    actor = stage.act(key("person", "tinh"))
    title = Words(vi="Điền dữ liệu mẫu cho 1.700 thôn", en="Fill 1,700 villages with sample data")
    jobs.start(stage.session, actor, FILL_JOB, title=title, params={}, job_id=key("job", FILL_JOB))


def fill_villages(session: Session, actor: Actor, _job: Job, report: Report) -> dict[str, Any]:
    """Give about half of the villages some facts, and have every village derived. Broken off, it begins anew: it is short."""
    today = clock.today()
    by_hand = {key("village", v.key) for v in cast.VILLAGES}
    everything = [v.id for v in places.all_villages(session, today)]
    recorder = session.scalar(select(PersonalData.person_id).where(PersonalData.person_id == key("person", "tinh")))
    facts: list[dict[str, Any]] = []
    premises: list[dict[str, Any]] = []
    if recorder is not None:
        for village_id in everything:
            if village_id not in by_hand:
                _invent(village_id, today, recorder, facts, premises)
        session.execute(insert(Premises), premises)
        session.execute(insert(VillageFact), facts)
    derivation.mark_all(session, actor)
    report(len(everything), len(everything))
    return {"villages": len(everything), "facts": len(facts)}


def _invent(
    village_id: UUID, today: date, recorder: UUID, facts: list[dict[str, Any]], premises: list[dict[str, Any]]
) -> None:
    """A sixth of the villages recorded everything, a third some things, the others nothing yet."""
    chance = seeded("fill", village_id)
    lot = chance.random()
    if lot > 0.5:  # noqa: PLR2004 - nothing recorded: most honest answer of a young system
        return
    whole = lot < 1 / 6
    lacks, kinds = _kinds(chance, whole=whole)

    def note(kind: str, name: str, ago: int, value: Shape, evidence: tuple[str, ...] = ()) -> None:
        day = today - timedelta(days=ago)
        facts.append(_fact(village_id, kind, name, day, value, recorder, "province", evidence))

    proof = (f"{PROOF}{village_id.hex[:10]}",)
    if "group" in kinds:
        _invent_group(chance, today, note, proof)
    if "channel" in kinds:
        note("channel", "channel", chance.randint(5, 120), Channel(exists=True, platform="zalo", households=20), proof)
    if "feedback" in kinds:
        _invent_feedback(chance, today, note, proof)
    if "wifi" in kinds or lacks == "wifi":
        note("wifi", "wifi", chance.randint(10, 300), Wifi(available="wifi" in kinds), proof)
    if "model" in kinds:
        _invent_model(chance, today, note, proof)
    if whole:
        _invent_addresses(chance, village_id, today, note, premises, proof, complete="addresses" in kinds)


def _kinds(chance: Random, *, whole: bool) -> tuple[str, set[str]]:
    """What a village lacks at most, and what it recorded."""
    lacks = chance.choice(("wifi", "feedback", "addresses", "model", "", "", "", "", ""))
    if whole:
        return lacks, {"group", "channel", "wifi", "feedback", "addresses", "model"} - {lacks}
    return lacks, set(chance.sample(("group", "channel", "wifi", "feedback", "model"), chance.randint(1, 3)))


def _invent_group(chance: Random, today: date, note: Any, proof: tuple[str, ...]) -> None:  # noqa: ANN401 - the inner function of _invent
    number = decision(chance.randint(400, 990), "UBND")
    decided = today - timedelta(days=300)
    group = DigitalGroup(decision_number=number, decided_on=decided, issuer="UBND xã (dữ liệu mẫu)", members=4)
    note("digital_group", "group", 290, group, proof)
    for index in range(chance.choice((2, 3, 4, 4))):
        session_held = GroupActivity(topic=SESSIONS[index], people=8 + index)
        note("group_activity", str(index), 5 + index * 19, session_held, proof)


def _invent_feedback(chance: Random, today: date, note: Any, proof: tuple[str, ...]) -> None:  # noqa: ANN401 - as above
    received = today - timedelta(days=chance.randint(20, 60))
    answered = received + timedelta(days=chance.choice((1, 2, 3, 4, 9)))
    value = Feedback(topic=chance.choice(TOPICS), received_on=received, answered_on=answered)
    note("feedback", "0", (today - answered).days, value, proof)


def _invent_model(chance: Random, today: date, note: Any, proof: tuple[str, ...]) -> None:  # noqa: ANN401 - as above
    field, title = chance.choice(
        (
            ("public_order", "Camera an ninh trục đường chính"),
            ("smart_lighting", "Đèn đường tự tắt bật theo giờ"),
            ("production_business", "Phần mềm bán hàng của cửa hàng thôn"),
        )
    )
    value = Model.model_validate(
        {
            "field": field,
            "title": title,
            "participants": chance.randint(3, 30),
            "started_on": today - timedelta(days=chance.randint(120, 300)),
            "tool": "Thiết bị mẫu",
        }
    )
    note("model", "model", chance.randint(10, 200), value, proof)


def _invent_addresses(
    chance: Random,
    village_id: UUID,
    today: date,
    note: Any,  # noqa: ANN401 - as above
    premises: list[dict[str, Any]],
    proof: tuple[str, ...],
    *,
    complete: bool,
) -> None:
    since = today - timedelta(days=300)
    count = chance.randint(8, 14)
    lacking = 0 if complete else chance.randint(1, 3)
    for index in range(count):
        label = "Điểm trường" if index == 0 else f"Hộ số {index:02d}"
        row = _premises(village_id, PremisesKind.OFFICE if index == 0 else PremisesKind.HOUSEHOLD, label, since)
        row["recorded_at"] = clock.start_of_day(since)
        premises.append(row)
        if index >= lacking:
            code = f"00{chance.randrange(100_000):05d}{index:03d}"
            note("digital_address", str(index), 45, DigitalAddress(premises_id=row["id"], code=code), proof)
