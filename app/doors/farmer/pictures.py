"""Pictures of the phone: tiles for a place of work, amounts by container, materials nobody has named yet."""

from collections.abc import Sequence
from decimal import Decimal
from types import MappingProxyType

from app.db import sort_key
from app.trace.models import SiteKind
from app.trace.steps import STEPS, Step

# A helper on the phone says "bấm ô đỏ": one colour means one kind of work everywhere.
HUES = MappingProxyType(
    {
        "sowing": "teal",
        "planting": "teal",
        "fertilising": "earth",
        "spraying": "red",
        "irrigating": "blue",
        "weeding": "green",
        "pruning": "rose",
        "feeding": "earth",
        "vaccinating": "violet",
        "treating": "red",
        "cleaning": "blue",
        "harvesting": "gold",
        "honey_extracting": "gold",
        "primary_processing": "green",
        "packing": "teal",
        "storing": "earth",
        "waste": "rose",
        "observing": "violet",
        "training": "blue",
        "other": "violet",
    }
)

_FIELD = ("fertilising", "spraying", "irrigating", "weeding", "pruning", "harvesting", "observing")
_TILES = {
    SiteKind.PLOT: ("sowing", "fertilising", "spraying", "irrigating", "weeding", "harvesting", "observing"),
    SiteKind.ORCHARD: _FIELD,
    SiteKind.FOREST: ("planting", "fertilising", "spraying", "weeding", "pruning", "harvesting", "observing"),
    SiteKind.POND: ("feeding", "treating", "cleaning", "harvesting", "observing"),
    SiteKind.BARN: ("feeding", "vaccinating", "treating", "cleaning", "harvesting", "waste", "observing"),
    SiteKind.APIARY: ("feeding", "treating", "cleaning", "honey_extracting", "observing"),
    SiteKind.WORKSHOP: ("primary_processing", "packing", "storing", "cleaning", "waste"),
}

SITE_ICONS = MappingProxyType(
    {
        SiteKind.PLOT: "sprout",
        SiteKind.ORCHARD: "leaf",
        SiteKind.FOREST: "anise",
        SiteKind.POND: "fish",
        SiteKind.BARN: "cow",
        SiteKind.APIARY: "box",
        SiteKind.WORKSHOP: "store",
    }
)

UNIT_ICONS = MappingProxyType(
    {
        "kg": "scale",
        "g": "scale",
        "tan": "truck",
        "l": "water",
        "ml": "vaccine",
        "m3": "water",
        "piece": "box",
        "plant": "sprout",
        "animal": "cow",
        "bag": "fertiliser",
        "basket": "harvest",
        "tank16": "spray",
        "box": "box",
        "bottle": "box",
        "hour": "clock",
    }
)

_AMOUNTS = {
    "kg": (5, 10, 20, 50),
    "g": (50, 100, 200, 500),
    "ml": (20, 50, 100, 200),
    "l": (1, 5, 10, 20),
    "m3": (1, 2, 5, 10),
    "plant": (10, 20, 50, 100),
    "animal": (1, 5, 10, 20),
    "box": (10, 20, 50, 100),
    "bottle": (10, 20, 50, 100),
    "piece": (5, 10, 20, 50),
}
_HARVEST_KG = (20, 50, 100, 200)
_FEW = (1, 2, 3, 4)

# Offered until the household has named its own. No brand: the label on the bag says it, and a photo keeps it.
_MATERIALS = {
    "fertilising": ("Phân chuồng ủ", "Phân NPK", "Phân hữu cơ", "Phân lân"),
    "spraying": ("Thuốc sinh học", "Thuốc trừ sâu", "Thuốc trừ bệnh"),
    "feeding": ("Cám", "Ngô", "Rau, cỏ"),
    "sowing": ("Hạt giống nhà", "Hạt giống mua"),
    "planting": ("Cây giống nhà", "Cây giống mua"),
    "cleaning": ("Vôi bột", "Nước sạch"),
    "waste": ("Vỏ thuốc", "Bao bì"),
    "packing": ("Hộp", "Túi", "Chai"),
}


def tiles(site_kind: str | None) -> tuple[Step, ...]:
    """The everyday steps of such a place, at most seven; the eighth tile leads to all others."""
    kinds = _TILES[SiteKind(site_kind)] if site_kind else _FIELD
    return tuple(STEPS[kind] for kind in kinds)


def plain(number: Decimal) -> Decimal:
    """2.000 is 2 and 20 stays 20: one spelling, for addresses of choices and for people."""
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()


def amounts(step: Step, unit: str, before: Decimal | None = None) -> tuple[Decimal, ...]:
    """Four numbers to tap for this container; the one used last time is always among them."""
    usual = _HARVEST_KG if step.harvest and unit == "kg" else _AMOUNTS.get(unit, _FEW)
    found = [Decimal(n) for n in usual]
    if before is not None and before > 0 and before not in found:
        nearest = min(range(len(found)), key=lambda i: abs(found[i] - before))
        found[nearest] = plain(before)
    return tuple(sorted(found))


def materials(step: Step, used: Sequence[str], most: int = 4) -> list[str]:
    """What the household used before, in an order that no new step changes; usual words only where it has named fewer
    than two.
    """
    usual = _MATERIALS.get(step.kind, ()) if len(used) < 2 else ()  # noqa: PLR2004 - one choice is no choice
    return list(dict.fromkeys([*sorted(used, key=lambda name: (sort_key(name), name)), *usual]))[:most]
