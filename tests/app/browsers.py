"""Browsers of people who are signed in already, for tests that are not about signing in."""

from dataclasses import replace

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db import new_id


def signed_in(app: Flask, actor: Actor) -> str:
    """The cookie of a sign-in that stands in no table: the application takes whoever sends it for this actor."""
    before, cookie = app.extensions["hoi"], new_id().hex

    def build_actor(session: Session, token: str, request_id: str) -> Actor:
        return actor if token == cookie else before.build_actor(session, token, request_id)

    app.extensions["hoi"] = replace(before, build_actor=build_actor)
    return cookie


def browser_of(app: Flask, actor: Actor) -> FlaskClient:
    made = app.test_client()
    made.set_cookie("hoi_phien", signed_in(app, actor))
    return made
