"""The letter of the smart village, over a village with everything in order."""

from collections.abc import Mapping
from datetime import date

from app.criteria.packs import shipped
from app.criteria.rules import Assessment, Fact, Item, ItemSet, evaluate
from app.db import Words
from tests.app.criteria.rules.small_pack import TODAY, fact

PRODUCT = {
    "hoi": Item("hoi", "product", "Hoa hồi Nà Mẫu", link="/ocop/hoi"),
    "thach": Item("thach", "product", "Thạch đen Nà Mẫu"),
    "mat": Item(
        "mat",
        "product",
        "Mật ong rừng Nà Mẫu",
        Words(
            vi="Đang bán ở trang riêng của hợp tác xã; trang riêng không phải là sàn.",
            en="On sale in the cooperative's own shop, which is not a marketplace.",
        ),
        "/ocop/mat",
    ),
}
LETTER = "lang-son-thon-thong-minh-2022"


def products(*ids: str) -> tuple[Item, ...]:
    return tuple(PRODUCT[one] for one in ids)


def village(**changes: Fact | None) -> dict[str, Fact]:
    """Nà Mẫu with everything in order; a change of None takes the fact away."""
    households = tuple(Item(f"ho-{n}", "household", f"Hộ {n}") for n in range(1, 6))
    premises = tuple(Item(f"nha-{n}", "premises", f"Nhà {n}") for n in range(1, 132))
    sheet: dict[str, Fact | None] = {
        "digital_group_established": fact(value=True),
        "digital_group_activities": fact(
            ItemSet(have=tuple(Item(f"buoi-{n}", "activity", f"Buổi {n}") for n in range(6)))
        ),
        "village_channel_in_use": fact(value=True, observed_on=date(2026, 11, 1)),
        "feedback_received": fact(14),
        "feedback_answered_in_time": fact(
            ItemSet(have=tuple(Item(f"pa-{n}", "feedback", f"PA {n}") for n in range(14)))
        ),
        "culture_house_free_wifi": fact(value=True, observed_on=date(2026, 6, 1)),
        "premises": fact(131),
        "premises_with_digital_address": fact(ItemSet(have=premises)),
        "ocop_products": fact(ItemSet(have=products("hoi", "thach", "mat"))),
        "ocop_products_live": fact(ItemSet(have=products("hoi", "thach", "mat"))),
        "models_smart_agriculture": fact(ItemSet(have=(Item("mh", "model", "Nhật ký điện tử Nà Mẫu"),))),
        "smart_agriculture_households": fact(ItemSet(have=households)),
    }
    sheet.update(changes)
    return {name: one for name, one in sheet.items() if one is not None}


def judged(facts: Mapping[str, Fact], as_of: date = TODAY, **choices: int | str) -> Assessment:
    return evaluate(shipped()[LETTER], facts, {}, as_of, choices)
