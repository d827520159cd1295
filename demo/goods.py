"""Goods of the demo's people: Lạng Sơn's real kinds, seasons and prices under invented names and owners."""

from dataclasses import dataclass, field
from decimal import Decimal

from app.accounts.models import OrganisationKind
from demo.cast import Company
from demo.names import NOTE_VI


@dataclass(frozen=True, slots=True)
class Good:
    """A product with one pack. `ends`: days from the day of loading to the last day of its OCOP certificate; None: never had one."""

    key: str
    holder: str
    name: str
    english: str
    group: int
    stars: int | None
    ends: int | None
    sku: str
    pack: str
    price: int
    net: tuple[str, str]
    grams: int
    keeps: int
    picture: str
    says: str

    def net_quantity(self) -> Decimal:
        return Decimal(self.net[0])


@dataclass(frozen=True, slots=True)
class Work:
    """One step of a season: month and day, what, with what, how much, and how many days to wait before harvest."""

    on: tuple[int, int]
    kind: str
    material: str | None = None
    quantity: str | None = None
    unit: str | None = None
    waits: int | None = None
    photo: bool = False
    note: str | None = None

    def amount(self) -> Decimal | None:
        return Decimal(self.quantity) if self.quantity else None


@dataclass(frozen=True, slots=True)
class Crop:
    """A season from its first step to its harvests, in the order of the year in which it ends."""

    key: str
    vi: str
    en: str
    site_kind: str
    site_word: str
    area: tuple[str, str] | None
    picture: str
    works: tuple[Work, ...]


NA = Crop(
    "na",
    "Na dai",
    "Custard apple",
    "orchard",
    "Đồi na",
    ("6", "sao"),
    "orchard",
    (
        Work((2, 8), "pruning", None, "120", "plant", note="Đốn đau, bỏ cành tăm, cành sâu."),
        Work((2, 20), "fertilising", "Phân chuồng hoai", "12", "bag", photo=True),
        Work((3, 15), "irrigating", None, "4", "hour"),
        Work((4, 6), "weeding", None, "6", "hour"),
        Work((4, 25), "other", "Phấn na", note="Thụ phấn bằng tay buổi sáng sớm.", photo=True),
        Work((5, 12), "fertilising", "NPK 12-5-10", "3", "bag"),
        Work((5, 30), "spraying", "Chế phẩm Bacillus", "4", "tank16", 3),
        Work((6, 18), "other", "Túi bao quả", note="Bao quả, tỉa bớt quả méo."),
        Work((7, 5), "spraying", "Dầu khoáng", "3", "tank16", 7, photo=True),
        Work((8, 4), "harvesting", None, "320", "kg", photo=True),
        Work((8, 16), "harvesting", None, "410", "kg"),
    ),
)
STAR_ANISE = Crop(
    "hoi",
    "Hồi",
    "Star anise",
    "forest",
    "Rừng hồi",
    ("1.5", "ha"),
    "forest",
    (
        Work((2, 25), "weeding", None, "16", "hour", note="Phát thực bì quanh gốc."),
        Work((3, 20), "fertilising", "Phân hữu cơ vi sinh", "8", "bag", photo=True),
        Work((5, 10), "observing", note="Thăm rừng: ít sâu đo, chưa phải xử lý."),
        Work((6, 22), "weeding", None, "12", "hour"),
        Work((8, 2), "harvesting", None, "260", "kg", photo=True, note="Hồi mùa, quả già, cánh đều."),
        Work((8, 20), "harvesting", None, "340", "kg"),
        Work((8, 24), "primary_processing", None, "600", "kg", note="Sao qua, phơi ba nắng."),
        Work((9, 8), "harvesting", None, "180", "kg"),
    ),
)
HONEY = Crop(
    "mat-ong",
    "Ong mật",
    "Honey bees",
    "apiary",
    "Trại ong",
    None,
    "apiary",
    (
        Work((2, 12), "feeding", "Đường kính", "10", "kg"),
        Work((3, 18), "observing", note="Chia đàn, thay hai chúa già.", photo=True),
        Work((4, 14), "honey_extracting", None, "36", "l", photo=True, note="Mật hoa rừng đầu vụ."),
        Work((5, 9), "honey_extracting", None, "42", "l"),
        Work((7, 20), "cleaning", "Nước vôi", "20", "l"),
    ),
)
JELLY = Crop(
    "thach-den",
    "Thạch đen",
    "Grass jelly plant",
    "plot",
    "Soi thạch",
    ("4", "sao"),
    "jelly",
    (
        Work((2, 26), "planting", "Ngọn thạch giống", "9000", "plant", photo=True),
        Work((3, 24), "weeding", None, "10", "hour"),
        Work((4, 12), "fertilising", "Phân chuồng hoai", "10", "bag"),
        Work((5, 28), "fertilising", "NPK 5-10-3", "2", "bag"),
        Work((6, 20), "irrigating", None, "5", "hour"),
        Work((7, 26), "harvesting", None, "520", "kg", photo=True),
        Work((7, 30), "primary_processing", None, "520", "kg", note="Phơi khô, ủ đống."),
        Work((10, 18), "harvesting", None, "280", "kg"),
    ),
)
MANDARIN = Crop(
    "quyt",
    "Quýt vàng",
    "Golden mandarin",
    "orchard",
    "Vườn quýt",
    ("5", "sao"),
    "citrus",
    (
        Work((2, 18), "pruning", None, "150", "plant"),
        Work((3, 10), "fertilising", "Phân chuồng hoai", "15", "bag", photo=True),
        Work((5, 6), "spraying", "Dầu khoáng", "5", "tank16", 7),
        Work((6, 28), "weeding", None, "8", "hour"),
        Work((8, 14), "fertilising", "Kali hữu cơ", "2", "bag"),
        Work((9, 20), "irrigating", None, "6", "hour"),
    ),
)
VEGETABLE = Crop(
    "rau",
    "Rau bò khai",
    "Wild bush greens",
    "plot",
    "Vườn rau",
    ("2", "sao"),
    "jelly",
    (
        Work((3, 2), "pruning", None, "3", "hour"),
        Work((3, 22), "fertilising", "Phân chuồng hoai", "6", "bag"),
        Work((4, 20), "harvesting", None, "60", "kg", photo=True),
        Work((6, 10), "harvesting", None, "75", "kg"),
        Work((8, 25), "weeding", None, "4", "hour"),
    ),
)
CROPS = {c.key: c for c in (NA, STAR_ANISE, HONEY, JELLY, MANDARIN, VEGETABLE)}


STORY_GOOD = Good(
    "na",
    "coop-story",
    "Na dai Nà Mẫu",
    "Nà Mẫu custard apple",
    1,
    4,
    20,
    "NA-HOP-2KG",
    "Hộp 2 kg",
    120_000,
    ("2", "kg"),
    2200,
    7,
    "box",
    "Na dai trồng trên sườn núi đá vôi, hái tay, bao quả từ tháng sáu. Ăn trong một tuần.",
)
GOODS: tuple[Good, ...] = (
    STORY_GOOD,
    Good(
        "mat-na-mau",
        "coop-story",
        "Mật ong rừng Nà Mẫu",
        "Nà Mẫu forest honey",
        1,
        3,
        -41,
        "MO-CHAI-500",
        "Chai 500 ml",
        185_000,
        ("500", "ml"),
        900,
        540,
        "jar",
        "Mật hoa rừng quay tháng tư, tháng năm.",
    ),
    Good(
        "na-say",
        "coop-story",
        "Na sấy dẻo Nà Mẫu",
        "Dried custard apple",
        1,
        None,
        None,
        "NA-SAY-200",
        "Gói 200 g",
        65_000,
        ("200", "g"),
        240,
        180,
        "box",
        "Na chín sấy lạnh, không thêm đường.",
    ),
    Good(
        "hoi-kho",
        "coop-passing",
        "Hoa hồi khô Bản Luông",
        "Dried star anise",
        3,
        4,
        640,
        "HOI-KHO-500",
        "Túi 500 g",
        140_000,
        ("500", "g"),
        560,
        720,
        "box",
        "Hồi mùa phơi ba nắng, cánh đều, thơm lâu.",
    ),
    Good(
        "tinh-dau",
        "coop-passing",
        "Tinh dầu hồi Bản Luông",
        "Star anise oil",
        3,
        4,
        52,
        "TD-HOI-50",
        "Lọ 50 ml",
        95_000,
        ("50", "ml"),
        130,
        1080,
        "jar",
        "Chưng cất hơi nước từ quả hồi tươi của tổ hộ Bản Luông.",
    ),
    Good(
        "thach-den",
        "coop-failing",
        "Thạch đen Pò Pán",
        "Pò Pán grass jelly",
        1,
        3,
        410,
        "TD-KHO-1KG",
        "Bao 1 kg khô",
        96_000,
        ("1", "kg"),
        1050,
        720,
        "box",
        "Cây thạch phơi khô, nấu một bao được hai mươi lít.",
    ),
    Good(
        "mat-po-pan",
        "coop-failing",
        "Mật ong hoa rừng Pò Pán nguyên chất quay tay tại trại ong dưới chân núi đá vôi, mật đặc sánh, vàng óng,"
        " thơm hoa nhãn rừng và hoa bạc hà, giao tận nhà",
        "Pò Pán honey",
        1,
        3,
        300,
        "MO-PP-350",
        "Lọ thủy tinh 350 ml có hộp giấy và túi xách, tặng kèm que gỗ",
        150_000,
        ("350", "ml"),
        620,
        540,
        "jar",
        "Mật hoa rừng của ba hộ nuôi ong.",
    ),
)


@dataclass(frozen=True, slots=True)
class Lighter:
    """A holder told in a few strokes: one product, one household, part of a season."""

    company: Company
    commune_name: str
    good: Good
    crop: Crop | None
    works: int = field(default=6)


def _lighter(  # noqa: PLR0917 - a row of the table below
    number: int,
    commune: str,
    kind: OrganisationKind,
    title: str,
    name: str,
    english: str,
    group: int,
    stars: int,
    ends: int,
    price: int,
    pack: str,
    net: tuple[str, str],
    picture: str,
    crop: Crop | None,
) -> Lighter:
    holder = f"light-{number:02d}"
    grams = int(Decimal(net[0]) * {"kg": 1000, "l": 1000, "g": 1, "ml": 1}.get(net[1], 300)) + 60
    good = Good(
        f"good-{number:02d}",
        holder,
        name,
        english,
        group,
        stars,
        ends,
        f"MAU-{number:02d}-01",
        pack,
        price,
        net,
        grams,
        180,
        picture,
        f"Hàng của {title}, {NOTE_VI}.",
    )
    return Lighter(Company(holder, kind, f"{title} ({NOTE_VI})"), commune, good, crop)


_COOP, _FIRM = OrganisationKind.COOPERATIVE, OrganisationKind.ENTERPRISE
LIGHTER: tuple[Lighter, ...] = (
    _lighter(1, "Bắc Sơn", _COOP, "HTX Quýt Thung Vàng", "Quýt vàng Thung Vàng", "Golden mandarins", 1, 4, 500, 55_000, "Hộp 2 kg", ("2", "kg"), "box", MANDARIN),
    _lighter(2, "Tràng Định", _COOP, "HTX Thạch Pắc Slưa", "Bột thạch đen Pắc Slưa", "Grass jelly powder", 1, 4, 730, 45_000, "Gói 250 g", ("250", "g"), "box", JELLY),
    _lighter(3, "Văn Lãng", _COOP, "HTX Hồng Lũng Sáng", "Hồng vành khuyên Lũng Sáng", "Ring persimmons", 1, 3, 210, 60_000, "Hộp 2 kg", ("2", "kg"), "box", MANDARIN),
    _lighter(4, "Na Sầm", _COOP, "HTX Ong Khau Xanh", "Mật ong Khau Xanh", "Khau Xanh honey", 1, 3, -120, 160_000, "Chai 500 ml", ("500", "ml"), "jar", HONEY),
    _lighter(5, "Hữu Lũng", _COOP, "HTX Na Lân Đá", "Na dai Lân Đá", "Lân Đá custard apple", 1, 4, 380, 110_000, "Hộp 2 kg", ("2", "kg"), "box", NA),
    _lighter(6, "Cai Kinh", _COOP, "HTX Na Thung Cả", "Na dai Thung Cả", "Thung Cả custard apple", 1, 4, 26, 100_000, "Hộp 2 kg", ("2", "kg"), "box", NA),
    _lighter(7, "Bình Gia", _COOP, "HTX Chè Dưới Tán", "Chè dưới tán hồi Dưới Tán", "Tea grown under star anise", 2, 3, 150, 90_000, "Gói 200 g", ("200", "g"), "box", STAR_ANISE),
    _lighter(8, "Đình Lập", _FIRM, "Cơ sở Chè Đồi Sương", "Chè xanh Đồi Sương", "Green tea", 2, 4, 260, 120_000, "Gói 200 g", ("200", "g"), "box", None),
    _lighter(9, "Lộc Bình", _FIRM, "Cơ sở Khau nhục Nhà Bếp", "Khau nhục Nhà Bếp", "Braised pork belly", 1, 3, -15, 130_000, "Hộp 500 g", ("500", "g"), "box", None),
    _lighter(10, "Mẫu Sơn", _COOP, "HTX Rượu Mây Núi", "Rượu men lá Mây Núi", "Leaf-yeast spirit", 2, 4, 610, 150_000, "Chai 500 ml", ("500", "ml"), "jar", None),
    _lighter(11, "Đồng Đăng", _FIRM, "Cơ sở Vịt quay Lá Móc", "Vịt quay Lá Móc", "Roast duck", 1, 3, 90, 220_000, "Con 1,6 kg", ("1.6", "kg"), "box", None),
    _lighter(12, "Vạn Linh", _COOP, "HTX Cao khô Suối Vạn", "Cao khô Suối Vạn", "Dry rice noodles", 1, 3, 45, 40_000, "Gói 500 g", ("500", "g"), "box", VEGETABLE),
)  # fmt: skip
