"""The pages of the province, from the list of communes to a list imported by its button."""

import io
import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app import clock, jobs, media
from app.accounts.models import Person, PersonalData
from app.actor import SYSTEM, Actor, Role
from app.db import Database, new_id
from app.factory import create_app
from app.jobs import Job
from app.places import lists, queries, service
from app.places.models import Place, PlaceAttribute, PlaceEnding, PlaceImport, Premises
from app.settings import Settings
from tests.app.boxes import named_in_box
from tests.app.browsers import browser_of
from tests.app.sheets.workbooks import Page, book

Csv = Callable[..., bytes]
MakeClient = Callable[[Actor], FlaskClient]


@pytest.fixture
def app(settings: Settings, loaded: Database) -> Flask:
    made = create_app(settings, loaded)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


@pytest.fixture
def signed_in_as(app: Flask, loaded: Database) -> MakeClient:
    def client(actor: Actor) -> FlaskClient:
        with loaded.transaction(SYSTEM) as session:
            session.add(Person(id=actor.person_id, created_at=clock.now()))
            session.flush()  # the data below point at the person
            session.add(
                PersonalData(
                    person_id=actor.person_id,
                    full_name="Người Thử",
                    address_as="bác",
                    language="vi",
                    updated_at=clock.now(),
                )
            )
        return browser_of(app, actor)

    return client


@pytest.fixture
def client(signed_in_as: MakeClient, official: Actor) -> FlaskClient:
    return signed_in_as(official)


def upload(client: FlaskClient, raw: bytes, name: str = "thôn.csv", **fields: str) -> tuple[int, str, str]:
    form = {"id": str(new_id()), "kind": "villages", "effective_on": "2025-07-01"} | fields
    # Encoded here: the test client would leave its temporary file open.
    boundary, body = encode_multipart(form | {"file": FileStorage(io.BytesIO(raw), name)})
    answer = client.post("/dia-ban/nhap", data=body, content_type=f'multipart/form-data; boundary="{boundary}"')
    return answer.status_code, answer.headers.get("Location", ""), answer.text


def test_the_province_page_lists_its_communes_and_admits_missing_villages(client: FlaskClient) -> None:
    page = client.get("/dia-ban")
    assert page.status_code == 200
    assert page.text.count('<th scope="row">') == 65
    assert "Chưa có danh sách" in page.text
    assert "Tỉnh Lạng Sơn" in page.text


def test_the_province_page_of_an_old_day_lists_the_old_communes(client: FlaskClient) -> None:
    page = client.get("/dia-ban?on=2025-06-30")
    assert page.text.count('<th scope="row">') == 194
    assert "Thị trấn Đồng Mỏ" in page.text


def test_searching_finds_without_accents_and_says_when_nothing_is_there(client: FlaskClient) -> None:
    assert "Xã Chi Lăng" in client.get("/dia-ban?q=chi lang").text
    assert "Không thấy nơi nào" in client.get("/dia-ban?q=<script>").text
    assert "<script>" not in client.get("/dia-ban?q=<script>").text.replace("<script src", "")


def test_a_commune_shows_what_was_there_before_and_an_old_one_what_became_of_it(
    client: FlaskClient, loaded: Database
) -> None:
    with loaded.transaction(SYSTEM) as session:
        new = queries.by_code(session, "06463", clock.today())
        old = queries.by_code(session, "06622", service.MERGER.replace(month=6, day=30))
        assert new is not None
        assert old is not None
        new_id_, old_id = new.id, old.id
    page = client.get(f"/dia-ban/{new_id_}").text
    assert "Trước đây là" in page
    assert "Thị trấn Đồng Mỏ" in page
    page = client.get(f"/dia-ban/{old_id}").text
    assert "Nay thuộc" in page
    assert page.count("một phần") == 2
    assert "không còn từ sau ngày 30/06/2025" in page
    assert client.get(f"/dia-ban/{new_id()}").status_code == 404


def test_a_list_goes_from_file_to_villages_by_preview_and_button(
    client: FlaskClient, loaded: Database, settings: Settings, village_csv: Csv
) -> None:
    status, location, _ = upload(client, village_csv("06463;T01;thôn;Quán Thanh", "06463;T02;bản;Nà Pàn"))
    assert status == 303
    preview = client.get(location).text
    assert "Nhập 2 thôn" in preview
    assert "Chưa có gì được ghi." in preview
    pressed = client.post(location)
    assert pressed.status_code == 303
    progress = client.get(pressed.headers["Location"])
    assert (progress.status_code, progress.headers["Refresh"]) == (200, "2")
    assert "Đang chờ tới lượt" in progress.text
    store = media.store_for(settings)
    with loaded.transaction(SYSTEM) as session:
        job_id = session.scalars(select(PlaceImport.job_id)).one()
        assert job_id is not None
        handler: jobs.Handler = lambda s, a, j, r: lists.apply_import(s, a, j, r, store)  # noqa: E731 - one line
        jobs.run(loaded, session, job_id, {lists.IMPORT_JOB: handler}.__getitem__, SYSTEM)
    done = client.get(pressed.headers["Location"])
    assert "Refresh" not in done.headers
    assert "Thêm mới" in done.text
    assert client.post(location).headers["Location"] == pressed.headers["Location"]
    assert "Đã nhập lúc" in client.get(location).text
    with loaded.transaction(SYSTEM) as session:
        village = session.scalars(select(Place).where(Place.code == "T01")).one()
    page = client.get(f"/dia-ban/{village.id}").text
    assert "Thôn Quán Thanh" in page
    assert "Chúng tôi không điền thay." in page
    assert "thôn Quán Thanh, xã Chi Lăng, tỉnh Lạng Sơn" in client.get("/dia-ban?q=quan thanh").text


def applied(client: FlaskClient, database: Database, settings: Settings, raw: bytes, **fields: str) -> None:
    """A list sent, its button pressed, and its job run."""
    status, location, _ = upload(client, raw, **fields)
    assert (status, client.post(location).status_code) == (303, 303)
    store = media.store_for(settings)
    handler: jobs.Handler = lambda s, a, j, r: lists.apply_import(s, a, j, r, store)  # noqa: E731 - one line
    with database.transaction(SYSTEM) as session:
        job_id = session.scalars(select(Job.id).where(Job.state == "queued")).one()
        jobs.run(database, session, job_id, {lists.IMPORT_JOB: handler}.__getitem__, SYSTEM)


@pytest.fixture
def villages(client: FlaskClient, loaded: Database, settings: Settings, village_csv: Csv) -> dict[str, str]:
    """The addresses of two villages of one commune by code; T01 has two premises."""
    applied(client, loaded, settings, village_csv("06463;T01;thôn;Một", "06463;T02;thôn;Hai"))
    raw = "Mã thôn;Loại;Nhãn\nT01;hộ;Hộ số 1\nT01;trụ sở;Trụ sở thôn\n".encode()
    applied(client, loaded, settings, raw, kind="premises")
    with loaded.transaction(SYSTEM) as session:
        return {p.code: f"/dia-ban/{p.id}" for p in session.scalars(select(Place).where(Place.level == "village"))}


def test_a_failed_list_says_why_and_offers_its_button_again(
    client: FlaskClient, loaded: Database, village_csv: Csv
) -> None:
    _, location, _ = upload(client, village_csv("06463;T01;thôn;Một"))
    first = client.post(location).headers["Location"]
    assert "Xem tiến độ" in client.get(location).text
    with loaded.transaction(SYSTEM) as session:
        jobs.give_up(session, session.scalars(select(PlaceImport.job_id)).one() or new_id())
    page = client.get(location).text
    assert "thử nhiều lần vẫn không xong" in page
    assert "Nhập 1 thôn" in page
    assert client.post(location).headers["Location"] != first
    assert "Xem tiến độ" in client.get(location).text


def test_premises_end_by_the_form_of_their_village(
    client: FlaskClient, loaded: Database, villages: dict[str, str]
) -> None:
    page = client.get(villages["T01"]).text
    assert "Ghi một nơi không còn" in page
    assert "Hộ số 1 (Hộ)" in page
    with loaded.transaction(SYSTEM) as session:
        row = session.scalars(select(Premises).where(Premises.label == "Hộ số 1")).one()
    yesterday = clock.today() - timedelta(days=1)
    refused = client.post(villages["T01"], data={"premises_id": str(row.id), "last_day": "2020-01-01"})
    assert refused.status_code == 422
    assert "Ngày cuối phải từ 01/07/2025" in refused.text
    sent = {"premises_id": str(row.id), "last_day": f"{yesterday}"}
    assert client.post(villages["T02"], data=sent).status_code == 404
    for _again in range(2):
        assert client.post(villages["T01"], data=sent).status_code == 303
    assert "Hộ số 1 (Hộ)" not in client.get(villages["T01"]).text
    with loaded.transaction(SYSTEM) as session:
        ends = session.execute(select(Premises.label, Premises.valid_to).order_by(Premises.label))
        assert [tuple(e) for e in ends] == [("Hộ số 1", yesterday), ("Trụ sở thôn", None)]


def test_a_village_ends_by_its_form_which_shows_what_follows(
    client: FlaskClient, loaded: Database, villages: dict[str, str]
) -> None:
    address = villages["T01"] + "/ket-thuc"
    form = client.get(address).text
    assert "2 hộ, trụ sở, nhà văn hóa đang ghi ở thôn hết cùng ngày." in form
    heir = villages["T02"].removeprefix("/dia-ban/")
    assert f'value="{heir}"' in form
    sent = {"id": str(new_id()), "last_day": "2025-07-31", "into": heir, "decision": "NQ thử 5"}
    refused = client.post(address, data=sent | {"last_day": "2020-01-01"})
    assert refused.status_code == 422
    assert "Ngày cuối phải từ 01/07/2025" in refused.text
    assert f'value="{heir}" checked' in refused.text
    assert sent["id"] in refused.text
    assert client.post(address, data=sent).headers["Location"] == villages["T01"]
    assert client.post(address, data=sent).status_code == 303
    page = client.get(villages["T01"]).text
    for said in ("không còn từ sau ngày 31/07/2025", "Căn cứ: NQ thử 5.", "Nay thuộc", "Thôn Hai"):
        assert said in page
    assert "Ghi một nơi không còn" not in page
    assert client.get(address).status_code == 404
    with loaded.transaction(SYSTEM) as session:
        assert session.scalars(select(PlaceEnding.decision)).all() == ["NQ thử 5"]


def test_a_village_is_renamed_by_its_form_and_an_old_day_shows_the_old_name(
    client: FlaskClient, villages: dict[str, str]
) -> None:
    address = villages["T01"] + "/doi-ten"
    assert 'value="Một"' in client.get(address).text
    sent = {"kind_word": "khối phố", "name": "Chợ Mới", "valid_from": "2026-03-01"}
    assert client.post(address, data=sent | {"name": "Chî ★"}).status_code == 422
    assert client.post(address, data=sent).status_code == 303
    assert "Khối phố Chợ Mới" in client.get(villages["T01"]).text
    for asked in ("một", "chợ mới"):
        old = client.get(f"/dia-ban?q={asked}&on=2026-02-28").text
        assert "Thôn Một" in old
        assert "thôn Một, xã Chi Lăng, tỉnh Lạng Sơn" in old
        assert "Khối phố Chợ Mới" not in old
    assert "Khối phố Chợ Mới" in client.get("/dia-ban?q=chợ mới&on=2026-03-01").text


def test_the_communes_of_an_old_day_bear_their_names_of_then(client: FlaskClient, loaded: Database) -> None:
    with loaded.transaction(SYSTEM) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        service.rename_place(
            session, commune, kind_word="phường", name="Chi Lăng Mới", valid_from=date(2026, 3, 1), person_id=None
        )
    assert "Phường Chi Lăng Mới" in client.get("/dia-ban").text
    old = client.get("/dia-ban?on=2026-02-28").text
    assert "Phường Chi Lăng Mới" not in old
    assert "Xã Chi Lăng<" in old


def test_a_list_with_mistakes_shows_them_all_and_no_button(
    client: FlaskClient, loaded: Database, village_csv: Csv
) -> None:
    _, location, _ = upload(client, village_csv("99999;T01;thôn;Một", "06463;T02;thôn;=1+1", "06463;T02;ấp;Ba"))
    page = client.get(location).text
    assert "Còn 4 chỗ cần sửa" in page
    for said in ("A2", "mã 99999", "D3", "công thức", "B4", "đã có ở dòng 3", "C4", "ấp"):
        assert said in page
    assert "Nhập 3 thôn" not in page
    again = client.post(location)
    assert again.status_code == 422
    assert "Còn 4 chỗ cần sửa" in again.text
    listed = client.get(location + "/can-sua.csv")
    assert listed.headers["Content-Disposition"] == 'attachment; filename="can-sua.csv"'
    assert len(listed.data.decode("utf-8-sig").splitlines()) == 5
    with loaded.transaction(SYSTEM) as session:
        assert session.scalars(select(Place).where(Place.level == "village")).all() == []


def test_a_list_of_several_megabytes_passes_the_form(client: FlaskClient, village_csv: Csv) -> None:
    raw = village_csv(*(f"06463;T{n};thôn;Một tên dài cho tệp nặng hơn một chút {n}" for n in range(30_000)))
    assert len(raw) > 1.5 * 1024 * 1024
    status, location, _ = upload(client, raw)
    assert status == 303
    assert "Nhập 30.000 thôn" in client.get(location).text


@pytest.mark.parametrize("path", ["/dia-ban", "/dia-ban/nhom-xa"])
def test_only_the_import_form_takes_large_bodies(client: FlaskClient, path: str) -> None:
    assert client.post(path, data={"x": "y" * 1_500_000}).status_code in {405, 413}


def test_a_form_without_a_file_comes_back_with_the_reason(client: FlaskClient) -> None:
    answer = client.post("/dia-ban/nhap", data={"id": str(new_id()), "kind": "villages", "effective_on": "2025-07-01"})
    assert answer.status_code == 422
    assert "Chưa chọn tệp." in answer.text


def test_an_enormous_file_is_refused_before_it_is_read(client: FlaskClient) -> None:
    status, _, text = upload(client, b"x" * (media.MAX_BYTES + 1))
    assert status == 413
    assert "12 MB" in text
    status, _, _ = upload(client, b"x" * (media.MAX_BYTES + 2 * 1024 * 1024))
    assert status == 413


def test_the_import_page_explains_every_column_and_hands_out_templates(client: FlaskClient) -> None:
    page = client.get("/dia-ban/nhap").text
    for word in ("Mã xã", "Mã thôn", "Loại", "Tên thôn", "Nhãn"):
        assert word in page
    assert client.get("/dia-ban/nhap/mau/villages.csv").data.startswith(b"\xef\xbb\xbf")
    assert client.get("/dia-ban/nhap/mau/other.csv").status_code == 404


def preview_of(client: FlaskClient, raw: bytes, name: str = "thôn.csv", **fields: str) -> str:
    status, location, _ = upload(client, raw, name, **fields)
    assert status == 303
    return client.get(location).text


@pytest.mark.parametrize("kind", ["villages", "premises"])
def test_what_the_page_hands_out_sent_back_changes_nothing(
    client: FlaskClient, villages: dict[str, str], kind: str
) -> None:
    page = client.get("/dia-ban/nhap").text
    sample, current = f"/dia-ban/nhap/mau/{kind}.csv", f"/dia-ban/nhap/dang-co/{kind}.csv"
    assert sample in page
    assert current in page
    said = preview_of(client, client.get(sample).data, kind=kind)
    assert "Tệp chỉ có dòng ví dụ của tệp mẫu." in said
    assert "Mọi dòng trong tệp đã có sẵn" in preview_of(client, client.get(current).data, kind=kind)
    assert len(client.get(current).data.splitlines()) == 1 + len(villages)  # two villages, and two premises


LISTED = [("Mã xã", "Mã thôn", "Tên thôn"), ("06463", "T01", "thôn Một")]


def test_a_workbook_of_several_lists_is_chosen_from_without_a_script(client: FlaskClient, loaded: Database) -> None:
    second = Page([LISTED[0], ("06463", "T02", "thôn Hai & 2")], name="Năm “2025” & cũ", hidden=True)
    raw = book(
        Page([("Hướng dẫn",)], name="Hướng dẫn"), Page(LISTED, name="Năm 2026"), Page(LISTED, name="Bản sao"), second
    )
    status, location, _ = upload(client, raw, "thôn.xlsx")
    assert status == 303
    page = client.get(location).text
    assert "Tệp có 3 trang tính cùng đủ tiêu đề" in page
    assert '<select class="input" id="trang" name="trang" required>' in page
    assert "Năm “2025” &amp; cũ (đang ẩn)</option>" in page
    assert client.post(location).status_code == 422
    chosen = client.get(location, query_string={"trang": "Năm “2025” & cũ"}).text
    assert "Đọc trang tính “Năm “2025” &amp; cũ” (đang ẩn trong tệp)." in chosen
    assert "thôn Hai &amp; 2" in chosen
    action = re.search(r'<form method="post" class="stack" action="([^"]+)"', chosen)
    assert action is not None
    pressed = client.post(action.group(1))
    assert pressed.status_code == 303
    with loaded.transaction(SYSTEM) as session:
        assert session.scalars(select(Job.params)).one()["sheet"] == "Năm “2025” & cũ"


@pytest.mark.parametrize("trang", ["%00", "%5B", "x" * 201, "%F0%9F%98%80"])
def test_a_sheet_that_nobody_offered_gets_an_answer(client: FlaskClient, trang: str) -> None:
    _, location, _ = upload(client, book(Page(LISTED), Page(LISTED, name="B")), "thôn.xlsx")
    for path in (f"{location}?trang={trang}", f"{location}/can-sua.csv?trang={trang}"):
        assert client.get(path).status_code in {200, 400, 422}


def test_what_is_doubtful_is_ticked_before_it_is_imported(
    client: FlaskClient, villages: dict[str, str], village_csv: Csv
) -> None:
    assert len(villages) == 2
    _, location, _ = upload(client, village_csv("06463;MOI-1;thôn;Một"))
    page = client.get(location).text
    assert "Trùng tên trong xã Chi Lăng: thôn Một (MOI-1), thôn Một (T01)." in page
    seen = re.search(r'name="seen" value="(\w+)"', page)
    assert seen is not None
    unticked = client.post(location)
    assert unticked.status_code == 422
    assert named_in_box(unticked) == [("seen", "Đã xem")]
    assert client.post(location, data={"seen": seen.group(1)}).status_code == 303


def test_the_group_of_a_commune_is_set_with_its_basis(client: FlaskClient, loaded: Database) -> None:
    with loaded.transaction(SYSTEM) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        path = f"/dia-ban/{commune.id}/nhom"
    assert client.post(path, data={"value": "3", "valid_from": "2026-02-15", "basis": ""}).status_code == 422
    refused = client.post(path, data={"value": "4", "valid_from": "2026-02-15", "basis": "QĐ thử"})
    assert refused.status_code == 422
    assert "Chọn một mục trong danh sách." in refused.text
    assert client.post(path, data={"value": "3", "valid_from": "2026-02-15", "basis": "QĐ thử 1"}).status_code == 303
    with loaded.transaction(SYSTEM) as session:
        rows = [(a.value, a.basis) for a in session.scalars(select(PlaceAttribute))]
    assert rows == [("3", "QĐ thử 1")]
    assert "Còn 64 trên 65" in client.get("/dia-ban/nhom-xa").text
    assert "QĐ thử 1" in client.get(path).text


@pytest.mark.parametrize("role", [Role.FARMER, Role.COMMUNE_OFFICIAL, Role.COOPERATIVE_MANAGER])
def test_others_read_the_province_and_find_no_way_to_change_it(
    signed_in_as: MakeClient, as_role: Callable[[Role], Actor], loaded: Database, role: Role
) -> None:
    client = signed_in_as(as_role(role))
    page = client.get("/dia-ban")
    assert page.status_code == 200
    assert "/dia-ban/nhap" not in page.text
    with loaded.transaction(SYSTEM) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
    for path in (
        "/dia-ban/nhap",
        "/dia-ban/nhom-xa",
        "/dia-ban/nhap/mau/villages.csv",
        "/dia-ban/nhap/dang-co/villages.csv",
        f"/dia-ban/{commune.id}/nhom",
        f"/dia-ban/{commune.id}/ket-thuc",
        f"/dia-ban/{commune.id}/doi-ten",
        f"/dia-ban/nhap/{new_id()}",
    ):
        assert client.get(path).status_code == 403, path
    for path in (
        "/dia-ban/nhap",
        f"/dia-ban/{commune.id}",
        f"/dia-ban/{commune.id}/nhom",
        f"/dia-ban/{commune.id}/ket-thuc",
        f"/dia-ban/{commune.id}/doi-ten",
        f"/dia-ban/nhap/{new_id()}",
    ):
        assert client.post(path, data={"id": str(new_id())}).status_code == 403, path


def test_pages_answer_in_english_when_asked(client: FlaskClient) -> None:
    assert client.get("/dia-ban?lang=en").status_code == 200


def test_a_form_without_its_token_is_refused_also_with_a_file(
    app: Flask, client: FlaskClient, village_csv: Csv
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert upload(client, village_csv("06463;T01;thôn;Một"))[0] == 403


@pytest.mark.parametrize(
    ("page", "sent", "named"),
    [
        ("", {"last_day": "hôm qua"}, [("premises_id", "Hộ, trụ sở hoặc nhà văn hóa"), ("last_day", "Ngày cuối")]),
        ("/doi-ten", {"kind_word": "thôn"}, [("name", "Tên mới"), ("valid_from", "Áp dụng từ ngày")]),
        ("/doi-ten", {"kind_word": "phố", "name": "Hai", "valid_from": "2026-03-01"}, [("kind_word", "Loại")]),
        ("/ket-thuc", {"id": new_id()}, [("last_day", "Ngày cuối của thôn"), ("decision", "Căn cứ")]),
        ("/ket-thuc", {"id": new_id(), "last_day": "2025-07-31", "into": new_id(), "decision": "NQ thử 5"},
         [("into", "Nhập vào thôn nào")]),
        ("/nhom", {"value": "4"}, [("value", "Nhóm"), ("valid_from", "Áp dụng từ ngày"), ("basis", "Căn cứ")]),
    ],
)  # fmt: skip
def test_a_refused_form_names_each_wrong_field_and_leads_to_it(
    client: FlaskClient, villages: dict[str, str], page: str, sent: dict[str, object], named: list[tuple[str, str]]
) -> None:
    assert named_in_box(client.post(villages["T01"] + page, data=sent)) == named


def test_a_refused_list_names_each_wrong_field_and_leads_to_it(client: FlaskClient) -> None:
    sent = {"id": str(new_id()), "kind": "villages"}
    assert named_in_box(client.post("/dia-ban/nhap", data=sent)) == [("effective_on", "Áp dụng từ ngày")]
    nothing_chosen = client.post("/dia-ban/nhap", data=sent | {"effective_on": "2025-07-01"})
    assert named_in_box(nothing_chosen) == [("file", "Tệp Excel (.xlsx) hoặc CSV")]
