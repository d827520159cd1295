"""In the demo every page and file with a real commune's name says that what it shows is invented; elsewhere none does."""

import csv
import io
import re
from pathlib import Path

import pytest
from flask import Flask

import app as package
from app.factory import create_app
from app.settings import Settings
from tests.app.doors.official.conftest import SignIn
from tests.worlds.village import Province

SIGN = "Bản mẫu: người, thôn, số quyết định đều bịa ra."
PAGES = (
    "/tinh", "/tinh/tieu-chi/ocop-tren-san", "/xa/{commune}", "/xa/{commune}/tieu-chi/ocop-tren-san",
    "/thon/{village}", "/thon/{village}/in", "/thon/{village}/tieu-chi/ocop-tren-san",
)  # fmt: skip
FILES = ("/tinh/thon.csv", "/xa/{commune}/thon.csv")
TEMPLATES = sorted(Path(package.__path__[0]).glob("**/templates/**/*.html"))


@pytest.fixture(params=[True, False], ids=["demo", "real"])
def demo(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def app(settings: Settings, province: Province, demo: bool) -> Flask:  # noqa: FBT001 - a fixture's value
    made = create_app(settings.model_copy(update={"demo": demo}), province.database)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


def test_pages_of_the_demo_bear_its_sign_once(province: Province, sign_in: SignIn, demo: bool) -> None:  # noqa: FBT001 - a fixture's value
    client = sign_in("province")
    for path in PAGES:
        page = client.get(path.format(commune=province.commune, village=province.village))
        assert (page.status_code, page.text.count(SIGN)) == (200, int(demo)), path


def test_every_line_of_the_demos_lists_bears_its_sign(province: Province, sign_in: SignIn, demo: bool) -> None:  # noqa: FBT001 - a fixture's value
    client = sign_in("province")
    for path in FILES:
        raw = client.get(path.format(commune=province.commune)).data.decode("utf-8-sig")
        head, *rows = csv.reader(io.StringIO(raw), delimiter=";")
        assert head[-1] == ("Ghi chú" if demo else "Tính lúc")
        assert rows
        assert {row[-1] == "dữ liệu mẫu" for row in rows} == {demo}


def test_no_page_can_drop_the_sign() -> None:
    """It stands in the block `page` of the desk and of paper; whoever replaces that block must bring it along."""
    bringers = set()
    for template in TEMPLATES:
        text = template.read_text(encoding="utf-8")
        if '{% include "sample.html" %}' in text:
            bringers.add(template.name)
            before = text.partition('{% include "sample.html" %}')[0]
            opened = re.findall(r"{%-? block (\w+) -?%}", before)
            closed = len(re.findall(r"{%-? endblock -?%}", before))
            assert len(opened) - closed == 1, template.name
        elif re.search(r'{% extends "(desk|print)\.html" %}', text):
            assert "{% block page %}" not in text, template.name
    assert bringers == {"desk.html", "print.html"}
