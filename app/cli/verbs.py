"""The command `hoi`: all of its verbs, and how every expected failure ends."""

import sys

import click
import pydantic

from app.cli.developer import bench, check, lock, revision, test, translate
from app.cli.logins import database_sql
from app.cli.province import demo, up
from app.cli.upkeep import administrator, clock_, deliveries, migrate, rebuild, retention_
from app.errors import HoiError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def hoi() -> None:
    """Hồi: truy xuất nguồn gốc và thương mại OCOP của một tỉnh."""


for verb in (
    up,
    demo,
    administrator,
    migrate,
    database_sql,
    clock_,
    deliveries,
    rebuild,
    retention_,
    check,
    test,
    translate,
    revision,
    lock,
    bench,
):
    hoi.add_command(verb)


def main() -> None:
    """Run the command line; every expected failure ends in a sentence that says what mends it, and exit code 1."""
    try:
        hoi(prog_name="./hoi", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except HoiError as error:
        print(f"✗ {error.text('vi')}", file=sys.stderr)
        sys.exit(1)
    except pydantic.ValidationError as error:
        for trouble in error.errors():
            name = "HOI_" + "_".join(str(part) for part in trouble["loc"]).upper() if trouble["loc"] else "Cài đặt"
            print(f"✗ {name}: {trouble['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        print("  Xem ý nghĩa từng cài đặt trong docs/settings.md.", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        print("Đã dừng.", file=sys.stderr)
        sys.exit(130)
