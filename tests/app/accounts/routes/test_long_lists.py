"""The lists of people and organisations by pages: each row once, counted, found by its name, and dear to nobody."""

import re
from uuid import UUID

import pytest

from app.accounts.queries.organisations import BESIDE_PEOPLE
from app.actor import Role
from app.db import fold, new_id
from tests.app.accounts.routes.conftest import Browser
from tests.app.long_lists import MOST_STATEMENTS, counted_statements, every, pages
from tests.worlds.organisations import Province

HOUSEHOLD = r'<th scope="row"><a href="/don-vi/[0-9a-f-]+">([^<]+)</a>'
NAMES = [f"Hộ số {n}" for n in range(1, 121)]


def households(province: Province, number: int, *, member_of: UUID | None = None, farmer: UUID | None = None) -> None:
    """So many households "Hộ số 1", "Hộ số 2", … in the village; members of a cooperative, of one and the same farmer."""
    asked = {
        "n": number,
        "village": province["village"],
        "commune": province["commune"],
        "coop": member_of,
        "who": farmer,
    }
    province.rows(
        """WITH made AS (
               INSERT INTO organisations (id, kind, name, village_id, commune_id, created_at, version)
               SELECT gen_random_uuid(), 'household', 'Hộ số ' || n, :village, :commune, now(), 1
                 FROM generate_series(1, CAST(:n AS int)) n RETURNING id),
           joined AS (
               INSERT INTO household_memberships (id, household_id, cooperative_id, valid_from, recorded_at)
               SELECT gen_random_uuid(), id, CAST(:coop AS uuid), '2026-01-01', now() FROM made WHERE CAST(:coop AS uuid) IS NOT NULL),
           held AS (
               INSERT INTO memberships (id, person_id, organisation_id, role, valid_from, recorded_at)
               SELECT gen_random_uuid(), CAST(:who AS uuid), id, 'farmer', '2026-01-01', now() FROM made WHERE CAST(:who AS uuid) IS NOT NULL)
           SELECT count(*) FROM made""",
        **asked,
    )


def test_members_of_a_cooperative_come_in_pages_and_cost_the_same(browser: Browser, province: Province) -> None:
    at, minh = f"/don-vi/{province['coop']}", browser("minh")
    with counted_statements(province.database) as few:
        assert "Hộ thành viên (1)" in minh.get(at).text
    assert 'name="q"' not in minh.get(at).text, "nothing to search in a list of one"
    households(province, 120, member_of=province["coop"], farmer=province["lanh"])
    assert every(minh, at, HOUSEHOLD, within='id="ho"', size=BESIDE_PEOPLE) == ["Hộ household", *NAMES]
    with counted_statements(province.database) as many:
        shown = minh.get(at).text
    assert len(many) <= len(few), many
    assert len(many) <= MOST_STATEMENTS, many
    assert "Hộ thành viên (121)" in shown
    assert "Hộ số 119<" not in shown
    assert re.findall(HOUSEHOLD, minh.get(f"{at}?q=ho so 119").text) == ["Hộ số 119"]
    assert "bác Hoàng Thị Lành" in minh.get(f"{at}?q=ho so 119").text
    assert "Không có hộ thành viên nào tên như vậy." in minh.get(f"{at}?q=khong co").text


def test_the_people_of_an_organisation_come_in_pages(browser: Browser, province: Province) -> None:
    province.rows(
        """WITH made AS (INSERT INTO people (id, created_at) SELECT gen_random_uuid(), now() FROM generate_series(1, 120) RETURNING id),
               named AS (INSERT INTO personal_data (person_id, full_name, address_as, language, updated_at)
                         SELECT id, 'Nông Văn ' || row_number() OVER (), 'bác', 'vi', now() FROM made)
           INSERT INTO memberships (id, person_id, organisation_id, role, valid_from, recorded_at)
           SELECT gen_random_uuid(), id, :coop, 'purchaser', '2026-01-01', now() FROM made RETURNING 1""",
        coop=province["coop"],
    )
    at, minh = f"/don-vi/{province['coop']}", browser("minh")
    row = r'<th scope="row"><a href="/don-vi/[0-9a-f-]+/nguoi/[0-9a-f-]+">bác ([^<]+)</a>'
    wanted = {"Vi Văn Minh", *(f"Nông Văn {n}" for n in range(1, 121))}
    assert set(every(minh, at, row)) == wanted
    assert "Người và vai trò (121)" in minh.get(at).text
    assert re.findall(row, minh.get(f"{at}?q=nong van 77").text) == ["Nông Văn 77"]


def test_all_organisations_are_reached_searched_and_filtered(browser: Browser, province: Province) -> None:
    households(province, 120)
    province.person("admin", "office", "tinh", "Nông Thị Tỉnh", Role.PROVINCE_OFFICIAL, "0912 000 009", "province")
    tinh, row = browser("tinh"), r'<th scope="row"><a href="/don-vi/[0-9a-f-]+">([^<]+)</a>'
    there = every(tinh, "/don-vi", row)
    assert there == sorted(there, key=lambda name: re.sub(r"\d+", lambda n: n[0].zfill(4), fold(name)))
    assert set(NAMES) < set(there)
    assert f"Đơn vị và hộ: {len(there)}" in tinh.get("/don-vi").text
    with counted_statements(province.database) as sent:
        found = tinh.get("/don-vi?q=ho so 117").text
    assert re.findall(row, found) == ["Hộ số 117"]
    assert len(sent) <= MOST_STATEMENTS
    assert re.findall(row, tinh.get("/don-vi?loai=cooperative").text) == ["Đơn vị coop", "Đơn vị other"]
    far = tinh.get(f"/don-vi?xa={province['far_commune']}").text
    assert re.findall(row, far) == ["Đơn vị other", "Hộ other_household"]
    households(province, 1001)
    assert "Đơn vị và hộ: hơn 1.000" in tinh.get("/don-vi").text
    assert "Đơn vị và hộ: hơn 1.000" in tinh.get("/don-vi?q=ho so").text
    assert re.findall(row, tinh.get("/don-vi?q=ho so 1001").text) == ["Hộ số 1001"]


def test_a_tax_code_finds_an_organisation_and_never_a_person(browser: Browser, province: Province) -> None:
    change = "UPDATE organisations SET tax_code = :code WHERE id = :id RETURNING id"
    province.rows(change, code="4900123456", id=province["coop"])
    province.rows(change, code="020185001234", id=province["household"])
    admin, row = browser("admin"), r'<th scope="row"><a href="/don-vi/[0-9a-f-]+">([^<]+)</a>'
    assert re.findall(row, admin.get("/don-vi?q=4900123456").text) == ["Đơn vị coop"]
    assert re.findall(row, admin.get("/don-vi?q=020185001234").text) == []
    assert re.findall(row, browser("khac").get("/don-vi?q=4900123456").text) == []
    assert re.findall(row, admin.get("/don-vi?q=%25").text) == [], "a sign of patterns is a letter like others"


def test_a_person_of_120_households_finds_each_of_them(browser: Browser, province: Province) -> None:
    households(province, 120, farmer=province["lanh"])
    lanh = browser("lanh")
    row = r'<a class="link-row log inset" href="/nong-dan\?ho=[0-9a-f-]+">.*?<b>([^<]+)</b>'
    assert every(lanh, "/nong-dan/ho", row) == ["Hộ household", *NAMES]
    assert "Ghi được cho 121 nhà" in lanh.get("/nong-dan/ho").text
    assert re.findall(row, lanh.get("/nong-dan/ho?q=ho so 118").text) == ["Hộ số 118"]
    roles = r'<a href="/don-vi/([0-9a-f-]+)">'
    assert len(every(lanh, "/tai-khoan", roles, within='id="vai-tro"')) == 121
    assert "Vai trò (121)" in lanh.get("/tai-khoan").text
    bar = re.sub(r"\s+", " ", lanh.get("/tin-bao").text)
    assert "Hộ household, Hộ số 1, Hộ số 10 và 118 đơn vị khác" in bar


def test_ones_own_trail_sign_ins_phones_and_requests_come_in_pages(browser: Browser, province: Province) -> None:
    lanh, who = browser("lanh"), province["lanh"]
    again = "generate_series(1, 120) n RETURNING 1"
    province.rows(
        f"""INSERT INTO audit_entries (id, at, action, actor_kind, request_id, subject_id, detail)
            SELECT gen_random_uuid(), timestamptz '2026-01-01' + n * interval '1 minute', 'accounts:sign_in:start', 'system', '', :who,
                   jsonb_build_object('device', 'Máy ' || n) FROM {again}""",
        who=who,
    )
    province.rows(
        f"""INSERT INTO sign_ins (id, person_id, token_sha256, method, description, started_at, last_seen_at, expires_at)
            SELECT gen_random_uuid(), :who, sha256(n::text::bytea), 'password', 'Trình duyệt ' || n, now(),
                   now() - n * interval '1 minute', now() + interval '1 day' FROM {again}""",
        who=who,
    )
    province.rows(
        f"""INSERT INTO data_requests (id, person_id, kind, detail, received_at, answer_due_at, fulfil_due_at)
            SELECT gen_random_uuid(), :who, 'see', '', timestamptz '2026-01-01' + n * interval '1 day', now(),
                   timestamptz '2027-01-01' + n * interval '1 minute' FROM {again}""",
        who=who,
    )
    found = every(lanh, "/tai-khoan/dang-nhap", r"<small>(Máy \d+|Firefox)")
    assert found == ["Firefox", *(f"Máy {n}" for n in range(120, 0, -1))]
    open_now = every(lanh, "/tai-khoan", r'<span class="grow"><b>([^<]+)</b>', within='id="may"')
    assert set(open_now) == {"Firefox", *(f"Trình duyệt {n}" for n in range(1, 121))}
    assert len(every(lanh, "/du-lieu-cua-toi", r"<b>Xem thêm</b> · ([0-9/: ]+)", within='id="yeu-cau"')) == 120
    admin = browser("admin")
    assert len(every(admin, "/quan-tri/yeu-cau-du-lieu", r'href="/quan-tri/yeu-cau-du-lieu/([0-9a-f-]+)"')) == 120
    assert "Chưa xong: 120" in admin.get("/quan-tri/yeu-cau-du-lieu").text


def test_jobs_are_all_reached(browser: Browser, province: Province) -> None:
    province.rows(
        """INSERT INTO jobs (id, kind, title, params, person_id, state, done, queued_at)
           SELECT gen_random_uuid(), 'x', '{"vi": "Việc"}', '{}', :who, 'done', 0, now() - n * interval '1 minute'
             FROM generate_series(1, 120) n RETURNING 1""",
        who=province["minh"],
    )
    minh = browser("minh")
    assert len(every(minh, "/viec-nen", r'href="/viec-nen/([0-9a-f-]+)"')) == 120
    assert "Đã giao: 120" in minh.get("/viec-nen").text


def test_notices_that_want_to_be_seen_come_first_and_all_are_reached(browser: Browser, province: Province) -> None:
    lanh, row = browser("lanh"), r'<h2 class="grow">(Tin \d+)</h2>'

    def tell(first: int, last: int, seen: str) -> None:
        province.rows(
            f"""INSERT INTO notices (id, person_id, key, reason, urgency, title, body, created_at, seen_at)
                SELECT gen_random_uuid(), :who, 'k' || n, 'x', 'normal', jsonb_build_object('vi', 'Tin ' || n), '{{"vi": "x"}}',
                       timestamptz '2026-01-01' + n * interval '1 minute', {seen} FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n RETURNING 1""",
            who=province["lanh"], first=first, last=last,
        )  # fmt: skip

    tell(1, 70, "NULL")
    tell(71, 190, "now()")
    wanted = [f"Tin {n}" for n in [*range(70, 0, -1), *range(190, 70, -1)]]
    forward = [one for page in pages(lanh, "/tin-bao", row) for one in page]
    assert forward == wanted
    assert "190 tin" in lanh.get("/tin-bao").text
    assert "Tin báo: 70 chưa xem" in lanh.get("/tin-bao").text
    tell(200, 230, "NULL")
    assert '<b aria-hidden="true">99+</b>' in lanh.get("/tin-bao").text
    province.rows("UPDATE notices SET seen_at = now() WHERE created_at > '2026-01-01 00:50:30Z' RETURNING 1")
    assert len([one for page in pages(lanh, "/tin-bao", row) for one in page]) == 221, (
        "exactly one page that wants to be seen"
    )


@pytest.mark.parametrize(
    "at",
    ["/don-vi?trang=x", "/don-vi/{coop}?trang=x", "/don-vi/{coop}?trang_ho=x", "/don-vi/{coop}?trang_moi=s!!", "/tin-bao?trang=x",
     "/tin-bao?trang=cx", "/tai-khoan?trang=x", "/tai-khoan?trang_phien=x", "/tai-khoan?trang_may=x", "/tai-khoan/dang-nhap?trang=x",
     "/du-lieu-cua-toi?trang_yeu_cau=x", "/viec-nen?trang=x", "/xac-nhan-may?trang=x", "/nong-dan/ho?trang=x"],
)  # fmt: skip
def test_a_mark_that_is_none_is_refused_in_words(browser: Browser, province: Province, at: str) -> None:
    answer = browser("minh").get(at.format(coop=province["coop"]))
    assert answer.status_code == 400
    assert "Địa chỉ của trang này không đúng. Hãy mở lại danh sách từ đầu." in answer.text


def test_a_new_id_is_not_a_mark(browser: Browser, province: Province) -> None:
    assert browser("admin").get(f"/quan-tri/yeu-cau-du-lieu?trang={new_id()}").status_code == 400
