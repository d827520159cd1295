"""The page behind a code in a buyer's words: the answer first, then each step and each paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask_babel import gettext as _
from flask_babel import pgettext

from app.db import Words
from app.doors.consumer.queries import BatchPage, Gap, Line, ShownCertificate
from app.products.models import Scheme
from app.products.schemas import SCHEMES
from app.trace import codes
from app.trace.models import CodeKind, Witness
from app.web import counting, number, quantity, vn_date, words

CERTIFICATES_ABOVE = 2  # in force, before everything else; the others stand below the way
Fact = tuple[str, ...]  # what it is, how it stands, and what is small behind it


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. `kind` is its colour and sign; `in_vietnamese`: a reason that its writer gave in no other language."""

    kind: str
    say: str
    detail: str
    in_vietnamese: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A certificate: its name, who gave it until when, and whether it is in force."""

    name: str
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way and who vouches for it; or, of the kind `gap`, days on which nobody wrote anything down."""

    when: str
    what: str
    by: Sequence[str] = ()
    note: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class BatchView:
    """Everything that the page says of a lot. `stopped`: not to be used, so no shop is named; `since`: from which day."""

    batch: BatchPage
    title: str
    about: str
    verdict: Verdict
    stopped: bool
    since: str
    facts: list[Fact]
    in_force: list[Paper]
    other_papers: list[Paper]
    why_no_paper: str
    way: list[Step]
    way_told: str
    why_no_shop: str
    ten_items: list[Fact]
    ten_told: str


def batch_view(batch: BatchPage, language: str) -> BatchView:
    title, days = title_of(batch.product, batch.variant), _days(batch.harvest_days)
    place = "; ".join(batch.villages) or batch.producer_address
    above = batch.valid_certificates[:CERTIFICATES_ABOVE]
    items, lacking = _ten_items(batch, days)
    stopped = batch.state in {"recalled", "held"}
    return BatchView(
        batch=batch,
        title=title,
        about=_("%(product)s, %(producer)s, thu hoạch %(day)s", product=title, producer=batch.producer, day=days),
        verdict=_verdict(batch, language),
        stopped=stopped,
        since=_since(batch) if stopped and batch.state_day else "",
        facts=_facts(batch, place, days),
        in_force=[_paper(c) for c in above],
        other_papers=[_paper(c) for c in batch.certificates if c not in above],
        why_no_paper=_("Giấy đã hết hạn hay bị thu hồi ghi ở mục Giấy chứng nhận bên dưới.")
        if batch.certificates
        else _("Chúng tôi không biết giấy nào còn hiệu lực đến hôm nay."),
        way=[_gap(w) if isinstance(w, Gap) else _step(w) for w in batch.way],
        way_told=_way_told(batch),
        why_no_shop=_(
            "Chúng tôi chưa thấy sản phẩm này đang bán trên mạng. Hãy hỏi nơi sản xuất: %(producer)s, %(address)s.",
            producer=batch.producer,
            address=batch.producer_address or place,
        ),
        ten_items=items,
        ten_told=_("Mười mục theo Thông tư 02/2024/TT-BKHCN; còn thiếu %(n)s mục", n=lacking)
        if lacking
        else _("Đủ mười mục theo Thông tư 02/2024/TT-BKHCN"),
    )


def title_of(product: Words, variant: Words | None) -> str:
    """A pack by its product's name and its own, once where its own says both."""
    name, pack = words(product), words(variant)
    return pack if name in pack else ", ".join(filter(None, (name, pack)))


def code_text(code: str) -> str:
    return code if "/" in code else codes.grouped(code)


def _verdict(batch: BatchPage, language: str) -> Verdict:
    if batch.state == "recalled":
        return _stopped(batch, language, "recalled", _("Lô này đang thu hồi, đừng dùng"), _("Hãy mang lại nơi mua."))
    if batch.state == "held":
        return _stopped(
            batch, language, "again", _("Lô này đang tạm giữ, chưa nên dùng"), _("Hợp tác xã đang kiểm tra lại.")
        )
    if batch.expired:
        day = vn_date(batch.expires_on)
        return Verdict("again", _("Mã thật, nhưng lô này đã quá hạn"), _("Hạn dùng đến %(day)s", day=day))
    if batch.kind == CodeKind.GS1:
        return Verdict("", _("Lô này có trong sổ"), _("Mã lô chứng tỏ có lô này, không chứng tỏ riêng từng hộp."))
    return Verdict("", _("Mã thật của lô này"), _("Hãy so số lô %(lot)s với số in trên hộp.", lot=batch.lot))


def _stopped(batch: BatchPage, language: str, kind: str, say: str, otherwise: str) -> Verdict:
    reason = batch.state_reason
    if reason is None:
        return Verdict(kind, say, otherwise)
    if reason.speaks(language):
        return Verdict(kind, say, words(reason))
    return Verdict(kind, say, _("Lý do nơi sản xuất nêu, bằng tiếng Việt:"), reason.vi)


def _since(batch: BatchPage) -> str:
    day = vn_date(batch.state_day)
    return str(_("thu hồi từ %(day)s", day=day) if batch.state == "recalled" else _("tạm giữ từ %(day)s", day=day))


def _facts(batch: BatchPage, place: str, days: str) -> list[Fact]:
    growers = _("cùng %(names)s", names=", ".join(batch.growers)) if batch.growers else ""
    facts: list[Fact] = [
        (_("Người làm"), batch.producer, growers),
        (pgettext("trang quét", "Nơi sản xuất"), place or _("Chưa ai ghi")),
        (_("Thu hoạch"), days),
    ]
    if batch.expires_on:
        facts.append((pgettext("ngày", "Hạn dùng"), vn_date(batch.expires_on)))
    return facts


def _days(days: Sequence[date]) -> str:
    first, last = vn_date(days[0]), vn_date(days[-1])
    if len(days) == 1:
        return first
    return str(_("%(a)s và %(b)s", a=first, b=last) if len(days) == 2 else _("từ %(a)s đến %(b)s", a=first, b=last))  # noqa: PLR2004 - two days are both named


def _paper(c: ShownCertificate) -> Paper:
    text = _("%(issuer)s cấp, số %(number)s", issuer=c.issuer, number=c.number)
    if c.state == "revoked":
        text += ", " + _("đã bị thu hồi")
    elif c.valid_to:
        day = vn_date(c.valid_to)
        text += ", " + (_("đến %(day)s", day=day) if c.state == "valid" else _("hết hạn %(day)s", day=day))
    return Paper(_certificate(c), text, c.state)


def _certificate(c: ShownCertificate) -> str:
    stars = counting("%(n)s sao", n=c.stars) if c.stars else ""
    return " ".join(filter(None, (words(SCHEMES[Scheme(c.scheme)]), stars)))


def _way_told(batch: BatchPage) -> str:
    """What the way says in all; or why there is none."""
    if batch.lines:
        told = counting(
            "%(n)s bước được ghi; %(m)s bước có người ngoài hộ xác nhận.", n=len(batch.lines), m=number(batch.confirmed)
        )
        if batch.written_for_another:
            told += " " + _("%(n)s bước ghi thay người làm.", n=batch.written_for_another)
        return told + (" " + counting("%(n)s quãng không ai ghi.", n=len(batch.gaps)) if batch.gaps else "")
    if batch.records_ended_on:
        day = vn_date(batch.records_ended_on)
        return str(_("Lô này đã quá hạn lưu hồ sơ; các bước được xóa ngày %(day)s theo quyết định của tỉnh.", day=day))
    return str(_("Chưa ai ghi bước nào cho lô này. Chúng tôi không điền thay."))


def _gap(gap: Gap) -> Step:
    return Step(
        f"{vn_date(gap.first)} – {vn_date(gap.last)}",
        counting("%(n)s ngày không có bước nào", n=(gap.last - gap.first).days + 1),
        note=_("Chưa ai ghi. Chúng tôi không điền thay."),
        kind="gap",
    )


def _step(line: Line) -> Step:
    material = f": {line.material}" if line.material else ""
    amount = f", {quantity(line.quantity, line.unit)}" if line.quantity is not None else ""
    marks = (
        (line.photos, _("có ảnh")),
        (line.for_another, _("ghi thay người làm")),
        (line.corrected, _("đã sửa, còn giữ bản cũ")),
        (line.doubtful, _("giờ chưa chắc")),
    )
    return Step(
        vn_date(line.day),
        words(line.name) + material + amount,
        [_voucher(line), *(text for holds, text in marks if holds)],
        _wait(line),
    )


def _voucher(line: Line) -> str:
    vouchers: dict[str, str]
    if line.own_work:
        vouchers = {"cooperative": _("Hợp tác xã làm và ghi"), "officer": _("Cán bộ làm và ghi")}
    elif line.outsider and line.witness == Witness.FARMER:
        vouchers = {"cooperative": _("Hợp tác xã ghi theo lời hộ"), "officer": _("Cán bộ ghi theo lời hộ")}
    else:
        vouchers = {
            "farmer": _("Hộ ghi"),
            "neighbour": _("Hàng xóm làm chứng"),
            "cooperative": _("Hợp tác xã xác nhận"),
            "officer": _("Cán bộ xác nhận"),
            "laboratory": _("Phòng thử nghiệm xác nhận"),
            "certifier": _("Tổ chức chứng nhận xác nhận"),
            "machine": _("Máy đo ghi"),
        }
        return vouchers.get(line.witness, line.witness)
    return vouchers[line.outsider or ""]


def _wait(line: Line) -> str:
    """Days between a treatment and the harvest."""
    if line.waited_days is not None:
        return counting("Sau lần dùng thuốc cuối %(n)s ngày.", n=line.waited_days)
    if line.last_treated:
        return str(_("Cách ly chưa rõ; lần dùng thuốc cuối ngày %(day)s.", day=vn_date(line.last_treated)))
    if line.wait_unknown:
        return str(_("Cách ly chưa rõ."))
    return "" if line.wait_days is None else counting("Phải cách ly %(n)s ngày trước khi thu.", n=line.wait_days)


def _ten_items(batch: BatchPage, days: str) -> tuple[list[Fact], int]:
    """What the circular wants to stand on the page, and how many of the ten nobody gave."""
    made = _("thu hoạch %(a)s, làm ra %(b)s", a=days, b=vn_date(batch.made_on))
    standards = "; ".join(f"{_certificate(c)}, {c.number}" for c in batch.standards)
    items: list[Fact] = [
        (_("1. Tên sản phẩm"), words(batch.product)),
        (_("2. Hình ảnh"), _("Có, ở trên") if batch.photo else ""),
        (_("3. Đơn vị sản xuất"), batch.producer),
        (_("4. Địa chỉ"), batch.producer_address),
        (_("5. Các công đoạn"), _("%(n)s bước, có ngày", n=len(batch.lines)) if batch.lines else ""),
        (_("6. Thời gian sản xuất"), made),
        (_("7. Mã truy xuất"), code_text(batch.code)),
        (_("8. Ký hiệu, số lô"), batch.lot, words(batch.variant)),
        (_("9. Thời hạn sử dụng"), vn_date(batch.expires_on)),
        (_("10. Tiêu chuẩn áp dụng"), standards),
    ]
    lacking = _("Chưa có")
    return [(name, said or lacking, *small) for name, said, *small in items], sum(not item[1] for item in items)
