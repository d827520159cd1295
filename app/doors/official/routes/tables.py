"""The villages of province and commune as a table for spreadsheets."""

import csv
import io
from uuid import UUID

from flask import Response

from app import clock
from app.criteria import queries as criteria
from app.criteria.rules import VALUE_LABELS, Value
from app.doors.official import queries
from app.doors.official.routes.base import blueprint, signed_in_official, title_of
from app.places import queries as places
from app.places.models import Level, Place
from app.web import transaction, web


@blueprint.get("/tinh/thon.csv")
def province_csv() -> Response:
    actor = signed_in_official()
    with transaction() as session:
        queries.place_of(session, actor, places.province(session).id, Level.PROVINCE)
        communes = places.current_communes(session, clock.today())
        by_commune = {c.id: c for c in communes}
        villages = places.all_villages(session, clock.today())
        above: dict[UUID | None, tuple[str, str]] = {c.id: (c.sort_key, c.code) for c in communes}
        villages.sort(key=lambda v: (above.get(v.parent_id, ("", "")), v.sort_key, v.code))
        lines = queries.village_lines(session, villages)
    return _csv([(by_commune.get(x.place.parent_id) if x.place.parent_id else None, x) for x in lines], "thon.csv")


@blueprint.get("/xa/<uuid:commune_id>/thon.csv")
def commune_csv(commune_id: UUID) -> Response:
    actor = signed_in_official()
    with transaction() as session:
        here = queries.place_of(session, actor, commune_id, Level.COMMUNE)
        lines = queries.village_lines(session, places.current_villages(session, commune_id, clock.today()))
    return _csv([(here, x) for x in lines], "thon.csv")


def _csv(rows: list[tuple[Place | None, queries.VillageLine]], name: str) -> Response:
    """One line for each village, as spreadsheets in Vietnam open it: semicolons, and the mark of UTF-8."""
    pack = criteria.pack()
    sample = ["dữ liệu mẫu"] if web().settings.demo else []
    out = io.StringIO()
    write = csv.writer(out, delimiter=";")
    write.writerow(
        ["Mã xã", "Xã, phường", "Mã thôn", "Thôn", "Kết quả", "Số tiêu chí đạt", "Số tiêu chí xét"]
        + [f"{c.clause}. {c.label.vi}" for c in pack.criterion]
        + ["Số tiêu chí có mục không còn tính", "Tính lúc", *(["Ghi chú"] if sample else [])]
    )
    for commune_place, line in rows:
        found = line.assessment
        write.writerow(
            [commune_place.code if commune_place else "", title_of(commune_place) if commune_place else ""]
            + [line.place.code, _safe(title_of(line.place))]
            + [_word(found.overall if found else None), found.met if found else "", found.total if found else ""]
            + [_word(found.values.get(c.id) if found else None) for c in pack.criterion]
            + [line.flags if found else ""]
            + [f"{clock.local(found.confirmed_at):%d/%m/%Y %H:%M}" if found else ""]
            + sample
        )
    return Response(
        ("\ufeff" + out.getvalue()).encode(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _safe(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula."""
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t"} else text


def _word(value: str | None) -> str:
    return VALUE_LABELS[Value(value)].vietnamese if value else "Chưa tính"
