"""`python -m app.migrations`: bring this installation's database to the newest shape."""

from app import settings as settings_module
from app.migrations.run import upgrade

if __name__ == "__main__":
    upgrade(settings_module.load().database_url or "")
