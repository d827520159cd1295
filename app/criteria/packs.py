"""Packs as TOML: read under limits, checked as a whole, every fault told at once with its path and line.

A pack is data from outside and may be hostile: size, nesting and dotted keys are bounded before the TOML reader sees the
text, because that reader is recursive in the one and cubic in the other. Nothing in a pack is ever executed.

How a pack is written: data/lang-son-thon-thong-minh-2022.toml is the model; `document_schema()` gives the JSON Schema.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.criteria.rules import (
    CountAtLeast,
    Flag,
    KOfN,
    Pack,
    Parameter,
    RatioAtLeast,
    Rule,
    ThresholdByAttribute,
    Value,
)
from app.errors import Invalid, InvalidMany

DATA: Final = Path(__file__).parent / "data"
MAX_BYTES: Final = 128 * 1024
MAX_NESTING: Final = 8
MAX_ENTRIES: Final = 200
MAX_RULES: Final = 500
MAX_FAULTS: Final = 50
MAX_TEXT: Final = 2000

Location: TypeAlias = tuple[str | int, ...]
Found: TypeAlias = tuple[Location, str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a pack: where (`path` as in TOML, `line` counted from 1, None where unknown) and what."""

    path: str
    line: int | None
    vi: str
    en: str

    def as_error(self) -> Invalid:
        where_vi = f"Dòng {self.line}" if self.line else "Trong tệp"
        where_en = f"Line {self.line}" if self.line else "In the file"
        path = f", {self.path}" if self.path else ""
        vi, en = f"{where_vi}{path}: {self.vi}.", f"{where_en}{path}: {self.en}."
        return Invalid("pack_refused", vi=vi, en=en, field=self.path or None)


class _Unreadable(Exception):
    def __init__(self, vi: str, en: str, line: int | None = None) -> None:
        super().__init__(en)
        self.fault = Fault("", line, vi, en)


def parse(data: bytes | str) -> Pack:
    """A pack from TOML. Raises InvalidMany with every fault (the first fifty), each with its line."""
    pack, faults = _read(data)
    if pack is None or faults:
        raise InvalidMany([fault.as_error() for fault in faults])
    return pack


def lint(data: bytes | str) -> tuple[Fault, ...]:
    """What is wrong with a pack, in the order of the file; empty when nothing is."""
    return tuple(_read(data)[1])


@cache
def shipped() -> Mapping[str, Pack]:
    """The packs that come with the program, by id."""
    packs = [parse(path.read_bytes()) for path in sorted(DATA.glob("*.toml"))]
    return {pack.id: pack for pack in packs}


def document_schema() -> dict[str, Any]:
    """JSON Schema of a pack, for a form and for other provinces' tools."""
    return Pack.model_json_schema()


def _read(data: bytes | str) -> tuple[Pack | None, list[Fault]]:
    try:
        text = _decoded(data)
        lines = _scan(text)
        document = _toml(text)
        _bounded(document, lines)
    except _Unreadable as unreadable:
        return None, [unreadable.fault]
    found = list(_text_faults(document))
    pack: Pack | None = None
    try:
        pack = Pack.model_validate(document)
    except ValidationError as error:
        found += _shape_faults(error, document)
    else:
        found += _meaning_faults(pack)
    first: dict[Location, Fault] = {}
    for path, vi, en in found:
        first.setdefault(path, Fault(_dotted(path), _line(lines, path), vi, en))
    faults = sorted(first.values(), key=lambda fault: (fault.line or 0, fault.path))
    return pack, faults[:MAX_FAULTS]


# ------------------------------------------------------------------------------------------------------ before the reader
def _decoded(data: bytes | str) -> str:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        kib = MAX_BYTES // 1024
        raise _Unreadable(f"tệp quá lớn; tối đa {kib} KiB", f"the file is too large; at most {kib} KiB")
    try:
        return raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _Unreadable("tệp không phải UTF-8", "the file is not UTF-8", line) from None


_TOKEN: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}=,.\n]"
    r"|[^\[\]{}=,.\n\"'\#]+"
    r"|.",
    re.DOTALL,
)
_STATEMENT_TOKENS: Final = 4 * MAX_NESTING


def _scan(text: str) -> dict[Location, int]:
    """The line of each table and key; stops at anything nested too deeply. One pass, linear."""
    lines: dict[Location, int] = {(): 1}
    arrays: dict[Location, int] = {}
    table: Location = ()
    statement: list[str] = []
    line, depth, dots = 1, 0, 0
    for piece in (match[0] for match in _TOKEN.finditer(text + "\n")):
        depth += (piece in "[{") - (piece in "]}")
        dots = dots + (piece == ".") if piece not in "[]{}=,\n" else 0
        if depth > MAX_NESTING or dots > MAX_NESTING:
            limit = MAX_NESTING
            raise _Unreadable(
                f"lồng nhau quá sâu; tối đa {limit} tầng", f"nested too deeply; at most {limit} levels", line
            )
        if piece == "\n" and depth <= 0:
            table = _locate(statement, line, table, arrays, lines)
            statement, depth = [], 0
        elif len(statement) < _STATEMENT_TOKENS and piece.strip() and not piece.startswith("#"):
            statement.append(piece)
        line += piece.count("\n")
    return lines


def _locate(
    statement: list[str], line: int, table: Location, arrays: dict[Location, int], lines: dict[Location, int]
) -> Location:
    """Notes where a header or a key stands and returns the table that is open after it."""
    if not statement:
        return table
    if statement[0] != "[":
        if "=" in statement:
            lines.setdefault((*table, *_keys(statement[: statement.index("=")])), line)
        return table
    keys = _keys([piece for piece in statement if piece not in "[]"])
    path: Location = ()
    for key in keys[:-1]:
        path = (*path, key)
        path = (*path, arrays[path] - 1) if path in arrays else path
    path = (*path, *keys[-1:])
    if statement[1:2] == ["["]:
        lines.setdefault(path, line)
        arrays[path] = arrays.get(path, 0) + 1
        path = (*path, arrays[path] - 1)
    lines.setdefault(path, line)
    return path


def _keys(tokens: Iterable[str]) -> list[str]:
    return [piece.strip().strip("\"'") for piece in tokens if piece != "."]


_AT_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        limit = MAX_NESTING
        raise _Unreadable(
            f"lồng nhau quá sâu; tối đa {limit} tầng", f"nested too deeply; at most {limit} levels"
        ) from None
    except ValueError as error:  # also an integer of more digits than Python reads
        said = str(error)
        at = _AT_LINE.search(said)
        detail = said[: at.start()] if at else said
        line = int(at[1]) if at and at[1] else text.count("\n") + 1 if at else None
        raise _Unreadable(f"không đúng cách viết TOML ({detail})", f"not valid TOML ({detail})", line) from None


def _bounded(document: dict[str, Any], lines: Mapping[Location, int]) -> None:
    """Refuses lists and tables of too many entries before each of them is looked at."""
    todo: list[tuple[Location, object]] = [((), document)]
    while todo:
        path, node = todo.pop()
        if isinstance(node, dict | list) and len(node) > MAX_ENTRIES:
            vi, en = f"{_dotted(path)} quá {MAX_ENTRIES} mục", f"{_dotted(path)} has more than {MAX_ENTRIES} entries"
            raise _Unreadable(vi.strip(), en.strip(), _line(lines, path))
        if isinstance(node, dict):
            todo.extend(((*path, key), value) for key, value in node.items())
        elif isinstance(node, list):
            todo.extend(((*path, place), value) for place, value in enumerate(node))


# ----------------------------------------------------------------------------------------------------------------- faults
def _dotted(path: Location) -> str:
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def _line(lines: Mapping[Location, int], path: Location) -> int | None:
    """The line of the nearest enclosing thing that has one."""
    return next((lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines), None)


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


def _text_faults(document: object) -> Iterator[Found]:
    for path, text in _walk(document):
        if len(text) > MAX_TEXT:
            yield path, f"dài quá {MAX_TEXT} ký tự", f"longer than {MAX_TEXT} characters"
        elif text != text.strip() or not text:
            yield path, "để trống hoặc thừa dấu cách ở đầu, cuối", "empty, or blanks at an end"
        elif any(unicodedata.category(character) in _FORBIDDEN for character in text):
            yield path, "có ký tự điều khiển hoặc ký tự ẩn", "has a control character or an invisible one"
        elif not unicodedata.is_normalized("NFC", text):
            yield path, "chữ có dấu chưa ở dạng NFC", "the accented letters are not in NFC form"


def _shape_faults(error: ValidationError, document: dict[str, Any]) -> Iterator[Found]:
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


def _meaning_faults(pack: Pack) -> Iterator[Found]:
    """What the shape cannot tell: names that meet, types that fit, thresholds that can be neither passed by nothing nor missed."""
    yield from _doubled("parameter", "name", [parameter.name for parameter in pack.parameter])
    yield from _doubled("fact", "name", [declared.name for declared in pack.fact])
    yield from _doubled("criterion", "id", [criterion.id for criterion in pack.criterion])
    yield from _doubled("criterion", "clause", [criterion.clause for criterion in pack.criterion])
    if pack.effective_to is not None and pack.effective_to < pack.effective_from:
        yield ("effective_to",), "trước ngày bắt đầu", "before the first day"
    yield from _result_faults(pack)
    for place, parameter in enumerate(pack.parameter):
        yield from _parameter_faults(("parameter", place), parameter)
    for place, declared in enumerate(pack.fact):
        path: Location = ("fact", place)
        for name, words in (("yes", declared.yes), ("no", declared.no)):
            if (words is not None) != (declared.type == "flag"):
                yield (
                    (*path, name),
                    "phải có với loại flag, và chỉ với loại ấy",
                    "goes with the type flag, and only with it",
                )
        if (declared.unit is not None) == (declared.type == "flag"):
            yield (*path, "unit"), "phải có với loại count và items, và chỉ với chúng", "goes with count and items only"
        for index, name in enumerate(declared.parameters):
            if name not in pack.parameters_by_name:
                yield (*path, "parameters", index), f"không có tham số {name}", f"there is no parameter {name}"
    rules = [
        (path, rule) for place, criterion in enumerate(pack.criterion) for path, rule in _rules(place, criterion.rule)
    ]
    if len(rules) > MAX_RULES:
        yield ("criterion",), f"quá {MAX_RULES} điều kiện", f"more than {MAX_RULES} conditions"
    for path, rule in rules[:MAX_RULES]:
        yield from _rule_faults(pack, path, rule)
    yield from _unused(pack, [rule for _, rule in rules])


def _doubled(table: str, key: str, values: list[Any]) -> Iterator[Found]:
    seen: set[Any] = set()
    for place, value in enumerate(values):
        if value in seen:
            yield (table, place, key), f"{value} đã dùng ở trên", f"{value} is used above"
        seen.add(value)


def _result_faults(pack: Pack) -> Iterator[Found]:
    k = pack.result.k
    if (k is not None) != (pack.result.kind == "k_of_n@1"):
        yield ("result", "k"), "phải có với k_of_n@1, và chỉ với nó", "goes with k_of_n@1, and only with it"
    elif k is not None and k > len(pack.criterion):
        yield ("result", "k"), "lớn hơn số tiêu chí", "more than there are criteria"


def _parameter_faults(path: Location, parameter: Parameter) -> Iterator[Found]:
    integer = parameter.type == "integer"
    for name, value in (("minimum", parameter.minimum), ("maximum", parameter.maximum)):
        if (value is not None) != integer:
            yield (
                (*path, name),
                "phải có với loại integer, và chỉ với nó",
                "goes with the type integer, and only with it",
            )
    if bool(parameter.choices) == integer:
        yield (
            (*path, "choices"),
            "phải có với loại choice, và chỉ với nó",
            "goes with the type choice, and only with it",
        )
    values = [choice.value for choice in parameter.choices]
    if len(values) != len(set(values)):
        yield (*path, "choices"), "có hai lựa chọn trùng nhau", "two choices are the same"
    if not parameter.accepts(parameter.default):
        yield (*path, "default"), "nằm ngoài các giá trị cho phép", "is outside the values allowed"


def _rules(place: int, rule: Rule) -> Iterator[tuple[Location, Rule]]:
    todo: list[tuple[Location, Rule]] = [(("criterion", place, "rule"), rule)]
    while todo:
        path, one = todo.pop()
        yield path, one
        todo.extend(((*path, "of", index), child) for index, child in enumerate(one.children))


def _rule_faults(pack: Pack, path: Location, rule: Rule) -> Iterator[Found]:
    match rule:
        case Flag():
            yield from _fact_fault(pack, (*path, "fact"), rule.fact, {"flag"})
        case CountAtLeast():
            yield from _fact_fault(pack, (*path, "fact"), rule.fact, {"count", "items"})
            yield from _number_fault(pack, (*path, "at_least"), rule.at_least, 1, 1_000_000)
        case RatioAtLeast():
            yield from _ratio_faults(pack, path, rule.numerator, rule.denominator, rule.zero_denominator)
            yield from _number_fault(pack, (*path, "percent"), rule.percent, 1, 100)
        case ThresholdByAttribute():
            yield from _threshold_faults(pack, path, rule)
        case KOfN():
            yield from _number_fault(pack, (*path, "k"), rule.k, 1, len(rule.of))
        case _:
            pass
    age = getattr(rule, "max_age_days", None)
    if age is not None:
        yield from _number_fault(pack, (*path, "max_age_days"), age, 1, 36500)


def _fact_fault(pack: Pack, path: Location, name: str, types: set[str]) -> Iterator[Found]:
    declared = pack.facts_by_name.get(name)
    if declared is None:
        yield path, f"chưa khai dữ kiện {name}", f"the fact {name} is not declared"
    elif declared.type not in types:
        wanted = ", ".join(sorted(types))
        yield (
            path,
            f"dữ kiện {name} thuộc loại {declared.type}; ở đây cần {wanted}",
            f"the fact {name} is of type {declared.type}; {wanted} is needed here",
        )


def _number_fault(pack: Pack, path: Location, operand: int | str, low: int, high: int) -> Iterator[Found]:
    if isinstance(operand, int):
        if operand > high:  # the shape has seen to the lower bound
            yield path, f"phải từ {low} đến {high}", f"must be from {low} to {high}"
        return
    parameter = pack.parameters_by_name.get(operand[1:])
    if parameter is None:
        yield path, f"không có tham số {operand[1:]}", f"there is no parameter {operand[1:]}"
    elif parameter.type != "integer":
        yield path, f"tham số {operand[1:]} không phải số nguyên", f"the parameter {operand[1:]} is not a whole number"
    elif (parameter.minimum or 0) < low or (parameter.maximum or 0) > high:
        yield (
            path,
            f"tham số {operand[1:]} phải giới hạn từ {low} đến {high}",
            f"the parameter {operand[1:]} must be limited to {low} to {high}",
        )


def _ratio_faults(pack: Pack, path: Location, numerator: str, denominator: str, zero: str) -> Iterator[Found]:
    yield from _fact_fault(pack, (*path, "numerator"), numerator, {"count", "items"})
    yield from _fact_fault(pack, (*path, "denominator"), denominator, {"count", "items"})
    if numerator == denominator:
        yield (*path, "denominator"), "trùng với tử số", "is the same as the numerator"
    if not zero.startswith("$"):
        return
    parameter = pack.parameters_by_name.get(zero[1:])
    allowed = {Value.NOT_APPLICABLE, Value.UNMET, Value.INSUFFICIENT}
    if parameter is None:
        yield (*path, "zero_denominator"), f"không có tham số {zero[1:]}", f"there is no parameter {zero[1:]}"
    elif parameter.type != "choice" or not {choice.value for choice in parameter.choices} <= allowed:
        names = ", ".join(sorted(allowed))
        yield (
            (*path, "zero_denominator"),
            f"tham số {zero[1:]} chỉ được có các lựa chọn {names}",
            f"the parameter {zero[1:]} may only have the choices {names}",
        )


def _threshold_faults(pack: Pack, path: Location, rule: ThresholdByAttribute) -> Iterator[Found]:
    ratio = (rule.numerator, rule.denominator, rule.zero_denominator)
    if rule.fact is not None and not any(ratio):
        yield from _fact_fault(pack, (*path, "fact"), rule.fact, {"count", "items"})
    elif rule.fact is None and rule.numerator and rule.denominator and rule.zero_denominator:
        yield from _ratio_faults(pack, path, rule.numerator, rule.denominator, rule.zero_denominator)
    else:
        yield (
            path,
            "cần một trong hai: fact; hoặc numerator, denominator và zero_denominator",
            "needs either fact, or numerator, denominator and zero_denominator",
        )
    high = 1_000_000 if rule.fact is not None else 100
    for value, threshold in rule.thresholds.items():
        if threshold != "not_applicable":
            yield from _number_fault(pack, (*path, "thresholds", value), threshold, 1, high)


def _unused(pack: Pack, rules: list[Rule]) -> Iterator[Found]:
    """A parameter that changes nothing would be shown as a choice that the province does not have."""
    facts = {name for rule in rules for name in rule.facts}
    operands = {operand[1:] for rule in rules for operand in rule.operands if isinstance(operand, str)}
    for place, declared in enumerate(pack.fact):
        if declared.name not in facts:
            yield (
                ("fact", place, "name"),
                f"khai {declared.name} mà không dùng",
                f"{declared.name} is declared and not used",
            )
        operands.update(declared.parameters)
    for place, parameter in enumerate(pack.parameter):
        if parameter.name not in operands:
            name = parameter.name
            yield ("parameter", place, "name"), f"khai {name} mà không dùng", f"{name} is declared and not used"
