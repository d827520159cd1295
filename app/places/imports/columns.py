"""The columns of each kind of list, and the template to fill in."""

import csv
from dataclasses import dataclass
from io import StringIO

from app.db import Words
from app.places.models import ImportKind

MAX_ROWS = 50_000
MAX_COLUMNS = 40
VILLAGE_WORDS = ("thôn", "bản", "khối phố", "tổ dân phố", "khu phố", "khối", "khu", "xóm", "làng")


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    also: tuple[str, ...]
    says: Words
    example: str
    required: bool = True


COLUMNS: dict[ImportKind, tuple[Column, ...]] = {
    ImportKind.VILLAGES: (
        Column(
            "commune",
            "Mã xã",
            ("mã phường", "mã xã phường"),
            Words(vi="Mã xã, phường từ 01/07/2025, năm chữ số.", en="Code of the commune since 1 July 2025, 5 digits."),
            "06463",
        ),
        Column(
            "code",
            "Mã thôn",
            ("mã thôn bản",),
            Words(
                vi="Mã riêng của thôn, không đổi về sau: chữ, số, chấm, gạch ngang; nhiều nhất 20.",
                en="The village's own lasting code: letters, digits, dots, hyphens; at most 20.",
            ),
            "06463-T01",
        ),
        Column(
            "kind",
            "Loại",
            ("loại hình",),
            Words(
                vi="Một trong: " + ", ".join(VILLAGE_WORDS) + ". Để trống nếu tên đã có chữ đó.",
                en="One of: " + ", ".join(VILLAGE_WORDS) + ". Leave empty if the name begins with it.",
            ),
            "thôn",
            required=False,
        ),
        Column(
            "name",
            "Tên thôn",
            ("tên", "tên thôn bản"),
            Words(vi="Tên như trong nghị quyết, nhiều nhất 80 chữ.", en="The name as decided, at most 80 characters."),
            "Quán Thanh",
        ),
    ),
    ImportKind.PREMISES: (
        Column(
            "code",
            "Mã thôn",
            ("mã thôn bản",),
            Words(vi="Mã của thôn đã có trong danh sách thôn.", en="Code of a village that is already in the list."),
            "06463-T01",
        ),
        Column(
            "kind",
            "Loại",
            ("loại hình",),
            Words(vi="Một trong: hộ, trụ sở, nhà văn hóa.", en="One of: hộ, trụ sở, nhà văn hóa."),
            "hộ",
        ),
        Column(
            "name",
            "Nhãn",
            ("tên", "tên gọi"),
            Words(
                vi="Tên gọi tại thôn, không ghi họ tên, số điện thoại hay số giấy tờ của ai; nhiều nhất 80 chữ.",
                en="A local label without anybody's name, phone or identity number; at most 80 characters.",
            ),
            "Hộ số 12",
        ),
    ),
}


def template(kind: ImportKind) -> bytes:
    """A CSV that Excel opens with its accents: UTF-8 with a byte-order mark, semicolons as Vietnamese Excel expects."""
    out = StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([c.title for c in COLUMNS[kind]])
    writer.writerow([c.example for c in COLUMNS[kind]])
    return out.getvalue().encode("utf-8-sig")
