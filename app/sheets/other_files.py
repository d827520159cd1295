"""What people send instead of a list, told by its first bytes, each with its own way out."""

import re

from app.sheets.cells import Sheet
from app.sheets.problems import Unreadable, unreadable

_WEB = re.compile(rb"<(?:!doctype|html|head|body|table|meta|div|\?xml|!--)", re.IGNORECASE)
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "PDF", "PDF"),
    (b"{\\rtf", "văn bản (.rtf)", "text (.rtf)"),
    (b"\xff\xd8\xff", "ảnh", "a picture"),
    (b"\x89PNG", "ảnh", "a picture"),
    (b"GIF8", "ảnh", "a picture"),
    (b"Rar!", "nén (.rar)", "compressed (.rar)"),
    (b"7z\xbc\xaf", "nén (.7z)", "compressed (.7z)"),
    (b"\x1f\x8b", "nén (.gz)", "compressed (.gz)"),
)


def refuse_other_files(raw: bytes) -> None:
    """Raise Unreadable for what is known to be no CSV."""
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise unreadable(
            "Đây là tệp Excel đời cũ (.xls) hoặc tệp có mật khẩu.",
            "This is an old Excel file (.xls) or it has a password.",
            "Mở bằng Excel, bỏ mật khẩu nếu có, chọn Lưu thành .xlsx rồi gửi lại.",
            "Open it in Excel, remove the password, save it as .xlsx and send it again.",
        )
    for start, vi, en in _STARTS:
        if raw.startswith(start):
            raise _not_a_list(f"Đây là tệp {vi}, không phải danh sách.", f"This file is {en}, not a list.")
    head = raw[:2000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _WEB.match(head):
        raise _not_a_list(
            "Đây là trang web (HTML, XML) được đặt tên như tệp Excel, không phải danh sách.",
            "This is a web page (HTML, XML) named like an Excel file, not a list.",
        )


def refuse_pipes(sheet: Sheet) -> None:
    """Raise Unreadable when bars stand between the columns: nothing that writes CSV for Excel does that."""
    first = [cells for cells in list(sheet.rows.values())[:5] if cells]
    if first and all(len(cells) == 1 and cells[0].text.count("|") > 1 for cells in first):
        raise unreadable(
            "Các cột trong tệp cách nhau bằng dấu “|”, không phải danh sách CSV.",
            "The columns of the file are separated by “|”: it is not a list in CSV.",
            "Mở bằng Excel (Dữ liệu, Từ văn bản, dấu phân cách “|”), lưu thành .xlsx rồi gửi lại.",
            "Open it in Excel (Data, From Text, separator “|”), save it as .xlsx and send that.",
        )


def _not_a_list(vi: str, en: str) -> Unreadable:
    return unreadable(
        vi,
        en,
        "Mở tệp, chép bảng sang Excel, lưu thành .xlsx hoặc CSV UTF-8 rồi gửi lại.",
        "Open it, copy the table to Excel, save it as .xlsx or CSV UTF-8, and send that.",
    )
