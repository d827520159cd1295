"""A season on the demo's sites: who holds which, what was done and written when, and the few stories within it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby
from uuid import UUID

from app import clock
from app.accounts import households, people
from app.accounts.models import AddressAs
from app.accounts.schemas import HouseholdIn, PersonIn
from app.actor import Right, Role
from app.trace import diary, sites
from app.trace.models import SiteKind, Witness
from app.trace.schemas import CareLogIn, NewCycle, NewSite
from demo import cast
from demo.goods import CROPS, LIGHTER, Crop, Work
from demo.names import key, person, seeded
from demo.stage import Stage


@dataclass(frozen=True, slots=True)
class Household:
    """A household of a company. `skips`: which steps of the season its people did not write down."""

    company: str
    number: int
    village: str
    village_name: str
    crops: tuple[str, ...]
    product: str | None
    recent: tuple[tuple[int, Work], ...] = ()
    skips: frozenset[int] = field(default_factory=frozenset)
    most: int = 99

    @property
    def key(self) -> str:
        return f"household-{self.company.removeprefix('coop-')}-{self.number}"

    @property
    def label(self) -> str:
        return f"Hộ số {self.number + 1:02d} {self.village_name}"


def _after_harvest(days: Sequence[int]) -> tuple[tuple[int, Work], ...]:
    """What is done on a na orchard in autumn, so many days before the day of loading."""
    works = (
        Work((9, 1), "fertilising", "Phân hữu cơ vi sinh", "4", "bag", photo=True),
        Work((9, 1), "weeding", None, "5", "hour"),
        Work((9, 1), "waste", "Túi bao quả cũ", "2", "bag", note="Gom về điểm thu gom của thôn."),
        Work((9, 1), "pruning", None, "60", "plant"),
    )
    return tuple(zip(days, works, strict=False))


_LATE = Work((10, 1), "harvesting", None, "150", "kg", photo=True, note="Na rải vụ.")

# Harvested before the days to wait were over: the rule of the diary puts the lot on hold.
_HASTY = (
    *_after_harvest((55,)),
    (26, Work((10, 1), "spraying", "Thuốc trừ rệp sáp (mẫu)", "3", "tank16", 21)),
    (11, Work((11, 1), "harvesting", None, "90", "kg", note="Na rải vụ.")),
)

# Story: five households are in the model, three steps each in ninety days are asked; household 0, bác Lành, has two.
STORY_HOUSEHOLDS = (
    Household("coop-story", 0, "story", "Nà Mẫu", ("na",), "na", _after_harvest((58, 24)), frozenset({4, 9, 10})),
    Household("coop-story", 1, "story", "Nà Mẫu", ("na",), "na", (*_after_harvest((70, 48, 30)), (2, _LATE))),
    Household("coop-story", 2, "story", "Nà Mẫu", ("na", "mat-ong"), "na", _after_harvest((66, 41, 33, 12))),
    Household("coop-story", 3, "story", "Nà Mẫu", ("na",), "na", _after_harvest((62, 45, 17)), frozenset({7})),
    Household("coop-story", 4, "story", "Nà Mẫu", ("na",), "na", _after_harvest((72, 50, 21, 6))),
    Household("coop-story", 5, "story", "Nà Mẫu", ("na",), "na", _after_harvest((60,)), frozenset({2, 3})),
    Household("coop-story", 6, "story", "Nà Mẫu", ("na",), "na", (), frozenset({5, 6, 7, 8})),
    Household("coop-story", 7, "failing", "Pò Pán", ("na",), "na", _HASTY),
)
_FOREST = (
    (46, Work((10, 1), "weeding", None, "8", "hour")),
    (19, Work((11, 1), "harvesting", None, "120", "kg", photo=True, note="Hồi tứ quý.")),
    (4, Work((11, 1), "observing", note="Thăm rừng, cây ra lộc đều.")),
)
PASSING_HOUSEHOLDS = tuple(
    Household(
        "coop-passing", n, "passing", "Bản Luông", ("hoi",), "hoi-kho", _FOREST[: 3 - n % 3], frozenset({n % 7} - {4})
    )
    for n in range(9)
)
FAILING_HOUSEHOLDS = (
    Household("coop-failing", 0, "failing", "Pò Pán", ("thach-den",), "thach-den"),
    Household("coop-failing", 1, "failing", "Pò Pán", ("thach-den",), "thach-den", skips=frozenset({2})),
    Household("coop-failing", 2, "failing", "Pò Pán", ("mat-ong",), "mat-po-pan"),
)
LIGHT_HOUSEHOLDS = tuple(
    Household(one.company.key, 0, f"first-{one.company.key}", "mẫu", (one.crop.key,), one.good.key, most=one.works)
    for one in LIGHTER
    if one.crop is not None
)
HOUSEHOLDS = STORY_HOUSEHOLDS + PASSING_HOUSEHOLDS + FAILING_HOUSEHOLDS + LIGHT_HOUSEHOLDS


def manager_of(company: str) -> UUID:
    """The person who manages a company: a player, or for the lighter ones somebody without a part."""
    player = next((p for p in cast.PLAYERS if p.at == company and p.role == Role.COOPERATIVE_MANAGER), None)
    return key("person", player.key if player else f"manager-{company}")


def farmer_of(home: Household) -> UUID:
    player = next((p for p in cast.PLAYERS if p.at == home.key), None)
    return key("person", player.key if player else home.key)


def load_households(stage: Stage) -> None:
    """Every household joins its company and has one person who farms; players among them have a phone of their own."""
    for company, homes in groupby(HOUSEHOLDS, lambda h: h.company):
        manager, cooperative = manager_of(company), key("organisation", company)
        for home in homes:
            actor = stage.act(manager, anew=True)
            if actor.may(Right.KEEP_DIARY, key("organisation", home.key)):
                continue
            households.add_household(
                stage.session,
                actor,
                cooperative,
                HouseholdIn(
                    id=key("organisation", home.key),
                    name=home.label,
                    village_id=stage.villages[home.village],
                ),
            )
            people.add_person(
                stage.session, stage.act(manager, anew=True), key("organisation", home.key), _farmer(stage, home)
            )


def _farmer(stage: Stage, home: Household) -> PersonIn:
    player = next((p for p in cast.PLAYERS if p.at == home.key), None)
    if player is not None:
        return stage.person_in(player)
    woman = seeded("woman", home.key).random() < 0.5  # noqa: PLR2004 - as in life
    return PersonIn(
        id=farmer_of(home),
        full_name=person(seeded("who", home.key).randrange(10_000), woman=woman),
        address_as=AddressAs.CHI if woman else AddressAs.ANH,
        role=Role.FARMER,
    )


# --- sites and diary ---------------------------------------------------------------------------------------------


def load_diaries(stage: Stage) -> None:
    for home in HOUSEHOLDS:
        for crop_key in home.crops:
            _load_site(stage, home, CROPS[crop_key], is_main=crop_key == home.crops[0])


def season_year(stage: Stage, crop: Crop) -> int:
    """The year of the last season that has ended."""
    month, day = crop.works[-1].on
    return stage.today.year if stage.today > date(stage.today.year, month, day) else stage.today.year - 1


def work_id(home: Household, crop: str, index: int) -> UUID:
    """`index` counts the season's steps, then those of autumn."""
    return key("log", home.key, crop, index)


def steps_of(stage: Stage, home: Household, crop: Crop, *, is_main: bool) -> Iterator[tuple[int, date, Work]]:
    """What this household wrote down of the season, oldest first."""
    year = season_year(stage, crop)
    shift = seeded("shift", home.key).randint(-4, 4)
    for index, work in enumerate(crop.works[: home.most]):
        if index not in home.skips:
            yield index, date(year, *work.on) + timedelta(days=shift), work
    for index, (ago, work) in enumerate(home.recent if is_main else ()):
        yield len(crop.works) + index, stage.today - timedelta(days=ago), work


def _load_site(stage: Stage, home: Household, crop: Crop, *, is_main: bool) -> None:
    site_id, cycle_id = key("site", home.key, crop.key), key("cycle", home.key, crop.key)
    farmer, manager = farmer_of(home), manager_of(home.company)
    written = list(steps_of(stage, home, crop, is_main=is_main))
    picture = stage.picture(crop.picture, home.key, farmer)
    with stage.at(written[0][1] - timedelta(days=3)):
        actor = stage.act(farmer)
        sites.create_site(
            stage.session,
            actor,
            NewSite(
                id=site_id,
                organisation_id=key("organisation", home.key),
                name=f"{crop.site_word} {'' if is_main else 'sau '}nhà",
                kind=SiteKind(crop.site_kind),
                village_id=stage.villages[home.village],
                area=crop.area[0] if crop.area else None,
                area_unit=crop.area[1] if crop.area else None,
                photo_sha256=picture,
            ),
        )
        sites.start_cycle(
            stage.session,
            actor,
            NewCycle(
                id=cycle_id,
                site_id=site_id,
                product_id=key("product", home.product) if home.product and is_main else None,
                crop_vi=crop.vi,
                crop_en=crop.en,
                started_on=written[0][1] - timedelta(days=3),
            ),
        )
    for (_year, _month), steps in groupby(written, lambda s: (s[1].year, s[1].month)):
        month = list(steps)
        helped = seeded("helped", home.key, month[0][1].month).random()
        # Bác Lành has no phone yet: the cooperative writes what she tells. Others write themselves four times out of five.
        by_cooperative = home is STORY_HOUSEHOLDS[0] or helped < 0.2  # noqa: PLR2004 - one of five
        logs = [
            CareLogIn(
                id=work_id(home, crop.key, index),
                site_id=site_id,
                cycle_id=cycle_id,
                kind=work.kind,
                happened_at=happened(day, home, index),
                performed_by=farmer,
                witness=Witness.COOPERATIVE if by_cooperative else Witness.FARMER,
                material=work.material,
                quantity=work.amount(),
                unit=work.unit,
                pre_harvest_days=work.waits,
                note=work.note,
                photos=(picture,) if work.photo else (),
            )
            for index, day, work in month
        ]
        with stage.at(month[-1][1], 19):
            stage.recorded(
                diary.record_care_logs(stage.session, stage.act(manager if by_cooperative else farmer), logs)
            )


def happened(day: date, home: Household, index: int) -> datetime:
    chance = seeded("hour", home.key, index)
    return datetime.combine(day, time(chance.randint(6, 16), chance.choice((0, 15, 30, 45))), clock.VIETNAM)
