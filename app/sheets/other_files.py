"""Files that people send instead of a list, told by their first bytes, each with its own way out."""

import re

from app.messages import N_, Said, Sentence
from app.sheets.cells import Sheet
from app.sheets.problems import Unreadable, unreadable

_WEB = re.compile(rb"<(?:!doctype|html|head|body|table|meta|div|\?xml|!--)", re.IGNORECASE)
_STARTS: tuple[tuple[bytes, Said], ...] = (
    (b"%PDF", Sentence("PDF")),
    (b"{\\rtf", N_("văn bản (.rtf)")),
    (b"\xff\xd8\xff", N_("ảnh")),
    (b"\x89PNG", N_("ảnh")),
    (b"GIF8", N_("ảnh")),
    (b"Rar!", N_("nén (.rar)")),
    (b"7z\xbc\xaf", N_("nén (.7z)")),
    (b"\x1f\x8b", N_("nén (.gz)")),
)


def refuse_other_files(raw: bytes) -> None:
    """Raise Unreadable for what is known to be no CSV."""
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise unreadable(
            N_("Đây là tệp Excel đời cũ (.xls) hoặc tệp có mật khẩu."),
            N_("Mở bằng Excel, bỏ mật khẩu nếu có, chọn Lưu thành .xlsx rồi gửi lại."),
        )
    for start, kind in _STARTS:
        if raw.startswith(start):
            raise _not_a_list(N_("Đây là tệp %(kind)s, không phải danh sách.", kind=kind))
    head = raw[:2000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _WEB.match(head):
        raise _not_a_list(N_("Đây là trang web (HTML, XML) được đặt tên như tệp Excel, không phải danh sách."))


def refuse_pipes(sheet: Sheet) -> None:
    """Raise Unreadable when bars stand between the columns: nothing that writes CSV for Excel does that."""
    first = [cells for cells in list(sheet.rows.values())[:5] if cells]
    if first and all(len(cells) == 1 and cells[0].text.count("|") > 1 for cells in first):
        raise unreadable(
            N_("Các cột trong tệp cách nhau bằng dấu “|”, không phải danh sách CSV."),
            N_("Mở bằng Excel (Dữ liệu, Từ văn bản, dấu phân cách “|”), lưu thành .xlsx rồi gửi lại."),
        )


def _not_a_list(why: Said) -> Unreadable:
    return unreadable(why, N_("Mở tệp, chép bảng sang Excel, lưu thành .xlsx hoặc CSV UTF-8 rồi gửi lại."))
