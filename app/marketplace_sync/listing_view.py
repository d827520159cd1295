"""A listing as its page shows it: how it stands, what can be done with it, and what its seller must know."""

from dataclasses import dataclass

from app.db import Words
from app.marketplace_sync.models import TROUBLED, ChannelAccount, Listing
from app.messages import N_, Said

REFUSED_THERE = frozenset({"rejected", "blocked"})


@dataclass(frozen=True, slots=True)
class Button:
    """`what` is the verb's name in its address."""

    what: str
    text: Said
    icon: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A box above the evidence; its tone is a colour of `flash_box`."""

    text: Said
    title: Said | None = None
    tone: str = "wait"


@dataclass(frozen=True, slots=True)
class ListingView:
    """`state` is what its chip says. `to_mend`: sent again it would be refused again, so the product is to be changed first."""

    state: str
    sold_out: bool
    to_mend: bool
    buttons: list[Button]
    notices: list[Notice]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a listing besides its row. `refused`: the page says already why a verb was refused."""

    account: ChannelAccount
    busy: bool
    sold_out: bool
    counted: bool
    obstacle: Words | None
    may_edit: bool
    refused: bool


def listing_view(row: Listing, known: Standing) -> ListingView:
    on_its_way = known.busy and row.wanted == "live" and row.state in {"draft", "unlisted"}
    to_mend = known.may_edit and _refused(row) and row.error is not None and row.error_code != "taken_off_there"
    return ListingView(
        state="submitting" if on_its_way else row.state,
        sold_out=known.sold_out,
        to_mend=to_mend,
        buttons=_buttons(row, known, to_mend=to_mend),
        notices=_notices(row, known),
    )


def _refused(row: Listing) -> bool:
    return row.wanted == "live" and row.state in REFUSED_THERE


def _buttons(row: Listing, known: Standing, *, to_mend: bool) -> list[Button]:
    wanted = row.wanted == "live"
    offered = (
        (
            wanted and row.state in TROUBLED and known.obstacle is None,
            Button("send", N_("Gửi lại"), "refresh", "" if to_mend else "main"),
        ),
        (not wanted and known.obstacle is None, Button("send", N_("Bán lại"), "upload", "main")),
        (row.remote_id is not None, Button("look", N_("Xem lại ngay"), "eye")),
        (wanted or row.state == "live", Button("unlist", N_("Ngưng bán"), "pause", "quiet")),
    )
    return [button for holds, button in offered if holds]


def _notices(row: Listing, known: Standing) -> list[Notice]:
    told: list[Notice] = []
    if known.obstacle is not None and not known.refused and not row.recall_paused:
        again = N_("Chưa bán lại được") if row.wanted == "unlisted" else N_("Chưa gửi lại được")
        told.append(Notice(known.obstacle, again))
    if known.busy:
        told.append(Notice(N_("Máy chủ đang nói chuyện với sàn. Trang tự tải lại.")))
    if known.sold_out:
        text = N_(
            "Khách mở được trang này mà không mua được. Hãy ghi đóng gói thêm vào sổ kho thì máy chủ gửi số mới lên; hết mùa thì bấm Ngưng bán."
        )
        told.append(Notice(text, N_("Sàn báo đã hết hàng")))
    if row.recall_paused:
        text = N_(
            "Lô hàng đang thu hồi và không còn gói nào bán được. Hết thu hồi, hoặc có gói bán được, thì máy chủ tự đăng bán lại."
        )
        told.append(Notice(text, N_("Tạm ngưng vì thu hồi")))
    if row.note:
        told.append(Notice(row.note, N_("Hãy xem lại")))
    if row.error and row.state != "live":
        told.append(Notice(row.error, N_("Vì sao"), "unmet"))
    if not known.counted:
        told.append(Notice(_why_not_counted(known.account), N_("Không được tính"), "na"))
    return told


def _why_not_counted(account: ChannelAccount) -> Said:
    if account.legal_kind == "advertising":
        return N_("Trang quảng cáo không phải là sàn nên không được tính cho tiêu chí của thôn.")
    if account.floor_id is None:
        return N_("Trang riêng không phải là sàn nên không được tính cho tiêu chí của thôn.")
    return N_("Sàn này chưa có trong danh sách được tính của tỉnh.")
