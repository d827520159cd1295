"""The cast of the demo: people, their organisations and places, and the one village whose story is told."""

from dataclasses import dataclass

from app.accounts.models import AddressAs, OrganisationKind
from app.actor import Role
from demo.names import NOTE_VI, phone

PASSWORD = "hoa-hoi-mua-na"  # noqa: S105 - printed on the first page of the demo

STORY_COMMUNE = "06463"  # xã Chi Lăng
SECOND_COMMUNE = "06253"  # xã Văn Quan


DOORS = {
    "farmer": "Bà con làm vườn",
    "consumer": "Người mua",
    "cooperative": "Hợp tác xã",
    "official": "Cán bộ thôn, xã, tỉnh",
}


@dataclass(frozen=True, slots=True)
class Village:
    """A village with a part in the demo. The story of each is in docs/demo.md."""

    key: str
    commune: str
    name: str


STORY = Village("story", STORY_COMMUNE, "Nà Mẫu")
PASSING = Village("passing", SECOND_COMMUNE, "Bản Luông")
FAILING = Village("failing", STORY_COMMUNE, "Pò Pán")
MISSING = Village("missing", SECOND_COMMUNE, "Khuổi Ngần")
VILLAGES = (STORY, PASSING, FAILING, MISSING)


@dataclass(frozen=True, slots=True)
class Company:
    """An organisation that is no household."""

    key: str
    kind: OrganisationKind
    name: str
    commune: str | None = None
    village: str | None = None


MAIN_COOPERATIVE = Company(
    "coop-story", OrganisationKind.COOPERATIVE, f"HTX Nông sản Nà Mẫu ({NOTE_VI})", STORY_COMMUNE, "story"
)
SECOND_COOPERATIVE = Company(
    "coop-passing", OrganisationKind.COOPERATIVE, f"HTX Hồi xanh Bản Luông ({NOTE_VI})", SECOND_COMMUNE, "passing"
)
THIRD_COOPERATIVE = Company(
    "coop-failing", OrganisationKind.COOPERATIVE_GROUP, f"Tổ hợp tác Pò Pán ({NOTE_VI})", STORY_COMMUNE, "failing"
)
PROVINCE_OFFICE = Company("office-province", OrganisationKind.AUTHORITY, f"Sở phụ trách, tỉnh Lạng Sơn ({NOTE_VI})")
COMMUNE_OFFICE = Company("office-commune", OrganisationKind.AUTHORITY, f"UBND xã Chi Lăng ({NOTE_VI})", STORY_COMMUNE)
SECOND_COMMUNE_OFFICE = Company(
    "office-commune-2", OrganisationKind.AUTHORITY, f"UBND xã Văn Quan ({NOTE_VI})", SECOND_COMMUNE
)
CERTIFIER = Company("certifier", OrganisationKind.ENTERPRISE, f"Tổ chức chứng nhận Xanh ({NOTE_VI})", STORY_COMMUNE)
COMPANIES = (
    MAIN_COOPERATIVE,
    SECOND_COOPERATIVE,
    THIRD_COOPERATIVE,
    PROVINCE_OFFICE,
    COMMUNE_OFFICE,
    SECOND_COMMUNE_OFFICE,
    CERTIFIER,
)


@dataclass(frozen=True, slots=True)
class Player:
    """Somebody to sign in as. `at` is a company's or a household's key, `place` a commune's code or a village's key."""

    key: str
    name: str
    address_as: AddressAs
    role: Role
    at: str
    number: int
    does: str
    icon: str
    place: str | None = None
    door: str = "farmer"

    @property
    def phone(self) -> str:
        return phone(self.number)

    @property
    def shown_phone(self) -> str:
        digits = "0" + self.phone.removeprefix("+84")
        return f"{digits[:4]} {digits[4:7]} {digits[7:]}"


ADMINISTRATOR = Player(
    "quan-tri",
    "Bế Thanh Toàn",
    AddressAs.ANH,
    Role.ADMINISTRATOR,
    "",
    1,
    "Quản trị: lập đơn vị, giao vai trò",
    "key",
    door="official",
)

PLAYERS: tuple[Player, ...] = (
    Player(
        "nong-dan",
        "Hoàng Thị Lành",
        AddressAs.BAC,
        Role.FARMER,
        "household-story-0",
        11,
        "Bác Lành, trồng na ở thôn Nà Mẫu",
        "sprout",
    ),
    Player(
        "nong-dan-2",
        "Vi Văn Páo",
        AddressAs.ANH,
        Role.FARMER,
        "household-passing-0",
        12,
        "Anh Páo, rừng hồi ở thôn Bản Luông",
        "leaf",
    ),
    Player(
        "can-bo-khuyen-nong",
        "Lương Minh Tài",
        AddressAs.CHU,
        Role.EXTENSION_OFFICER,
        "office-commune",
        13,
        "Cán bộ khuyến nông xã Chi Lăng, ghi hộ bà con",
        "book",
        STORY_COMMUNE,
    ),
    Player(
        "hop-tac-xa",
        "Nông Văn Thắng",
        AddressAs.ANH,
        Role.COOPERATIVE_MANAGER,
        "coop-story",
        21,
        "Giám đốc HTX Nông sản Nà Mẫu",
        "box",
        door="cooperative",
    ),
    Player(
        "thu-mua",
        "Lý Thị Duyên",
        AddressAs.CHI,
        Role.PURCHASER,
        "coop-story",
        22,
        "Thu mua, bán hàng của HTX Nà Mẫu",
        "store",
        door="cooperative",
    ),
    Player(
        "hop-tac-xa-2",
        "La Thị Nhung",
        AddressAs.CHI,
        Role.COOPERATIVE_MANAGER,
        "coop-passing",
        23,
        "Giám đốc HTX Hồi xanh Bản Luông",
        "box",
        door="cooperative",
    ),
    Player(
        "to-hop-tac",
        "Lộc Quang Hùng",
        AddressAs.ANH,
        Role.COOPERATIVE_MANAGER,
        "coop-failing",
        24,
        "Tổ trưởng Tổ hợp tác Pò Pán",
        "box",
        door="cooperative",
    ),
    Player(
        "chung-nhan",
        "Chu Minh Khải",
        AddressAs.ANH,
        Role.CERTIFIER,
        "certifier",
        25,
        "Chuyên gia chứng nhận, xem nhật ký và ghi nhận xét",
        "certificate",
        STORY_COMMUNE,
        door="cooperative",
    ),
    Player(
        "tinh",
        "Triệu Ngọc Hiền",
        AddressAs.CHI,
        Role.PROVINCE_OFFICIAL,
        "office-province",
        31,
        "Cán bộ tỉnh: 65 xã, phường",
        "chart",
        "20",
        door="official",
    ),
    Player(
        "xa",
        "Đàm Quang Bình",
        AddressAs.ANH,
        Role.COMMUNE_OFFICIAL,
        "office-commune",
        32,
        "Cán bộ xã Chi Lăng",
        "flag",
        STORY_COMMUNE,
        door="official",
    ),
    Player(
        "truong-thon",
        "Vi Văn Sơn",
        AddressAs.BAC,
        Role.VILLAGE_OFFICER,
        "office-commune",
        33,
        "Trưởng thôn Nà Mẫu",
        "village",
        "story",
        door="official",
    ),
    Player(
        "to-so",
        "Hà Thu Hương",
        AddressAs.CHI,
        Role.DIGITAL_GROUP,
        "office-commune",
        34,
        "Tổ công nghệ số cộng đồng thôn Nà Mẫu",
        "users",
        "story",
        door="official",
    ),
    Player(
        "truong-thon-2",
        "Bế Thị Xuyến",
        AddressAs.CO,
        Role.VILLAGE_OFFICER,
        "office-commune-2",
        35,
        "Trưởng thôn Bản Luông",
        "village",
        "passing",
        door="official",
    ),
    Player(
        "xa-2",
        "Hứa Thanh Khải",
        AddressAs.ANH,
        Role.COMMUNE_OFFICIAL,
        "office-commune-2",
        36,
        "Cán bộ xã Văn Quan",
        "flag",
        SECOND_COMMUNE,
        door="official",
    ),
    ADMINISTRATOR,
)
