"""A listing's page, decided without a page: its buttons, the boxes above the evidence, and what its chip says."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.db import Words
from app.marketplace_sync.listing_view import ListingView, Standing, listing_view
from app.marketplace_sync.models import ChannelAccount, Listing
from app.settings import ROOT

WHY = Words(vi="Ảnh quá nhỏ.")
OBSTACLE = Words(vi="Kho đã hết.")


def view(
    *, legal_kind: str = "marketplace", floor: bool = True, known: dict[str, Any] | None = None, **row: Any
) -> ListingView:
    account = SimpleNamespace(legal_kind=legal_kind, floor_id=1 if floor else None)
    usual = {
        "wanted": "live", "state": "live", "error": None, "error_code": None, "remote_id": "7", "recall_paused": False,
        "note": None,
    }  # fmt: skip
    standing = {
        "busy": False, "sold_out": False, "counted": True, "obstacle": None, "may_edit": True, "refused": False,
    } | (known or {})  # fmt: skip
    return listing_view(
        cast("Listing", SimpleNamespace(**usual | row)), Standing(account=cast("ChannelAccount", account), **standing)
    )


def buttons(shown: ListingView) -> list[tuple[str, str]]:
    return [(b.what, b.look) for b in shown.buttons]


def told(shown: ListingView) -> list[str]:
    return [(n.title or n.text).text("vi") for n in shown.notices]


def test_what_is_refused_there_is_mended_before_it_is_sent_again() -> None:
    refused = view(state="rejected", error=WHY, error_code="picture")
    assert (refused.to_mend, buttons(refused)) == (True, [("send", ""), ("look", ""), ("unlist", "quiet")])
    assert told(refused) == ["Vì sao"]
    by_hand = view(state="blocked", error=WHY, error_code="taken_off_there")
    assert (by_hand.to_mend, buttons(by_hand)[0]) == (False, ("send", "main"))
    stranger = view(state="rejected", error=WHY, error_code="picture", known={"may_edit": False})
    assert (stranger.to_mend, buttons(stranger)[0]) == (False, ("send", "main"))


@pytest.mark.parametrize(
    ("row", "known", "shown"),
    [
        ({}, {}, [("look", ""), ("unlist", "quiet")]),
        ({"state": "draft", "remote_id": None}, {}, [("unlist", "quiet")]),
        ({"wanted": "unlisted", "state": "unlisted", "remote_id": None}, {}, [("send", "main")]),
        ({"wanted": "unlisted", "state": "unlisted", "remote_id": None}, {"obstacle": OBSTACLE}, []),
        ({"wanted": "unlisted", "state": "live"}, {}, [("send", "main"), ("look", ""), ("unlist", "quiet")]),
        ({"state": "gone"}, {"obstacle": OBSTACLE}, [("look", ""), ("unlist", "quiet")]),
    ],
)
def test_buttons_are_those_that_lead_somewhere(row: Any, known: Any, shown: list[tuple[str, str]]) -> None:
    found = view(known=known, **row)
    assert buttons(found) == shown
    drawn = (ROOT / "app" / "static" / "icons.svg").read_text("utf-8")
    assert [b.icon for b in found.buttons if f'id="{b.icon}"' not in drawn] == []


@pytest.mark.parametrize(
    ("row", "known", "said"),
    [
        ({"state": "gone"}, {"obstacle": OBSTACLE}, ["Chưa gửi lại được"]),
        ({"wanted": "unlisted", "state": "unlisted"}, {"obstacle": OBSTACLE}, ["Chưa bán lại được"]),
        ({"state": "gone"}, {"obstacle": OBSTACLE, "refused": True}, []),
        ({"state": "gone", "recall_paused": True}, {"obstacle": OBSTACLE}, ["Tạm ngưng vì thu hồi"]),
        ({}, {"busy": True}, ["Máy chủ đang nói chuyện với sàn. Trang tự tải lại."]),
        ({"note": WHY, "error": WHY}, {"sold_out": True}, ["Sàn báo đã hết hàng", "Hãy xem lại"]),
        ({}, {"counted": False}, ["Không được tính"]),
    ],
)
def test_boxes_say_what_the_seller_must_know(row: Any, known: Any, said: list[str]) -> None:
    assert told(view(known=known, **row)) == said


@pytest.mark.parametrize(
    ("account", "why"),
    [
        ({"legal_kind": "advertising", "floor": False}, "Trang quảng cáo"),
        ({"legal_kind": "own_site", "floor": False}, "Trang riêng"),
        ({}, "Sàn này chưa có trong danh sách"),
    ],
)
def test_why_a_place_does_not_count_is_told_by_its_kind(account: Any, why: str) -> None:
    assert view(known={"counted": False}, **account).notices[0].text.text("vi").startswith(why)


@pytest.mark.parametrize(
    ("state", "busy", "chip"),
    [
        ("draft", True, "submitting"),
        ("unlisted", True, "submitting"),
        ("draft", False, "draft"),
        ("live", True, "live"),
    ],
)
def test_what_is_on_its_way_is_called_so(state: str, chip: str, *, busy: bool) -> None:
    assert view(state=state, known={"busy": busy}).state == chip
