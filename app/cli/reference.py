"""`python -m app.cli.reference`: what every installation has before anybody works with it.

The tables in their newest shape, and the units of the province that ship with the program. Prints what is still missing
before the first person can sign in.
"""

import sys
from pkgutil import resolve_name

from app import settings as settings_module
from app.actor import SYSTEM
from app.cli.output import say
from app.db import Database
from app.errors import SetupError
from app.migrations import run as migrations

NOBODY_YET = "Chưa có ai đăng nhập được. Mở thêm một cửa sổ, ở thư mục này, tạo người quản trị: ./hoi administrator"


def prepare(database: Database, owner_url: str) -> None:
    """Safe to run at every start, and by several processes at once. `owner_url` is the login that owns the tables."""
    migrations.upgrade(owner_url)
    with database.transaction(SYSTEM) as session:
        # By name, here and below: what these import would weigh on every other command, for months on `up`.
        resolve_name("app.places.reference:load_reference")(session)


def someone_can_begin(database: Database) -> bool:
    with database.transaction(SYSTEM) as session:
        return bool(resolve_name("app.accounts.queries:administrators_exist")(session))


def main() -> None:
    settings = settings_module.load()
    database = Database(settings.database_url or "", pool_size=1, application="hoi-cli")
    try:
        prepare(database, settings.owner_url())
    except SetupError as refused:
        sys.exit(f"✗ {refused.text('vi')}")
    if not someone_can_begin(database):
        say(NOBODY_YET)
    database.dispose()


if __name__ == "__main__":
    main()
