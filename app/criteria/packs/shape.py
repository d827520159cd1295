"""The shape of a pack's entries: their texts, their types, their limits."""

import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.criteria.packs.faults import Found, Location

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
            yield path, f"dài quá {MAX_TEXT} ký tự", f"longer than {MAX_TEXT} characters"
        elif text != text.strip() or not text:
            yield path, "để trống hoặc thừa dấu cách ở đầu, cuối", "empty, or blanks at an end"
        elif any(unicodedata.category(character) in _FORBIDDEN for character in text):
            yield path, "có ký tự điều khiển hoặc ký tự ẩn", "has a control character or an invisible one"
        elif not unicodedata.is_normalized("NFC", text):
            yield path, "chữ có dấu chưa ở dạng NFC", "the accented letters are not in NFC form"


def shape_faults(error: ValidationError, document: dict[str, Any]) -> Iterator[Found]:
    for details in error.errors(include_url=False, include_input=False):
        path, node = _in_document(details, document)
        if details["type"] == "too_short" and isinstance(node, list) and node:
            continue  # the list is not short: its entries were refused, which is told of each of them
        yield path, *_words(details)


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


def _words(details: ErrorDetails) -> tuple[str, str]:
    context = details.get("ctx", {})
    known: dict[str, tuple[str, str]] = {
        "missing": ("thiếu mục này", "this entry is missing"),
        "extra_forbidden": ("không có mục tên này", "there is no entry of this name"),
        "unexpected_keyword_argument": ("không có mục tên này", "there is no entry of this name"),
        "union_tag_invalid": (
            f"không có loại điều kiện này; chỉ có {context.get('expected_tags', '')}",
            f"no such kind of condition; there are {context.get('expected_tags', '')}",
        ),
        "union_tag_not_found": ("thiếu mục kind", "the entry kind is missing"),
        "literal_error": (f"phải là {context.get('expected', '')}", f"must be {context.get('expected', '')}"),
        "int_type": ("phải là số nguyên hoặc $tên_tham_số", "must be a whole number or $parameter_name"),
        "int_from_float": ("phải là số nguyên hoặc $tên_tham_số", "must be a whole number or $parameter_name"),
        "greater_than_equal": (f"phải từ {context.get('ge')} trở lên", f"must be at least {context.get('ge')}"),
        "less_than_equal": (f"phải từ {context.get('le')} trở xuống", f"must be at most {context.get('le')}"),
        "string_type": ("phải là chữ trong dấu ngoặc kép", "must be a text in quotation marks"),
        "string_pattern_mismatch": (
            f"sai cách viết tên; mẫu: {context.get('pattern')}",
            f"not written as a name; pattern: {context.get('pattern')}",
        ),
        "string_too_short": ("không được để trống", "must not be empty"),
        "string_too_long": (
            f"tối đa {context.get('max_length')} ký tự",
            f"at most {context.get('max_length')} characters",
        ),
        "too_short": (
            f"cần ít nhất {context.get('min_length')} mục",
            f"at least {context.get('min_length')} entries needed",
        ),
        "too_long": (f"tối đa {context.get('max_length')} mục", f"at most {context.get('max_length')} entries"),
        "date_type": ("phải là ngày, viết như 2022-10-01", "must be a date, written as 2022-10-01"),
        "tuple_type": ("phải là danh sách", "must be a list"),
    }
    shape = ("phải là bảng có các mục con, ví dụ vi và en", "must be a table with entries, such as vi and en")
    if details["type"] in {"dict_type", "model_type", "dataclass_type", "model_attributes_type"}:
        return shape
    return known.get(details["type"], ("giá trị không dùng được", f"the value cannot be used: {details['msg']}"))
