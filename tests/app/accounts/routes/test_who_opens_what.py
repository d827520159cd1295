"""Every page opens for who may and for nobody else, and no form acts without its token."""

import pytest
from flask import Flask

from app.db import new_id
from tests.app.accounts.routes.conftest import Browser
from tests.worlds.organisations import Province


def test_no_unsafe_route_acts_without_the_forms_token(app: Flask, browser: Browser, province: Province) -> None:
    client = browser("minh")
    values = {a: str(new_id()) for r in app.url_map.iter_rules() for a in r.arguments}
    values |= {"organisation_id": str(province["coop"]), "secret": "0" * 26, "purpose": "diary"}
    walked = 0
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or ()) or rule.endpoint.split(".")[0] not in {"accounts", "notices"}:
            continue
        url = app.url_map.bind("localhost").build(rule.endpoint, {a: values[a] for a in rule.arguments}, method="POST")
        answer = client.post(url, data={"word": "XÓA", "id": str(new_id())})
        assert answer.status_code == 403, rule
        walked += 1
    assert walked > 25
    assert province.one("SELECT count(*) FROM sign_ins WHERE ended_at IS NULL") == 1


PAGES_OF = {
    "minh": ["/tai-khoan", "/tai-khoan/sua", "/doi-mat-khau", "/dong-y", "/du-lieu-cua-toi", "/du-lieu-cua-toi/xoa",
             "/don-vi", "/don-vi/{coop}", "/don-vi/{coop}/sua", "/don-vi/{coop}/tru-so", "/don-vi/{household}/tru-so", "/don-vi/{coop}/them-nguoi", "/don-vi/{coop}/them-ho",
             "/don-vi/{household}", "/don-vi/{household}/nguoi/{lanh}", "/don-vi/{household}/nguoi/{lanh}/sua",
             "/xac-nhan-may", "/tin-bao", "/the", "/dang-nhap"],
    "admin": ["/don-vi", "/don-vi?q=don+vi", "/don-vi/moi", "/don-vi/{coop}", "/don-vi/{office}/them-nguoi",
              "/don-vi/{coop}/nguoi/{minh}", "/quan-tri/yeu-cau-du-lieu", "/tin-bao"],
    "xa": ["/don-vi", "/don-vi/{coop}", "/don-vi/{household}", "/du-lieu-cua-toi"],
    "lanh": ["/tai-khoan", "/dong-y", "/du-lieu-cua-toi", "/don-vi/{household}"],
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES_OF)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_page_opens_for_who_may(browser: Browser, province: Province, name: str, language: str) -> None:
    client = browser(name)
    for path in PAGES_OF[name]:
        answer = client.get(path.format(**province.ids), query_string={"lang": language} if "?" not in path else None)
        assert answer.status_code == 200, path
        assert "<h1" in answer.text, path
        assert "style=" not in answer.text, path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("khac", "/don-vi/{coop}/sua"),
        ("khac", "/don-vi/{coop}/tru-so"),
        ("khac", "/don-vi/{household}"),
        ("khac", "/don-vi/{household}/nguoi/{lanh}"),
        ("khac", "/don-vi/{coop}/them-nguoi"),
        ("xa", "/don-vi/{household}/nguoi/{lanh}"),
        ("xa", "/don-vi/{other_household}"),
        ("lanh", "/don-vi/moi"),
        ("lanh", "/xac-nhan-may"),
        ("minh", "/quan-tri/yeu-cau-du-lieu"),
        ("minh", "/don-vi/moi"),
    ],
)
def test_nobody_opens_what_is_not_theirs(browser: Browser, province: Province, name: str, path: str) -> None:
    answer = browser(name).get(path.format(**province.ids))
    assert answer.status_code in {403, 404}
    for secret in ("Hoàng Thị Lành", "0912 000 005", "Hộ household", "Hộ other_household"):
        assert secret not in answer.text
