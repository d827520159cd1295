"""Puts the application together: the only module that knows every part."""

from flask import Flask

from app import web
from app.accounts import actors, privacy
from app.accounts import routes as accounts
from app.criteria import queries as criteria_queries
from app.criteria import routes as criteria
from app.db import OF_A_PAGE, Database
from app.doors.consumer import routes as consumer
from app.doors.cooperative import routes as cooperative
from app.doors.farmer import routes as farmer
from app.doors.official import routes as official
from app.doors.shared import routes as shared
from app.doors.welcome import routes as welcome
from app.logs import configure_logging
from app.marketplace_sync import queries as marketplace_sync_queries
from app.marketplace_sync import routes as marketplace_sync
from app.notices import queries as notices_queries
from app.notices import routes as notices
from app.places import queries as places_queries
from app.places import routes as places
from app.products import queries as products_queries
from app.products import routes as products
from app.settings import Settings
from app.trace import privacy as trace_privacy
from app.trace import routes as trace

# What each part adds to the file of one's own data, by the name it has there.
DATA_ABOUT_ME: dict[str, accounts.own_data.DataAboutMe] = {
    "trail": privacy.trail_about_me,
    "places": places_queries.about_me,
    "notices": notices_queries.about_me,
    "products": products_queries.about_me,
    "trace": trace_privacy.about_me,
    "marketplace_sync": marketplace_sync_queries.about_me,
    "criteria": criteria_queries.about_me,
}


def create_app(settings: Settings, database: Database | None = None) -> Flask:
    """One web application for these settings. Tests may hand in a database of their own."""
    configure_logging(settings)
    app = Flask("app", static_folder="static", template_folder="templates")
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 31536000
    own = database or Database(
        settings.database_url or "",
        clock_movable=settings.clock_movable,
        pool_size=settings.web_threads,
        application="hoi-web",
        patience=OF_A_PAGE,
    )
    web.install(app, web.Web(settings=settings, database=own, build_actor=actors.actor_from_token))
    app.extensions["hoi_data_about_me"] = DATA_ABOUT_ME
    app.register_blueprint(welcome.blueprint)
    app.register_blueprint(accounts.blueprint)
    app.register_blueprint(notices.blueprint)
    app.register_blueprint(places.blueprint)
    app.register_blueprint(criteria.blueprint)
    app.register_blueprint(official.blueprint)
    app.register_blueprint(products.blueprint)
    app.register_blueprint(trace.blueprint)
    app.register_blueprint(marketplace_sync.blueprint)
    app.register_blueprint(consumer.blueprint)
    app.register_blueprint(consumer.label_pages)
    app.register_blueprint(cooperative.blueprint)
    app.register_blueprint(cooperative.certifier)
    app.register_blueprint(farmer.blueprint)
    app.register_blueprint(farmer.items)
    app.register_blueprint(shared.job_pages)
    app.register_blueprint(shared.uploads)
    app.register_blueprint(shared.pictures)
    return app
