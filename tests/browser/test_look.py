"""Every page, as every person of the demo meets it: at both sizes, in both languages, by day and by night, open to everybody."""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from http import HTTPStatus
from io import BytesIO
from itertools import product
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError
from sqlalchemy import select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app import clock
from app.accounts import signin
from app.accounts.models import PersonalData, SignInMethod
from app.actor import SYSTEM
from app.criteria import queries as criteria
from app.db import new_id
from app.web import LANGUAGE_COOKIE, SIGN_IN_COOKIE
from demo import cast
from demo.factory import create_app
from demo.loader import samples
from demo.names import key
from tests.browser.conftest import Province

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEED, SAMPLE = 2026, 48
WORDS = 3
# Each word of these is a page of its own look: in the long run somebody opens every one.
MANY = {"official.criterion", "criteria.record", "farmer.write"}
SIZES = ((360, 640), (1280, 800))
LANGUAGES = ("vi", "en")
THEMES = ("light", "dark")
VARIANTS = tuple(product(SIZES, LANGUAGES, THEMES))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDEST = """() => { const wide = document.documentElement.clientWidth;
  return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > wide + 1)
    .slice(0, 3).map(e => e.outerHTML.slice(0, 90)); }"""
# A bar that stays at the edge covers whatever lies there at the moment; scrolling frees it, so it is no fault of a target's size.
FREED = """() => { for (const e of document.querySelectorAll('body *'))
  if (['fixed', 'sticky'].includes(getComputedStyle(e).position)) e.style.position = 'static'; }"""
NOBODY = "khách"

# Addresses that no link leads to, with the reason; everything else must be found by following links.
UNLINKED = {
    "static": "files",
    "_healthz": "for machines",
    "_readyz": "for machines",
    "_metrics": "for machines",
    "uploads.state": "for phones",
    "pictures.picture_file": "for marketplaces",
    "consumer.type_code_slash": "the same page, typed with a slash",
    "consumer.type_code_capital": "the same page, typed with a capital letter",
    "consumer.short_capital": "leads to the page of the code, typed with a capital letter",
    "marketplace_sync.check": "seen for the seconds in which a shop is asked",
    "consumer.gs1": "no product of the demo has a GTIN",
    "consumer.report_gs1": "no product of the demo has a GTIN",
    "accounts.after_sign_in": "goes on, after signing in",
    "accounts.household_joins": "every household of the demo is in a cooperative",
    "certifier.correct_finding_form": "the demo's certifier has found nothing yet",
    "trace.batch_code": "the lot's page again, after a refused form",
    "trace.batch_decision": "the lot's page again, after a refused form",
    "trace.batch_stock": "the lot's page again, after a refused form",
    "marketplace_sync.act_form": "the listing again, after a refused verb",
    "marketplace_sync.decide_form": "the list again, after a refused form",
    "trace.conflicts": "linked only where something was sent twice, differently, and nothing in the demo was",
    "marketplace_sync.offers": "linked only where more packs may be offered than the page of sales shows",
    "accounts.move_organisation": "linked only where an organisation has no seat, and all of the demo have theirs",
}
# Asked for by no link but by what one does: somebody's first page, a first password, a long job just given.
STARTS = ("/", "/doi-mat-khau", "/viec-nen")
# Whose card is still to be printed: of the many people of a cooperative, one page is opened.
ALSO = {"hop-tac-xa": (f"/don-vi/{key('organisation', 'household-story-0')}/nguoi/{key('person', 'nong-dan')}",)}
# One form of each kind, sent with every field emptied: what a person reads who left something out.
REFUSED = {
    "accounts.change_password",
    "criteria.choose",
    "criteria.record",
    "farmer.write",
    "places.end_form",
    "places.group_form",
    "places.new_import",
    "places.rename_form",
    "places.show",
}
FORM = re.compile(r'<main.*<form[^>]*\bmethod="post".*</main>', re.DOTALL)
EMPTIED = """() => { const form = document.querySelector('main form[method=post]');
  for (const e of form.querySelectorAll('input:not([type=hidden]),select,textarea')) {
    if (['checkbox', 'radio'].includes(e.type)) e.checked = false; else e.value = ''; }
  form.noValidate = true; form.requestSubmit(); }"""
NOBODYS = ("/", "/_style", "/tra-cuu", "/t/khong-phai-ma", "/khong-co-trang-nay")
LOOKS = ("xem", "ngay")  # tiles instead of a table; a day in the past
BROKEN = {"/t/khong-phai-ma": 400, "/khong-co-trang-nay": 404}  # pages too: what one reads when something is not there
LISTED = "Mã xã,Tên thôn\n06463,Nà Mẫu Mới\n99999,Không ở đâu\n"


@dataclass(frozen=True, slots=True)
class Visit:
    """One page as one person meets it; `refused`: its form comes back with what is missing."""

    who: str
    endpoint: str
    path: str
    refused: bool = False

    @property
    def kind(self) -> tuple[str, bool, str]:
        """What is looked at in the short run: one page of each endpoint, one view of a page with another look."""
        return self.endpoint, self.refused, "&".join(sorted(q for q in LOOKS if f"{q}=" in urlsplit(self.path).query))


@dataclass(slots=True)
class Walk:
    """What following links from everybody's first page has found."""

    visits: list[Visit] = field(default_factory=list)
    pages: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    words: set[tuple[str, str]] = field(default_factory=set)
    forms: dict[str, Visit] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)


class Links(HTMLParser):
    """The addresses that a page's links lead to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and (href := named.get("href")) and not href.startswith("#"):
            self.found.append(href)


def endpoint_of(app: Flask, path: str) -> tuple[str, str] | None:
    """The endpoint of an address, and its words that are no ids: pages of one kind, in their variety."""
    try:
        endpoint, values = app.url_map.bind("localhost").match(unquote(urlsplit(path).path))
    except (HTTPException, RequestRedirect):
        return None
    words = [str(v) for n, v in sorted(values.items()) if isinstance(v, str) and n not in {"text", "code", "secret"}]
    return endpoint, "/".join(words)


def follow(app: Flask, client: FlaskClient, who: str, start: list[str], walk: Walk, *, everything: bool) -> None:
    """Follow links breadth first: all of `start`, then of each kind of page one, of a page that comes in many words three."""
    waiting = [(path, "") for path in start]
    opened: set[tuple[str, str]] = set()
    words: dict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    while waiting:
        path, came_from = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        if path in BROKEN:
            walk.visits.append(Visit(who, path, path))
            continue
        found = endpoint_of(app, path)
        if found is None:
            walk.dead.append(f"{who}: {came_from} → {path}: no such address")
            continue
        endpoint, word = found
        words[endpoint].add(word)
        first_of_all = everything and endpoint in MANY and found not in walk.words
        enough = len(words[endpoint]) > WORDS and not first_of_all
        if path not in start and (found in opened or enough):
            continue
        walk.words.add(found)
        opened.add(found)
        answer = client.get(path)
        if answer.status_code in {301, 302, 303, 307, 308}:
            walk.reached.add(endpoint)
            waiting.append((local(answer.headers["Location"], path), path))
            continue
        if answer.status_code != 200:
            walk.dead.append(f"{who}: {came_from} → {path}: {answer.status_code}")
            continue
        walk.reached.add(endpoint)
        if answer.mimetype != "text/html":
            continue
        walk.visits.append(Visit(who, endpoint, path))
        html = answer.get_data(as_text=True)
        if endpoint in REFUSED and FORM.search(html):
            walk.forms.setdefault(endpoint, walk.visits[-1])
        for href in Links(html).found:
            inside = local(href, path)
            if inside.startswith("/"):
                waiting.append((inside, path))


def local(href: str, path: str) -> str:
    """An address on this web without its fragment; "" for one that leads elsewhere."""
    parts = urlsplit(urljoin(f"http://localhost{path}", href))
    if parts.hostname != "localhost" or parts.port is not None:
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def prepare(app: Flask, tokens: dict[str, str], card: str) -> None:
    """What only somebody's act brings about: a phone that waits, a request about one's data, a list to bring in."""
    app.config["WTF_CSRF_ENABLED"] = False
    asked = app.test_client().post(f"{card}/hoi", data={"id": str(new_id())})
    assert asked.status_code == 303, asked.get_data(as_text=True)
    for who, path, data in (
        ("nong-dan", "/du-lieu-cua-toi", {"id": str(new_id()), "kind": "see", "detail": "Cho tôi xem."}),
        (
            "tinh",
            "/dia-ban/nhap",
            {
                "id": str(new_id()),
                "kind": "villages",
                "effective_on": f"{clock.today()}",
                "file": (BytesIO(LISTED.encode()), "thon.csv"),
            },
        ),
    ):
        client = app.test_client()
        client.set_cookie(SIGN_IN_COOKIE, tokens[who])
        answer = client.post(path, data=data)
        assert answer.status_code == 303, answer.get_data(as_text=True)


def asked_for(*, everything: bool) -> dict[str, list[str]]:
    """Pages in a look that no first link shows; in the long run every criterion of the four villages with a part in the demo."""
    villages = {v.key: f"/thon/{key('village', v.key)}" for v in cast.VILLAGES}
    day = clock.today() - timedelta(days=30)
    found = ["/tinh?xem=o", f"{villages['story']}?ngay={day}&biet_den={day}"]
    village = f"/dia-ban/{key('village', 'passing')}"
    found += [village, f"{village}/ket-thuc", f"{village}/doi-ten"]
    if everything:
        found += [f"{v}/tieu-chi/{c.id}" for v in villages.values() for c in criteria.pack().criterion]
    return {"tinh": found}


def walk_everywhere(demo: Province, *, everything: bool) -> tuple[Walk, dict[str, str]]:
    """Every page that links reach, of everybody in the demo; and the token each one is signed in with."""
    app = create_app(demo.running.settings, demo.database)
    walk = Walk(pages={r.endpoint for r in app.url_map.iter_rules() if "GET" in (r.methods or ())})
    with demo.database.transaction(SYSTEM) as session:
        given = samples(session, demo.running.settings)
        people = {r.phone: r.person_id for r in session.execute(select(PersonalData.phone, PersonalData.person_id))}
        tokens = {
            p.key: signin.start(session, SYSTEM, people[p.phone], method=SignInMethod.PASSWORD, agent="look").token
            for p in cast.PLAYERS
        }
    prepare(app, tokens, given.card or "")
    follow(app, app.test_client(), NOBODY, [*NOBODYS, given.card or "/the"], walk, everything=everything)
    asked = asked_for(everything=everything)
    for who, token in tokens.items():
        client = app.test_client()
        client.set_cookie(SIGN_IN_COOKIE, token)
        start = [*STARTS, *ALSO.get(who, ()), *asked.get(who, ())]
        follow(app, client, who, start, walk, everything=everything)
    assert walk.forms.keys() == REFUSED
    walk.visits += [replace(visit, refused=True) for visit in walk.forms.values()]
    return walk, tokens


@dataclass(slots=True)
class Eyes:
    """Looks at pages in browsers that stay open from page to page."""

    browser: Browser
    url: str
    tokens: dict[str, str]
    problems: list[str] = field(default_factory=list)
    _open: dict[tuple[object, ...], Page] = field(default_factory=dict)
    _contexts: list[BrowserContext] = field(default_factory=list)
    _heard: list[str] = field(default_factory=list)

    def page(self, who: str, size: tuple[int, int], language: str, theme: str) -> Page:
        known = (who, size, language, theme)
        if known not in self._open:
            context = self.browser.new_context(
                base_url=self.url,
                viewport={"width": size[0], "height": size[1]},
                locale="vi-VN" if language == "vi" else "en-GB",
                color_scheme="dark" if theme == "dark" else "light",
            )
            self._contexts.append(context)
            context.add_cookies([{"name": LANGUAGE_COOKIE, "value": language, "url": self.url}])
            if who in self.tokens:
                context.add_cookies([{"name": SIGN_IN_COOKIE, "value": self.tokens[who], "url": self.url}])
            page = self._open[known] = context.new_page()
            page.on("console", lambda m: self._heard.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda e: self._heard.append(str(e)))
        return self._open[known]

    def look(self, visit: Visit, size: tuple[int, int], language: str, theme: str) -> None:
        page = self.page(visit.who, size, language, theme)
        path = visit.path
        if visit.endpoint.startswith("consumer.") and language == "en":
            path += "&lang=en" if "?" in path else "?lang=en"
        where = f"{visit.who} {path} {size[0]} {language} {theme}{' refused' if visit.refused else ''}"
        self._heard.clear()
        for once_more in (True, False):
            try:
                answer = page.goto(path)
                if visit.refused:
                    with page.expect_navigation() as sent:
                        page.evaluate(EMPTIED)
                    answer = sent.value
                found = self._seen(page)
            except PlaywrightError as error:  # pages that wait for news renew themselves, also while we look
                if once_more and ("context was destroyed" in error.message or "interrupted" in error.message):
                    continue
                raise
            break
        wanted = 422 if visit.refused else BROKEN.get(visit.path, 200)
        if answer is None or answer.status != wanted:
            found.append(f"status {answer.status if answer else 'none'}")
        if wanted != HTTPStatus.OK:  # the browser's own word on it
            self._heard = [text for text in self._heard if "Failed to load resource" not in text]
        self.problems += [f"{where}: {what}" for what in found + [f"console: {text}" for text in self._heard]]

    def _seen(self, page: Page) -> list[str]:
        found = []
        if wider := page.evaluate(WIDER):
            found.append(f"{wider} px too wide: {page.evaluate(WIDEST)}")
        page.evaluate(FREED)
        broken = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
        for one in broken:
            node = one["nodes"][0]
            found.append(f"{one['id']} × {len(one['nodes'])}: {node['html'][:120]} {short(node['failureSummary'])}")
        return found

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def short(summary: str) -> str:
    return re.sub(r"\s+", " ", summary)[:200]


Way = tuple[tuple[int, int], str, str]  # a size, a language, a theme


def plan(visits: list[Visit], way: Way | None) -> Iterator[tuple[Visit, tuple[int, int], str, str]]:
    """Everything in this one way; else some kinds of pages, always the same, the ways taken in turn."""
    if way is not None:
        for visit in visits:
            yield visit, *way
        return
    kinds: dict[tuple[str, bool, str], Visit] = {}
    for visit in visits:
        kinds.setdefault(visit.kind, visit)
    chosen = random.Random(SEED).sample(sorted(kinds), min(SAMPLE, len(kinds)))
    for number, kind in enumerate(chosen):
        size, language, theme = VARIANTS[number % len(VARIANTS)]
        yield kinds[kind], size, language, theme


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """In the long run each of the eight ways is a test of its own, so that the workers share an hour of looking."""
    if "way" in metafunc.fixturenames:
        ways = VARIANTS if metafunc.config.getoption("--long") else (None,)
        metafunc.parametrize("way", ways, ids=lambda w: "sampled" if w is None else f"{w[0][0]}-{w[1]}-{w[2]}")


def test_every_page_is_whole_and_open_to_everybody(
    province: Callable[..., Province], browser: Browser, way: Way | None
) -> None:
    demo = province("web", "relay", "worker", "bulk", "caller")
    walk, tokens = walk_everywhere(demo, everything=way is not None)
    assert walk.dead == []
    assert walk.pages - walk.reached - UNLINKED.keys() == set()
    eyes = Eyes(browser, demo.url, tokens)
    for visit, size, language, theme in plan(walk.visits, way):
        eyes.look(visit, size, language, theme)
    eyes.close()
    assert not eyes.problems, "\n".join(eyes.problems)
