"""Verbs for whoever changes the code: check, test, translate, revision, lock, bench."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
from babel.messages.pofile import read_po

from app import local
from app import settings as settings_module
from app.cli.output import say, say_done, step
from app.errors import SetupError
from app.messages import N_
from app.migrations import run as migrations
from app.settings import ROOT, Settings, child_environment

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHECKS = {
    "ruff": ("-m", "ruff", "check", "--quiet", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "--quiet", "."),
    "templates": ("-m", "app.cli.templates"),
    "squawk": ("-m", "app.cli.locks"),
    "mypy": ("-m", "mypy"),
    "import-linter": ("-c", "from importlinter.cli import lint_imports_command as lint; lint()"),
}
FAST = "not slow and not browser and not faults"


@click.command()
def check() -> None:
    """Kiểm mã nguồn: ruff, định dạng, trang mẫu, di trú không khóa bảng lớn, mypy, import-linter, di trú khớp với mô hình."""
    run_checks()
    settings = settings_module.load()
    with local.throw_away(pg_bin=settings.pg_bin, valkey_bin=settings.valkey_bin) as servers_, step("alembic check"):
        migrations.upgrade(servers_.owner_url)
        migrations.check(servers_.owner_url)


def run_checks() -> None:
    """Run every static check, then raise when one of them found something."""
    failed = []
    for name, arguments in CHECKS.items():
        began = time.monotonic()
        result = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        if result.returncode:
            failed.append(name)
            say(f"✗ {name}\n{(result.stdout + result.stderr).rstrip()}")
        else:
            say_done(name, time.monotonic() - began)
    if failed:
        raise SetupError(
            "checks_failed", N_("Chưa đạt: %(failed)s. Sửa những chỗ nêu trên rồi chạy lại.", failed=", ".join(failed))
        )


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="trả lời trong 3 phút: bỏ trình duyệt, sự cố và các bài chậm")
@click.option("--long", "long_", is_flag=True, help="chạy đủ số lần đã nêu trong yêu cầu (lâu)")
@click.option("--keep", is_flag=True, help="giữ máy chủ thử cho lần chạy sau: một tệp trả lời sau vài giây")
@click.option("--forget", is_flag=True, help="dừng máy chủ thử mà --keep đã giữ, rồi thôi")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...], *, fast: bool, long_: bool, keep: bool, forget: bool) -> None:
    """Kiểm mã nguồn rồi chạy kiểm thử. Tham số khác chuyển thẳng cho pytest; có đường dẫn, -k hay -m thì chỉ chạy phần đó."""
    if forget:
        local.forget_kept()
        say("✓ Đã dừng máy chủ thử")
        return
    settings = settings_module.load()
    arguments = tuple(
        str(Path(a).resolve()) if not a.startswith("-") and Path(a.split("::")[0]).exists() else a for a in arguments
    )
    selected = any(a.startswith(("-k", "-m")) or Path(a.split("::")[0]).exists() for a in arguments)
    silence = 7200 if long_ else 300  # seconds after which a test that says nothing shows where it hangs
    command = [sys.executable, "-m", "pytest", "-o", f"faulthandler_timeout={silence}", *arguments]
    if not selected:
        run_checks()
        if not any(a.startswith("-n") for a in arguments):
            command += ["-n", str(max(2, len(os.sched_getaffinity(0)))), "--dist", "worksteal"]
    if fast:
        command += ["-m", FAST]
    command += ["--long"] * long_ + ["--keep"] * keep
    browser = find_browser(settings)
    if browser is None and not fast and not selected:
        browser = install_browser()
    sys.stdout.flush()
    os.chdir(ROOT)
    # Our own place is taken by pytest, so that its summary is the last thing said and its exit code is ours.
    kept = {"chromium": browser, "pg_bin": settings.pg_bin, "valkey_bin": settings.valkey_bin}
    os.execve(sys.executable, command, child_environment(clean=True, **kept))  # noqa: S606 - no shell is wanted


def find_browser(settings: Settings) -> Path | None:
    """Return a Chromium or Chrome of this machine."""
    if settings.chromium is not None:
        if not os.access(settings.chromium, os.X_OK):
            raise SetupError(
                "no_such_browser",
                N_(
                    "HOI_CHROMIUM trỏ tới %(chromium)s nhưng không chạy được tệp đó. Sửa hoặc bỏ biến này.",
                    chromium=settings.chromium,
                ),
            )
        return settings.chromium
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Path(found) if found else None


def install_browser() -> Path:
    """Install Debian's Chromium when we are root; else raise with the one command that does."""
    packages = ("chromium", "fonts-dejavu-core")  # the fonts have every Vietnamese letter
    install = ("apt-get", "install", "-y", "--no-install-recommends", *packages)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("Đang cài trình duyệt Chromium cho kiểm thử…")
        quiet = child_environment() | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (("apt-get", "update"), install):
            result = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if result.returncode == 0 and (found := shutil.which(BROWSERS[0])):
            return Path(found)
        say(result.stdout[-1500:] + result.stderr[-1500:])
    raise SetupError(
        "no_browser",
        N_(
            "Thiếu trình duyệt Chromium cho kiểm thử. Hãy chạy:\n  sudo apt-get update && sudo %(install)s\n  "
            "(máy khác Debian: cài Chromium hoặc Chrome, rồi đặt HOI_CHROMIUM tới tệp lệnh; hoặc dùng ./hoi "
            "test --fast)",
            install=" ".join(install),
        ),
    )


@click.command()
def translate() -> None:
    """Gom câu chữ tiếng Việt từ mã nguồn vào tệp dịch tiếng Anh, rồi dựng tệp dịch. In số câu còn thiếu."""
    catalog = ROOT / "app" / "locale" / "en" / "LC_MESSAGES" / "messages.po"
    template = ROOT / "var" / "messages.pot"
    template.parent.mkdir(parents=True, exist_ok=True)
    babel = [sys.executable, "-m", "babel.messages.frontend", "-q"]
    keyword = ["-k", "counting:1,1"]  # one text, both of its forms
    extract = ["extract", "-F", "pyproject.toml", "-o", str(template), "--no-location", "--sort-output", *keyword, "."]
    update = [
        "update",
        "-i",
        str(template),
        "-o",
        str(catalog),
        "-l",
        "en",
        "--no-fuzzy-matching",
        "--ignore-obsolete",
        "--no-wrap",
    ]
    first = ["init", "-i", str(template), "-o", str(catalog), "-l", "en", "--no-wrap"]
    compiled = ["compile", "-i", str(catalog), "-o", str(catalog.with_suffix(".mo")), "-l", "en"]
    for arguments in (extract, update if catalog.exists() else first, compiled):
        subprocess.run([*babel, *arguments], cwd=ROOT, check=True)
    with catalog.open("rb") as file:
        missing = [m for m in read_po(file, locale="en") if m.id and not (m.string and all(m.string))]
    click.echo(f"Còn {len(missing)} câu chưa có tiếng Anh." if missing else "✓ Mọi câu đều có tiếng Anh")


VERSIONS = ROOT / "app" / "migrations" / "versions"
REVISION = '''"""{what}."""

from alembic import op

revision = "{number}"
down_revision = "{before}"


def upgrade() -> None:
    """Forward only; the model changes in the same commit. What a large table bears: CONTRIBUTING.md, “Add a migration”."""
'''


@click.command()
@click.argument("what", metavar="LÀM_GÌ")
def revision(what: str) -> None:
    """Tạo tệp di trú kế tiếp, còn trống: ./hoi revision "what it does". In đường dẫn của tệp."""
    words = re.findall(r"[a-z0-9]+", what.lower())
    if not words:
        raise click.UsageError('Nói di trú làm gì, bằng chữ không dấu. Ví dụ: ./hoi revision "kinds of steps"')
    before = max(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))
    number = f"{int(before) + 1:04d}"
    file = VERSIONS / f"{number}_{'_'.join(words)}.py"
    file.write_text(
        REVISION.format(what=" ".join(re.findall(r"[^\s\"\\\\]+", what)).rstrip("."), number=number, before=before),
        encoding="utf-8",
    )
    click.echo(str(file.relative_to(ROOT)))


LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("--group", "dev")}


@click.command()
@click.option("--upgrade", is_flag=True, help="lấy bản mới nhất của mọi thư viện, thay vì giữ bản đang khóa")
def lock(*, upgrade: bool) -> None:
    """Viết lại tệp khóa của thư viện, kèm mã băm, theo pyproject.toml."""
    compile_ = ("pip", "compile", "-q", "--universal", "--python-version", "3.11", "--generate-hashes")
    bare = ("--no-annotate", "--no-header", *(("--upgrade",) if upgrade else ()))
    for name, group in LOCKS.items():
        with step(name):
            command = [sys.executable, "-m", "uv", *compile_, *bare, "pyproject.toml", *group, "-o", name]
            subprocess.run(command, cwd=ROOT, check=True)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(name: str | None, arguments: tuple[str, ...]) -> None:
    """Đo tốc độ: ./hoi bench TÊN. In một dòng JSON ở cuối; không có TÊN thì liệt kê."""
    known = sorted(path.stem for path in (ROOT / "bench").glob("[a-z]*.py"))
    if name not in known:
        raise click.UsageError(
            f"Các phép đo có sẵn: {', '.join(known) or 'chưa có'}. Ví dụ: ./hoi bench {(known or ['scan'])[0]}"
        )
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", f"bench.{name}", *arguments], child_environment())  # noqa: S606 - as above
