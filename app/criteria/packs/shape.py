"""The shape of a pack's entries: their texts, their types, their limits."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.criteria.packs.faults import Found, Location
from app.messages import N_, Sentence

MAX_TEXT: Final = 2000


def _walk(document: object) -> Iterator[tuple[Location, str]]:
    """Every text in the document with its path, keys included."""
    todo: list[tuple[Location, object]] = [((), document)]
    while todo:
        path, node = todo.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                yield (*path, key), key
                todo.append(((*path, key), value))
        elif isinstance(node, list):
            todo.extend(((*path, place), value) for place, value in enumerate(node))
        elif isinstance(node, str):
            yield path, node


_FORBIDDEN: Final = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def text_faults(document: object) -> Iterator[Found]:
    for path, text in _walk(document):
        if len(text) > MAX_TEXT:
            yield path, N_("dài quá %(most)s ký tự", most=MAX_TEXT)
        elif text != text.strip() or not text:
            yield path, N_("để trống hoặc thừa dấu cách ở đầu, cuối")
        elif any(unicodedata.category(character) in _FORBIDDEN for character in text):
            yield path, N_("có ký tự điều khiển hoặc ký tự ẩn")
        elif not unicodedata.is_normalized("NFC", text):
            yield path, N_("chữ có dấu chưa ở dạng NFC")


def shape_faults(error: ValidationError, document: dict[str, Any]) -> Iterator[Found]:
    for details in error.errors(include_url=False, include_input=False):
        path, node = _in_document(details, document)
        if details["type"] == "too_short" and isinstance(node, list) and node:
            continue  # the list is not short: its entries were refused, which is told of each of them
        yield path, _words(details)


def _in_document(details: ErrorDetails, document: dict[str, Any]) -> tuple[Location, object]:
    """Pydantic's path without the names of union branches, which are not in the document, and what stands there."""
    path: Location = ()
    node: Any = document
    loc: tuple[Any, ...] = details["loc"]
    for place, part in enumerate(loc):
        inside = part in node if isinstance(node, dict) else isinstance(node, list) and part in range(len(node))
        if inside:
            node = node[part]
            path = (*path, part)
        elif place == len(loc) - 1 and details["type"] == "missing":
            path = (*path, part)
    return path, node


_TABLE: Final = N_("phải là bảng có các mục con, ví dụ vi và en")
_PROBLEMS: Final[dict[str, Sentence]] = {
    "missing": N_("thiếu mục này"),
    "extra_forbidden": N_("không có mục tên này"),
    "unexpected_keyword_argument": N_("không có mục tên này"),
    "union_tag_invalid": N_("không có loại điều kiện này; chỉ có %(expected_tags)s"),
    "union_tag_not_found": N_("thiếu mục kind"),
    "literal_error": N_("phải là %(expected)s"),
    "int_type": N_("phải là số nguyên hoặc $tên_tham_số"),
    "int_from_float": N_("phải là số nguyên hoặc $tên_tham_số"),
    "greater_than_equal": N_("phải từ %(ge)s trở lên"),
    "less_than_equal": N_("phải từ %(le)s trở xuống"),
    "string_type": N_("phải là chữ trong dấu ngoặc kép"),
    "string_pattern_mismatch": N_("sai cách viết tên; mẫu: %(pattern)s"),
    "string_too_short": N_("không được để trống"),
    "string_too_long": N_("tối đa %(max_length)s ký tự"),
    "too_short": N_("cần ít nhất %(min_length)s mục"),
    "too_long": N_("tối đa %(max_length)s mục"),
    "date_type": N_("phải là ngày, viết như 2022-10-01"),
    "tuple_type": N_("phải là danh sách"),
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "dataclass_type": _TABLE,
    "model_attributes_type": _TABLE,
}


def _words(details: ErrorDetails) -> Sentence:
    sentence = _PROBLEMS.get(details["type"], N_("giá trị không dùng được"))
    return replace(sentence, values=details.get("ctx", {}))
