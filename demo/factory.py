"""Puts the demo together: our application, with the demo's pages beside its own."""

from flask import Flask

from app import factory
from app.db import Database
from app.errors import SetupError
from app.messages import N_
from app.settings import Settings
from demo import pages


def create_app(settings: Settings, database: Database | None = None) -> Flask:
    """As `app.factory.create_app`."""
    if not settings.demo:  # its pages let anybody in as anybody of the sample
        raise SetupError("not_a_demo", N_("Trang của bản mẫu chỉ mở khi HOI_DEMO được bật: hãy chạy ./hoi demo."))
    app = factory.create_app(settings, database)
    app.register_blueprint(pages.blueprint)
    app.view_functions["welcome.front"] = pages.front
    return app
