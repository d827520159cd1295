"""The demo, loaded once for each worker of the run: what its tests and those of the desk read, and never change."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.actor import SYSTEM
from app.db import Database
from app.settings import Settings
from demo.factory import create_app
from demo.loader import load

SECRET = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Demo:
    """The filled province. `enter("hop-tac-xa")` is a client signed in as that player by one tap."""

    settings: Settings
    database: Database
    app: Flask

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.database.transaction(SYSTEM) as session:
            return list(session.execute(text(sql), values).all())

    def one(self, sql: str, **values: Any) -> Any:
        return self.rows(sql, **values)[0][0]

    def enter(self, player: str) -> FlaskClient:
        client = self.app.test_client()
        answer = client.post(f"/_vao-thu/{player}")
        assert answer.status_code == 303
        return client


@pytest.fixture(scope="session")
def demo_province(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    name = f"hoi_demo_doors_{servers.number}"
    servers.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE hoi_template")
    var: Path = tmp_path_factory.mktemp("demo")
    settings = Settings(
        var=var,
        database_url=servers.database(name),
        redis_url="redis://127.0.0.1:1",
        secret_key=SecretStr(SECRET),
        demo=True,
        clock_movable=True,
        channel_sandbox=True,
        log_level="WARNING",
    )
    load(settings)
    database = Database(settings.database_url or "", clock_movable=True, application="hoi-test")
    app = create_app(settings, database)
    app.config["WTF_CSRF_ENABLED"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.testing = True
    yield Demo(settings, database, app)
    database.dispose()
    servers.administer(f"DROP DATABASE {make_url(settings.database_url or '').database} WITH (FORCE)")
