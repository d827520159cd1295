"""Invented names for the demo, always the same: villages in the manner of Tày and Nùng names, people, decisions, phones."""

# ruff: noqa: SIM905 - lists of words read better as words

import random
from collections.abc import Iterator
from uuid import UUID, uuid5

NAMESPACE = UUID("6f0f9d7c-6c1e-5a0e-9f57-2a1d7a9f1b1e")
NOTE_VI = "dữ liệu mẫu"

_FIRST = (
    "Nà Bản Pò Khuổi Lũng Cốc Kéo Thâm Pác Khau Phai Co Tềnh Nặm Phiêng Lọc Slam Háng Còn Thôm Khòn Rọ Tát Khun"
).split()
_SECOND = (
    "Mẫu Luông Lầu Pán Chuông Ngần Soong Cạn Pất Lài Tâư Nưa Quang Hin Mạ Vài Khoang Sả Dài Tẩu Lẹng Mò Phát Sặp Cưởm"
    " Ngòa Đeng Khao Mới Lặp Bó Xả Tẻn Khinh Chang Vèn Lằng Deng Thẳm Hương Đảy Moóc Cại Rằn Tảu Pài Trang Hoáy Liền Lạn"
).split()
_FAMILIES = "Hoàng Nông Lý Lương Vi Hà Đàm Bế Triệu Chu La Lộc Mã Đinh Hứa Phùng Dương Lâm Vương Lăng".split()
_MIDDLES_MEN = "Văn Đình Minh Quang Xuân Thanh Việt Mạnh".split()
_MIDDLES_WOMEN = "Thị Bích Thu Kim Ngọc Thúy Lan Mai".split()
_GIVEN_MEN = "Páo Thắng Kiên Tài Lâm Sơn Hùng Bình Khải Toàn Vũ Hiếu Chính Dũng Phong Đạt Lợi Nhất Quý Tuấn".split()
_GIVEN_WOMEN = (
    "Lành Mùi Hương Duyên Nhung Oanh Thoa Chiêm Xuyến Hiền Loan Thêu Nguyệt Sen Lụa Bưởi Tươi Mến Yên Hà".split()
)


def key(*parts: object) -> UUID:
    """The same id at every load, so that loading again finds what is there."""
    return uuid5(NAMESPACE, "/".join(str(p) for p in parts))


def seeded(*parts: object) -> random.Random:
    """Chance that is the same at every load."""
    return random.Random("/".join(str(p) for p in parts))  # noqa: S311 - plausible data, no secret


def village_names(commune_code: str) -> Iterator[str]:
    """Names for one commune, none twice."""
    pairs = [f"{a} {b}" for a in _FIRST for b in _SECOND]
    seeded("villages", commune_code).shuffle(pairs)
    return iter(pairs)


def spread(total: int, parts: int, least: int, seed: str) -> list[int]:
    """`parts` whole numbers around total / parts, each at least `least`, that add up to the total."""
    chance = seeded("spread", seed)
    weights = [chance.uniform(0.65, 1.35) for _ in range(parts)]
    sizes = [max(least, int(total * w / sum(weights))) for w in weights]
    for i in range(abs(total - sum(sizes))):
        sizes[i % parts] += 1 if total > sum(sizes) else -1
    return sizes


def person(index: int, *, woman: bool) -> str:
    """A full name, family name first; nobody in particular."""
    chance = seeded("person", index)
    family = chance.choice(_FAMILIES)
    if woman:
        return f"{family} {chance.choice(_MIDDLES_WOMEN)} {_GIVEN_WOMEN[index % len(_GIVEN_WOMEN)]}"
    return f"{family} {chance.choice(_MIDDLES_MEN)} {_GIVEN_MEN[index % len(_GIVEN_MEN)]}"


def phone(index: int) -> str:
    """Numbers with so many noughts that they look made up, and are."""
    return f"+8490000{index:04d}"


def decision(number: int, authority: str) -> str:
    """A decision number that no register can hold."""
    return f"MẪU-{number}/QĐ-{authority}"
