"""Parsing of what was sent into frozen schemas, or an error that names the field."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar, get_origin
from uuid import UUID

from flask import Flask, current_app, request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app.errors import HoiError, Invalid, InvalidMany
from app.messages import N_, Sentence
from app.web.languages import FORM_LANGUAGE, form_language

MAX_FORM_BYTES = 1024 * 1024  # uploads go through media, in parts; a form is text
OUR_FIELDS = frozenset({"csrf_token", FORM_LANGUAGE})  # what the macro ui.csrf puts into every form
SchemaT = TypeVar("SchemaT", bound=BaseModel)
ViewT = TypeVar("ViewT", bound=Callable[..., object])


def parse(schema: type[SchemaT], **more: object) -> SchemaT:
    """The request's form or JSON as a frozen schema; empty form fields count as missing. Raises Invalid(Many).

    A field declared as a list takes every value of that name.
    """
    data: dict[str, object] = {}
    if request.is_json:
        body = _json_body()
        if not isinstance(body, dict):
            raise Invalid("not_json", N_("Nội dung gửi lên không đọc được (cần JSON)."))
        data.update(body)
    else:
        lists = {n for n, f in schema.model_fields.items() if _wants_list(f.annotation)}
        for name in request.form:
            if name in OUR_FIELDS:
                continue
            values = [v for v in request.form.getlist(name) if v.strip()]
            if values:
                data[name] = values if name in lists else values[-1]
    data.update(more)
    return parse_data(schema, data)


def _json_body() -> object:
    """None for what is no JSON, and for what nests deeper than any of our bodies."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def parse_query(schema: type[SchemaT]) -> SchemaT:
    """The query string as a frozen schema; unknown names are left out, since addresses pick up foreign parameters.

    Numbers in addresses are `Counter`s, so that a link means the same in every language.
    """
    known = schema.model_fields.keys()
    return parse_data(schema, {k: v for k, v in request.args.items() if k in known and v.strip()})


def parse_data(schema: type[SchemaT], data: Mapping[str, object]) -> SchemaT:
    """What a route put together from the form or the JSON body; a form's numbers are read in the form's language."""
    try:
        return schema.model_validate(data, context={"language": None if request.is_json else form_language()})
    except ValidationError as error:
        found = [invalid_from(d) for d in error.errors(include_url=False)]
        raise found[0] if len(found) == 1 else InvalidMany(found) from None


def picked(field: str) -> UUID | None:
    """The id that was chosen in a form which is shown again, or in the address; None where there is none."""
    sent = request.form.get(field) or request.args.get(field)
    try:
        return UUID(sent) if sent else None
    except ValueError:
        return None


def takes_files(most: int) -> Callable[[ViewT], ViewT]:
    """Declare a view whose form has a file field: with its files it takes so many bytes more than a form without.

    Stands below the route, next to the function.
    """

    def declare(view: ViewT) -> ViewT:
        view.most_file_bytes = most  # type: ignore[attr-defined]  # read by `file_bytes`
        return view

    return declare


def file_bytes(app: Flask, endpoint: str | None) -> int:
    """How many bytes of files the view of this endpoint declares; none where it declares nothing."""
    view = app.view_functions.get(endpoint or "")
    return int(getattr(view, "most_file_bytes", 0))


def widen(endpoint: str | None, _values: object) -> None:
    """Let the request be as long as its view declares, before anything reads the form: the check of its token does."""
    request.max_content_length = file_bytes(current_app, endpoint) + MAX_FORM_BYTES


def most_bytes(app: Flask, method: str, path: str) -> int:
    """How long a body the route of this address takes; what has no route takes a form's length and says 404."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match(path, method)
    except (HTTPException, RequestRedirect):
        return MAX_FORM_BYTES
    return file_bytes(app, endpoint) + MAX_FORM_BYTES


def sent_file(field: str) -> bytes:
    """What came in a file field of the form; empty when nothing was chosen."""
    sent = request.files.get(field)
    return sent.read() if sent is not None else b""


def _wants_list(annotation: object) -> bool:
    return get_origin(annotation) in {list, tuple, frozenset}


_PROBLEMS: dict[str, Sentence] = {
    "missing": N_("Còn thiếu mục này."),
    "extra_forbidden": N_("Có mục lạ không dùng được ở đây."),
    "string_too_short": N_("Chưa đủ chữ: cần ít nhất %(min_length)s."),
    "string_too_long": N_("Dài quá: nhiều nhất %(max_length)s chữ."),
    "string_pattern_mismatch": N_("Viết chưa đúng mẫu."),
    "int_parsing": N_("Cần một số nguyên, ví dụ 12."),
    "int_type": N_("Cần một số nguyên, ví dụ 12."),
    "int_from_float": N_("Cần một số nguyên, ví dụ 12."),
    "decimal_parsing": N_("Cần một con số, ví dụ 2,5."),
    "decimal_max_places": N_("Nhiều nhất %(decimal_places)s chữ số sau dấu phẩy."),
    "decimal_max_digits": N_("Con số quá lớn."),
    "decimal_whole_digits": N_("Con số quá lớn."),
    "greater_than": N_("Phải lớn hơn %(gt)s."),
    "greater_than_equal": N_("Nhỏ nhất là %(ge)s."),
    "less_than_equal": N_("Lớn nhất là %(le)s."),
    "less_than": N_("Phải nhỏ hơn %(lt)s."),
    "date_from_datetime_parsing": N_("Ngày viết chưa đúng, ví dụ 24/11/2026."),
    "date_parsing": N_("Ngày viết chưa đúng, ví dụ 24/11/2026."),
    "datetime_parsing": N_("Giờ viết chưa đúng."),
    "datetime_from_date_parsing": N_("Giờ viết chưa đúng."),
    "timezone_aware": N_("Giờ phải có múi giờ, ví dụ +07:00."),
    "uuid_parsing": N_("Mã không đúng dạng."),
    "uuid_type": N_("Mã không đúng dạng."),
    "enum": N_("Chọn một mục trong danh sách."),
    "literal_error": N_("Chọn một mục trong danh sách."),
    "url_parsing": N_("Đường dẫn phải bắt đầu bằng https://"),
    "url_scheme": N_("Đường dẫn phải bắt đầu bằng https://"),
}


def invalid_from(detail: ErrorDetails) -> Invalid:
    field = ".".join(str(part) for part in detail["loc"]) or None
    kind = detail["type"]
    context = {k: v for k, v in (detail.get("ctx") or {}).items() if k != "error"}
    inner = (detail.get("ctx") or {}).get("error")
    if isinstance(inner, HoiError):
        return Invalid(inner.code, inner.said, field=field)
    if kind in {"value_error", "assertion_error"} and inner is not None:
        return Invalid("value_error", Sentence(str(inner)), field=field)
    sentence = _PROBLEMS.get(kind, N_("Giá trị này chưa đúng."))
    limits = {k: Decimal(str(v)) if isinstance(v, int | float) else v for k, v in context.items()}
    return Invalid(kind, replace(sentence, values=limits), field=field)
