"""Codes that people read, type and scan: 12 random Crockford base-32 characters and one check character."""

import re
import secrets
import unicodedata

from app.errors import Invalid
from app.messages import N_, Sentence

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O (they look like 1, 1, 0) and no U
RANDOM_LENGTH = 12  # 60 bits
LENGTH = RANDOM_LENGTH + 1
LONGEST_INPUT = 64

_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1"})
# Blanks, hyphens and what is copied along without being seen: soft hyphens, joiners, marks of direction.
_FILLERS = re.compile(r"[\s\-\u2010-\u2015\u2212._·\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")
_CANONICAL = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_LIKE_A_NUMBER = re.compile(r"\d{8}")
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_PRIMITIVE = 0b100101  # x^5 + x^2 + 1 generates the field with 32 elements


def _powers() -> tuple[int, ...]:
    powers, power = [], 1
    for _ in range(31):
        powers.append(power)
        power <<= 1
        if power & 32:
            power ^= _PRIMITIVE
    return tuple(powers)


_POWERS = _powers()
_LOGARITHMS = {power: index for index, power in enumerate(_POWERS)}


def check_character(first: str) -> str:
    """The character that makes the sum of value x weight zero in the field of 32 elements.

    Each place has a weight of its own (a power of the generator), so that every single wrong character and every
    exchange of two characters, neighbours or not, is found. Longer damage passes once in 32 times, and is then still one
    of 2^60 codes of which few exist.
    """
    total = 0
    for place, character in enumerate(first, start=1):
        value = _VALUES[character]
        if value:
            total ^= _POWERS[(_LOGARITHMS[value] + place) % 31]
    return ALPHABET[total]


def new_code() -> str:
    """A code that nobody can guess, in canonical spelling.

    Eight digits in a row are drawn again: no code may look like a telephone or identity number.
    """
    while True:
        first = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
        code = first + check_character(first)
        if not _LIKE_A_NUMBER.search(code):
            return code


def is_canonical(text: str) -> bool:
    """Whether the text is a code in its one spelling, check character included."""
    return _CANONICAL.fullmatch(text) is not None and check_character(text[:RANDOM_LENGTH]) == text[RANDOM_LENGTH]


def grouped(code: str) -> str:
    """The code as it stands on a label: K7M2-9QXD-3HTPK."""
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def _never_holds(strange: str) -> Sentence:
    if strange == "U":
        return N_(
            "Mã trên tem không bao giờ có ký tự “%(strange)s”. Nếu là chữ V hoặc số 0, hãy nhìn kỹ lại. Hãy "
            "nhập lại dòng chữ in dưới mã vuông.",
            strange=strange,
        )
    plain = unicodedata.normalize("NFD", strange)[0].replace("Đ", "D")
    if (
        plain != strange and "A" <= plain <= "Z"
    ):  # Telex turns AA into Â and DD into Đ; a blank between keeps them apart
        return N_(
            "Mã trên tem không bao giờ có ký tự “%(strange)s”. Bàn phím đang tự bỏ dấu: hãy gõ dấu cách giữa "
            "hai chữ, mã vẫn đúng. Hãy nhập lại dòng chữ in dưới mã vuông.",
            strange=strange,
        )
    return N_(
        "Mã trên tem không bao giờ có ký tự “%(strange)s”. Hãy nhập lại dòng chữ in dưới mã vuông.", strange=strange
    )


def normalise(text: str) -> str:
    """The canonical spelling of what a person typed or a phone scanned.

    Lower case, blanks, hyphens, full-width characters and the look-alikes O, I and L are accepted.
    Raises Invalid, which says how to type it again.
    """
    if len(text) > LONGEST_INPUT:
        raise Invalid(
            "code_too_long",
            N_(
                "Mã trên tem chỉ có %(length)s ký tự, chữ đã nhập dài quá. Hãy nhập lại dòng chữ in dưới mã vuông.",
                length=LENGTH,
            ),
            field="code",
        )
    code = _FILLERS.sub("", unicodedata.normalize("NFKC", text)).upper().translate(_LOOK_ALIKES)
    strange = next((c for c in code if c not in _VALUES), None)
    if strange is not None:
        raise Invalid("code_character", _never_holds(strange), field="code")
    if len(code) != LENGTH:
        raise Invalid(
            "code_length",
            N_(
                "Mã trên tem có %(length)s ký tự, đã nhập %(code)s. Hãy nhập lại dòng chữ in dưới mã vuông.",
                length=LENGTH,
                code=len(code),
            ),
            field="code",
        )
    if check_character(code[:RANDOM_LENGTH]) != code[RANDOM_LENGTH]:
        raise Invalid(
            "code_check",
            N_(
                "Mã này sai hoặc đổi chỗ ít nhất một ký tự. Hãy so từng ký tự với dòng chữ in dưới mã vuông rồi "
                "nhập lại."
            ),
            field="code",
        )
    return code
