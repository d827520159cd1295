"""No request waits for another company's server: what dials asks first whether a request is being answered."""

import ast
from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask, Response
from pydantic import SecretStr

from app import answering
from app.factory import create_app
from app.marketplace_sync.channels.http import Http, Redactor
from app.notices.carriers import OUTSIDE, Message, Recipient
from app.settings import ROOT, Settings
from tests.conftest import OneTransaction

# What can open a connection to somebody else, and who of ours may use it. Each of these asks `answering` first, below.
DIALLING = {
    "httpx",
    "smtplib",
    "requests",
    "aiohttp",
    "ftplib",
    "http.client",
    "urllib.request",
    "urllib3",
    "xmlrpc.client",
}
DIALS = {"app/marketplace_sync/channels/http.py", "app/notices/carriers.py"}
# httpx for its types and its reading of addresses; our own servers.
NAMES_ONLY = {
    "app/marketplace_sync/channels/woocommerce/channel.py",
    "app/marketplace_sync/channels/woocommerce/pages.py",
    "app/marketplace_sync/channels/woocommerce/refusals.py",
}
OF_OURS = ("app/supervisor/", "app/local/", "app/cli/")


def importers() -> dict[str, ast.Module]:
    found = {}
    for top in ("app", "worker", "demo"):
        for path in (ROOT / top).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
            names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
            if any(name == d or name.startswith(f"{d}.") for name in names for d in DIALLING):
                found[path.relative_to(ROOT).as_posix()] = tree
    return found


def test_only_two_modules_dial_anybody() -> None:
    found = importers()
    assert {name for name in found if not name.startswith(OF_OURS)} == DIALS | NAMES_ONLY
    for name in NAMES_ONLY & found.keys():
        used = {ast.unparse(n) for n in ast.walk(found[name]) if isinstance(n, ast.Attribute)}
        opened = {
            u
            for u in used
            if u.startswith("httpx.") and u.split(".")[1] in {"Client", "get", "post", "request", "stream"}
        }
        assert opened == set(), name


@pytest.fixture
def answered() -> Iterator[None]:
    answering.begin("/san")
    yield
    answering.end()


def call_a_shop() -> None:
    Http(allow_private=True, redact=Redactor([])).send("GET", "http://127.0.0.1:9/", writes=False)


def send_a_mail(settings: Settings) -> None:
    own = settings.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:9")})
    message = Message(UUID(int=1), "Tin", "Tin", None, "low")
    for carrier in OUTSIDE:
        carrier.send(own, Recipient("vi", "ai@example.vn"), message)


@pytest.mark.usefixtures("answered")
def test_whoever_dials_refuses_while_a_request_is_answered(settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="while /san is answered"):
        call_a_shop()
    with pytest.raises(RuntimeError, match="while /san is answered"):
        send_a_mail(settings)


def test_every_request_is_answered_under_this_rule_and_no_longer(settings: Settings, database: OneTransaction) -> None:
    app: Flask = create_app(settings, database)
    seen: list[str] = []

    def dials() -> Response:
        try:
            call_a_shop()
        except RuntimeError as refusal:
            seen.append(str(refusal))
        return Response("")

    app.add_url_rule("/goi-thu", view_func=dials)
    assert app.test_client().get("/goi-thu").status_code == 200
    assert seen == ["a call to another company's server while /goi-thu is answered"]
    answering.refuse_calls()
