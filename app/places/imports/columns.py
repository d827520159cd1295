"""The columns of each kind of list that the province keeps."""

from app.db import Words
from app.places.models import ImportKind
from app.sheets import Column

VILLAGE_WORDS = ("thôn", "bản", "khối phố", "tổ dân phố", "khu phố", "khối", "khu", "xóm", "làng")
_CODE_OF_VILLAGE = ("mã thôn bản", "mã số thôn", "mã số thôn bản", "mã thôn bản khối phố", "mã thôn bản khu phố")

COLUMNS: dict[ImportKind, tuple[Column, ...]] = {
    ImportKind.VILLAGES: (
        Column(
            "commune",
            "Mã xã",
            ("mã phường", "mã xã phường", "mã số xã", "mã số xã phường", "mã đơn vị hành chính"),
            Words(vi="Mã xã, phường từ 01/07/2025, năm chữ số.", en="Code of the commune since 1 July 2025, 5 digits."),
            "06463",
            fills=True,
        ),
        Column(
            "code",
            "Mã thôn",
            _CODE_OF_VILLAGE,
            Words(
                vi="Mã riêng của thôn, không đổi về sau: chữ, số, chấm, gạch ngang; nhiều nhất 20.",
                en="The village's own lasting code: letters, digits, dots, hyphens; at most 20.",
            ),
            "06463-T01",
        ),
        Column(
            "kind",
            "Loại",
            ("loại hình", "loại thôn"),
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
            ("tên", "thôn", "tên thôn bản", "tên thôn bản khối phố", "tên thôn bản khu phố", "tên thôn tổ dân phố"),
            Words(vi="Tên như trong nghị quyết, nhiều nhất 80 chữ.", en="The name as decided, at most 80 characters."),
            "Quán Thanh",
        ),
    ),
    ImportKind.PREMISES: (
        Column(
            "code",
            "Mã thôn",
            _CODE_OF_VILLAGE,
            Words(vi="Mã của thôn đã có trong danh sách thôn.", en="Code of a village that is already in the list."),
            "06463-T01",
            fills=True,
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
