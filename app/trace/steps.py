"""The closed list of steps that a diary knows: words, picture, what each asks for, and in which units."""

from dataclasses import dataclass
from types import MappingProxyType

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
    vi: str
    en: str
    units: tuple[str, ...] = ()
    material: bool = False
    waits: bool = False
    harvest: bool = False

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.vi


STEPS = MappingProxyType(
    {
        s.kind: s
        for s in (
            Step("sowing", "seed", "Gieo hạt", "Sowing", ("kg", "g"), material=True),
            Step("planting", "sprout", "Trồng cây", "Planting", ("plant",), material=True),
            Step("fertilising", "fertiliser", "Bón phân", "Fertilising", ("bag", "kg", "basket", "l"), material=True),
            Step("spraying", "spray", "Phun thuốc", "Spraying", ("tank16", "l", "ml", "g"), material=True, waits=True),
            Step("irrigating", "water", "Tưới nước", "Irrigating", ("hour", "m3", "l")),
            Step("weeding", "weed", "Làm cỏ", "Weeding", ("hour",)),
            Step("pruning", "prune", "Cắt tỉa", "Pruning", ("plant", "hour")),
            Step("feeding", "feed", "Cho ăn", "Feeding", ("kg", "bag"), material=True, waits=True),
            Step("vaccinating", "vaccine", "Tiêm phòng", "Vaccinating", ("animal", "ml"), material=True, waits=True),
            Step("treating", "vaccine", "Chữa bệnh", "Treating", ("animal", "ml", "g"), material=True, waits=True),
            Step("cleaning", "water", "Vệ sinh, sát trùng", "Cleaning", ("l", "hour"), material=True),
            Step(
                "harvesting",
                "harvest",
                "Thu hoạch",
                "Harvesting",
                ("kg", "basket", "bag", "tan", "animal"),
                harvest=True,
            ),
            Step("honey_extracting", "harvest", "Quay mật", "Honey extracting", ("l", "kg"), harvest=True),
            Step("primary_processing", "refresh", "Sơ chế", "Primary processing", ("kg", "tan", "l")),
            Step("packing", "box", "Đóng gói", "Packing", ("box", "bottle", "bag", "piece", "kg"), material=True),
            Step("storing", "archive", "Cất kho", "Storing", ("kg", "tan", "box", "bottle", "bag", "l")),
            Step("waste", "archive", "Thu gom rác, vỏ thuốc", "Waste", ("kg", "bag", "piece"), material=True),
            Step("observing", "eye", "Thăm vườn", "Observing"),
            Step("training", "book", "Tập huấn", "Training", ("hour",)),
            Step("other", "edit", "Việc khác", "Other", ("kg", "l", "hour", "piece"), material=True),
        )
    }
)
KINDS = tuple(STEPS)
HARVESTS = tuple(s.kind for s in STEPS.values() if s.harvest)
# Always with a medicine, so days to wait that are not written are unknown; common feed has none to write.
TREATMENTS = tuple(s.kind for s in STEPS.values() if s.waits and s.kind != "feeding")
UNITS = tuple(dict.fromkeys(u for s in STEPS.values() for u in s.units))
