"""Letters that are not what they seem: typed in an old Vietnamese font, or broken before the file was saved.

A file typed in .VnTime (TCVN3) or VNI holds, once Excel has saved it, the bytes of that font read as Western letters: “Nà Mẫu”
is “Nµ MÉu” or “Naø Maãu”. One strange letter proves nothing, for ñ, ½ or a soft hyphen have other causes; a word proves it that
becomes a Vietnamese syllable when it is read in the font's table.
"""

import re
import unicodedata
from collections.abc import Iterable
from string import ascii_letters

from app.messages import N_
from app.sheets.problems import Unreadable, clip, unreadable

TCVN3 = dict(
    zip(
        bytes.fromhex(
            "b5b8b6b7b9 a8bbbebcbdc6 a9c7cac8c9cb ae ccd0cecfd1 aad2d5d3d4d6 d7ddd8dcde"
            " dfe3e1e2e4 abe5e8e6e7e9 aceaedebecee eff3f1f2f4 adf5f8f6f7f9 fafdfbfcfe a1a2a3a4a5a6a7"
        ),
        "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂÊÔƠƯĐ",
        strict=True,
    )
)
LETTERS = frozenset(ascii_letters) | set(TCVN3.values()) | {c.upper() for c in TCVN3.values()}  # that Vietnamese has

# VNI writes a letter and then its marks: á is “aù”, ấ is “aá”, ớ is “ôù”, đ is “ñ”.
_HUYEN, _SAC, _HOI, _NGA, _NANG = "\u0300", "\u0301", "\u0309", "\u0303", "\u0323"
_VNI_TONES = {"ù": _SAC, "ø": _HUYEN, "û": _HOI, "õ": _NGA, "ï": _NANG}
_VNI_HATS = {"â": "", "á": _SAC, "à": _HUYEN, "å": _HOI, "ã": _NGA, "ä": _NANG}
_VNI_BREVES = {"ê": "", "é": _SAC, "è": _HUYEN, "ú": _HOI, "ü": _NGA, "ë": _NANG}
_AS_VNI: dict[str, str] = {"ñ": "đ", "ô": "ơ", "ö": "ư", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ"}
_AS_VNI |= {base + mark: base + tone for base in "aeouy" for mark, tone in _VNI_TONES.items()}
_AS_VNI |= {old + mark: new + tone for old, new in (("ô", "ơ"), ("ö", "ư")) for mark, tone in _VNI_TONES.items()}
_AS_VNI |= {base + mark: base + "\u0302" + tone for base in "aeo" for mark, tone in _VNI_HATS.items()}
_AS_VNI |= {"a" + mark: "a\u0306" + tone for mark, tone in _VNI_BREVES.items()}
_VNI = re.compile("|".join(sorted(_AS_VNI, key=len, reverse=True)))

_WORD = re.compile(r"[^\s\d.,;:()/“”\"'’+&–-]+")
# What no Vietnamese word has: an accent after a plain a or e, or on the second of two u; a capital with an accent inside it.
_PAIRS = re.compile("[aeAE][à-ỹÀ-Ý]|[oO][ùâÙÂ]|[uôyUÔY][ùõÙÕ]|[a-z][À-Ý]")
_ELSEWHERE = frozenset("ñëïöüçîû½¼¾§®©·¶¹ª\u00ad")  # in other languages, as signs, or unseen: alone they prove no font
_SYLLABLE = re.compile(
    "(?:b|c(?![eêiy])|ch|d|đ|g|gh(?=[eêi])|gi|h|k(?=[eêiy])|kh|l|m|ng?|ngh(?=[eêi])|nh|ph?|qu(?![ouư])|r|sl?|th?|tr|v|x)?"
    "(?:(?:a|e|ê|i|o|ô|ơ|u|ư|y|oa|oe|uê|uy)(?:ch|nh|ng|[cmnpt])?"
    "|(?:ă|â|iê|oă|oo|uâ|uô|ươ|yê|uyê)(?:ch|nh|ng|[cmnpt])"
    "|[aou]i|a[ouy]|â[uy]|eo|êu|i[au]|[ôơư]i|u[aơ]|ư[au]|[iy]êu|oa[ioy]|oeo|uây|uôi|uy[au]|ươ[iu])"
)
_STOPPED = re.compile("(?:[cpt]|ch)$")

# A right word in capitals that ends before a sign, as “XÃ” or XÃ……: the signs that broken À, Đ, Ô… hold count before a letter.
_CAPITALS = "".join(sorted(c for c in LETTERS if c.isupper()))
_RIGHT = f"(?<=[{_CAPITALS}])[ÃÂ][\u2010-\u203a®«»](?:(?<![‚‰‘’“”•])|(?![^\\W\\d_]))"
_BROKEN = re.compile(
    f"(?!{_RIGHT})"
    "[ÃÄÂÅÆ][\u0080-\u009f¡-¬®-¿€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|áº|á»"  # UTF-8 read as Windows-1252
    "|[^\\W\\d_][\u2500-\u259f]|[\u2500-\u259f][^\\W\\d_]"  # UTF-8 read in the code page of a console
    "|[a-zà-ỹ]Ã[\u00a0\u00ad]"
)


def refuse_broken(text: str) -> None:
    """Raise Unreadable when letters were broken before the file was saved: UTF-8 that something read as another table."""
    broken = _BROKEN.search(text)
    if broken is not None:
        start = max(0, broken.start() - 10)
        shown = clip(text[start : broken.end() + 10].replace("\n", " ").replace("\r", " "))
        raise unreadable(
            N_("Chữ có dấu trong tệp đã hỏng từ trước, ví dụ “%(shown)s”.", shown=shown),
            N_("Mở lại tệp gốc, lưu thành CSV UTF-8 hoặc .xlsx rồi gửi lại."),
        )


def refuse_garbled(lines: Iterable[tuple[int, Iterable[str]]]) -> None:
    """Raise Unreadable when the cells hold letters that were broken before, or words of an old font.

    The whole file, not the cell: in an old font “Má” is “Mỏ”, and nothing in the word itself says so. It counts as such when
    a word could hardly be anything else, or two words fit, and more words fit than do not.
    """
    proof, fits, misfits = False, 0, 0
    example: tuple[int, str] | None = None
    for number, texts in lines:
        for cell in texts:
            if cell.isascii():
                continue
            text = unicodedata.normalize("NFC", cell)
            refuse_broken(text)
            found, strong, against = _words_of_old_fonts(text)
            if found and example is None:
                example = (number, text)
            proof = proof or strong
            fits += found
            misfits += against
    if example is not None and (proof or fits > 1) and fits > misfits:
        raise _old_font(*example)


def _old_font(number: int, text: str) -> Unreadable:
    shown = clip(text.replace("\n", " ").replace("\r", " "))
    return unreadable(
        N_("Tệp dùng phông .VnTime (TCVN3) hoặc VNI, ví dụ dòng %(number)s: “%(shown)s”.", number=number, shown=shown),
        N_("Mở UniKey, bấm Ctrl+Shift+F6, chuyển bảng mã của tệp sang Unicode, lưu rồi gửi lại."),
    )


def _words_of_old_fonts(text: str) -> tuple[int, bool, int]:
    """How many words of a cell only an old font explains, whether one proves it by itself, and how many it does not explain."""
    found, strong, against = 0, False, 0
    for word in _WORD.findall(text):
        if word.isascii() or len(word) == 1:
            continue
        strange = {c.casefold() for c in word if c not in LETTERS and not c.isascii()}
        pair = _PAIRS.search(word) is not None
        if not strange - {"\u00ad"} and not pair:
            continue
        if _reads_in_a_font(word):
            found += 1
            strong = strong or pair or bool(strange - _ELSEWHERE)
        else:
            against += 1
    return found, strong, against


def _reads_in_a_font(word: str) -> bool:
    as_tcvn3, as_vni = word.translate(TCVN3), _VNI.sub(lambda m: _AS_VNI[m.group()], word.casefold())
    return (as_tcvn3 != word and _is_syllable(as_tcvn3)) or _is_syllable(as_vni)


def _is_syllable(word: str) -> bool:
    """Whether this could be one Vietnamese syllable: a known beginning, vowels that go together, an end, at most one tone."""
    letters: list[str] = []
    tones: list[str] = []
    for c in unicodedata.normalize("NFD", word.casefold()):
        (tones if c in (_HUYEN, _SAC, _HOI, _NGA, _NANG) else letters).append(c)
    plain = unicodedata.normalize("NFC", "".join(letters))
    if _SYLLABLE.fullmatch(plain) is None or len(tones) > 1:
        return False
    return _STOPPED.search(plain) is None or tones in ([_SAC], [_NANG])
