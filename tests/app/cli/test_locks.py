"""What `./hoi check` says of a migration that would lock a large table, or take away what the release before reads."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import locks
from app.cli.developer import CHECKS
from app.migrations import run as migrations
from app.migrations.large import TIMEOUTS
from app.settings import ROOT


def rules(*statements: str) -> list[str]:
    """The names of the rules that this migration breaks."""
    sql = f"{TIMEOUTS};\nBEGIN;\n" + "".join(f"{one};\n" for one in statements) + "COMMIT;\n"
    return [fault.splitlines()[1].strip().partition(":")[0] for fault in locks.faults("0110_more.py", sql)]


def test_our_migrations_keep_the_rules() -> None:
    done = subprocess.run([sys.executable, *CHECKS["squawk"]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("CREATE INDEX ix ON care_logs (kind)", "require-concurrent-index-creation"),
        ("CREATE INDEX CONCURRENTLY ix ON care_logs (kind)", "ban-concurrent-index-creation-in-transaction"),
        ("DROP INDEX ix", "require-concurrent-index-deletion"),
        ("ALTER TABLE care_logs ADD COLUMN more uuid DEFAULT gen_random_uuid()", "adding-field-with-default"),
        ("ALTER TABLE care_logs ADD COLUMN more date GENERATED ALWAYS AS (at + 1) STORED", "adding-field-with-default"),
        ("ALTER TABLE care_logs ADD COLUMN more text NOT NULL", "adding-required-field"),
        ("ALTER TABLE care_logs ALTER COLUMN note SET NOT NULL", "adding-not-nullable-field"),
        ("ALTER TABLE care_logs ALTER COLUMN pre_harvest_days TYPE bigint", "changing-column-type"),
        ("ALTER TABLE care_logs ADD CONSTRAINT more CHECK (kind <> '')", "constraint-missing-not-valid"),
        ("ALTER TABLE care_logs DROP COLUMN note", "ban-drop-column"),
        ("ALTER TABLE care_logs RENAME note TO remark", "renaming-column"),
        ("ALTER TABLE care_logs RENAME TO steps", "renaming-table"),
        ("DROP TABLE care_logs", "ban-drop-table"),
    ],
)
def test_what_would_lock_a_large_table_or_break_the_release_before_is_refused(statement: str, rule: str) -> None:
    assert rules(statement) == [rule]


def test_a_constraint_is_not_looked_at_in_the_transaction_that_adds_it() -> None:
    added = "ALTER TABLE care_logs ADD CONSTRAINT more CHECK (kind <> '') NOT VALID"
    assert rules(added) == []
    assert rules(added, "ALTER TABLE care_logs VALIDATE CONSTRAINT more") == ["constraint-missing-not-valid"]


def test_statements_without_timeouts_are_refused() -> None:
    found = locks.faults("0110_more.py", "ALTER TABLE care_logs ADD COLUMN more text;\n")
    assert {"require-lock-timeout", "require-statement-timeout"} <= {
        f.splitlines()[1].split(":")[0].strip() for f in found
    }


def test_what_people_have_agreed_to_is_said_above_it() -> None:
    assert (
        rules("-- nothing reads it since 0.2\n-- squawk-ignore ban-drop-column\nALTER TABLE care_logs DROP COLUMN note")
        == []
    )


GOOD = '''"""News, and an order for them."""

import sqlalchemy as sa
from alembic import op

from app.migrations import columns as c
from app.migrations import large, rules

revision = "0901"
down_revision = "{before}"


def upgrade() -> None:
    c.table("news", c.owned_key(), c.identifier("organisation_id", to="organisations"), c.text("title"), c.moment("at"))
    c.index("news", "organisation_id, at", where="title <> ''")
    rules.written_by("sell", rules.DATED, "news")
    op.drop_constraint(op.f("ck_care_logs_kind"), "care_logs", type_="check")
    kinds = "kind IN ('sowing', 'mulching')"
    op.create_check_constraint(op.f("ck_care_logs_kind"), "care_logs", kinds, postgresql_not_valid=True)
    op.add_column("care_logs", sa.Column("weather", sa.Text(), nullable=True))
    op.create_check_constraint("weather", "care_logs", "weather <> ''", postgresql_not_valid=True)
'''
LATER = '''"""Steps by their weather."""

from app.migrations import large

revision = "0902"
down_revision = "0901"


def upgrade() -> None:
    large.index("ix_care_logs_weather", "care_logs", ["weather"])
    large.validate("care_logs", "ck_care_logs_weather")
'''
BAD = '''"""Steps by their note."""

from alembic import op

revision = "0903"
down_revision = "0902"


def upgrade() -> None:
    op.create_index("ix_care_logs_note", "care_logs", ["note"])
'''


def test_new_migrations_are_read_each_by_itself_as_alembic_would_run_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "migrations"
    shutil.copytree(migrations.HERE, here)
    monkeypatch.setattr(migrations, "HERE", here)
    before = max(path.name[:4] for path in (here / "versions").glob("[0-9]*.py"))
    (here / "versions" / "0901_news.py").write_text(GOOD.replace("{before}", before))
    (here / "versions" / "0902_weather.py").write_text(LATER)
    assert locks.main() == 0
    assert capsys.readouterr().out == ""
    (here / "versions" / "0903_notes.py").write_text(BAD)
    assert locks.main() == 1
    assert capsys.readouterr().out.startswith(
        "0903_notes.py: CREATE INDEX ix_care_logs_note ON care_logs (note);\n    require-concurrent-index-creation: "
    )
