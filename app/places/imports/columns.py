"""The columns of each kind of list that the province keeps."""

from app.db import Words
from app.messages import N_
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
            Words.of(N_("Mã xã, phường từ 01/07/2025, năm chữ số.")),
            "06463",
            fills=True,
        ),
        Column(
            "code",
            "Mã thôn",
            _CODE_OF_VILLAGE,
            Words.of(N_("Mã riêng của thôn, không đổi về sau: chữ, số, chấm, gạch ngang; nhiều nhất 20.")),
            "06463-T01",
        ),
        Column(
            "kind",
            "Loại",
            ("loại hình", "loại thôn"),
            Words.of(N_("Một trong: %(words)s. Để trống nếu tên đã có chữ đó.", words=", ".join(VILLAGE_WORDS))),
            "thôn",
            required=False,
        ),
        Column(
            "name",
            "Tên thôn",
            ("tên", "thôn", "tên thôn bản", "tên thôn bản khối phố", "tên thôn bản khu phố", "tên thôn tổ dân phố"),
            Words.of(N_("Tên như trong nghị quyết, nhiều nhất 80 chữ.")),
            "Quán Thanh",
        ),
    ),
    ImportKind.PREMISES: (
        Column(
            "code",
            "Mã thôn",
            _CODE_OF_VILLAGE,
            Words.of(N_("Mã của thôn đã có trong danh sách thôn.")),
            "06463-T01",
            fills=True,
        ),
        Column(
            "kind",
            "Loại",
            ("loại hình",),
            Words.of(N_("Một trong: hộ, trụ sở, nhà văn hóa.")),
            "hộ",
        ),
        Column(
            "name",
            "Nhãn",
            ("tên", "tên gọi"),
            Words.of(N_("Tên gọi tại thôn, không ghi họ tên, số điện thoại hay số giấy tờ của ai; nhiều nhất 80 chữ.")),
            "Hộ số 12",
        ),
    ),
}
