"""The closed list of steps that a diary knows: words, picture, what each asks for, and in which units."""

from dataclasses import dataclass
from types import MappingProxyType

from app.messages import N_, Sentence

# Factor to the first unit of its dimension; units without one (bao, gùi, bình, con, cây) are containers or counts of their own.
_FACTORS = {"g": ("kg", "0.001"), "kg": ("kg", "1"), "tan": ("kg", "1000")} | {
    "ml": ("l", "0.001"),
    "l": ("l", "1"),
    "m3": ("l", "1000"),
}
FACTORS = MappingProxyType(_FACTORS)


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of step. Empty `units`: no quantity is asked. `material`: the page asks what was used.

    `waits`: the step may carry days to wait before harvest (thời gian cách ly, thời gian ngừng thuốc).
    """

    kind: str
    icon: str
    name: Sentence
    units: tuple[str, ...] = ()
    material: bool = False
    waits: bool = False
    harvest: bool = False

    def text(self, language: str) -> str:
        return self.name.text(language)


STEPS = MappingProxyType(
    {
        s.kind: s
        for s in (
            Step("sowing", "seed", N_("Gieo hạt"), ("kg", "g"), material=True),
            Step("planting", "sprout", N_("Trồng cây"), ("plant",), material=True),
            Step("fertilising", "fertiliser", N_("Bón phân"), ("bag", "kg", "basket", "l"), material=True),
            Step("spraying", "spray", N_("Phun thuốc"), ("tank16", "l", "ml", "g"), material=True, waits=True),
            Step("irrigating", "water", N_("Tưới nước"), ("hour", "m3", "l")),
            Step("weeding", "weed", N_("Làm cỏ"), ("hour",)),
            Step("pruning", "prune", N_("Cắt tỉa"), ("plant", "hour")),
            Step("feeding", "feed", N_("Cho ăn"), ("kg", "bag"), material=True, waits=True),
            Step("vaccinating", "vaccine", N_("Tiêm phòng"), ("animal", "ml"), material=True, waits=True),
            Step("treating", "vaccine", N_("Chữa bệnh"), ("animal", "ml", "g"), material=True, waits=True),
            Step("cleaning", "water", N_("Vệ sinh, sát trùng"), ("l", "hour"), material=True),
            Step("harvesting", "harvest", N_("Thu hoạch"), ("kg", "basket", "bag", "tan", "animal"), harvest=True),
            Step("honey_extracting", "harvest", N_("Quay mật"), ("l", "kg"), harvest=True),
            Step("primary_processing", "refresh", N_("Sơ chế"), ("kg", "tan", "l")),
            Step("packing", "box", N_("Đóng gói"), ("box", "bottle", "bag", "piece", "kg"), material=True),
            Step("storing", "archive", N_("Cất kho"), ("kg", "tan", "box", "bottle", "bag", "l")),
            Step("waste", "archive", N_("Thu gom rác, vỏ thuốc"), ("kg", "bag", "piece"), material=True),
            Step("observing", "eye", N_("Thăm vườn")),
            Step("training", "book", N_("Tập huấn"), ("hour",)),
            Step("other", "edit", N_("Việc khác"), ("kg", "l", "hour", "piece"), material=True),
        )
    }
)
KINDS = tuple(STEPS)
HARVESTS = tuple(s.kind for s in STEPS.values() if s.harvest)
# Always with a medicine, so days to wait that are not written are unknown; common feed has none to write.
TREATMENTS = tuple(s.kind for s in STEPS.values() if s.waits and s.kind != "feeding")
UNITS = tuple(dict.fromkeys(u for s in STEPS.values() for u in s.units))
