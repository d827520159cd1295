"""Each import contract is seen to fail when it is broken: a check that cannot fail would be worth nothing."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# contract name -> (file that breaks it, the line that breaks it)
BREAKS = {
    "Parts import one way": ("app/places/events.py", "import app.criteria.rules"),
    "The application never imports the worker": ("app/jobs.py", "import worker.relay"),
    "Layers inside db": ("app/db/texts.py", "import app.db.schema"),
    "Layers inside supervisor": ("app/supervisor/ports.py", "import app.supervisor.children"),
    "Layers inside local": ("app/local/folder.py", "import app.local.servers"),
    "Layers inside cli": ("app/cli/output.py", "import app.cli.servers"),
    "Layers inside front": ("app/front/stored.py", "import app.front.layer"),
    "Layers inside web": ("app/web/process.py", "import app.web.errors"),
    "Layers inside media": ("app/media/store.py", "import app.media.blobs"),
    "Layers inside places": ("app/places/models.py", "import app.places.service"),
    "Layers inside accounts": ("app/accounts/models.py", "import app.accounts.people"),
    "Layers inside notices": ("app/notices/models.py", "import app.notices.service"),
    "Layers inside products": ("app/products/models.py", "import app.products.service"),
    "Layers inside trace": ("app/trace/models.py", "import app.trace.queries"),
    "Layers inside marketplace_sync": ("app/marketplace_sync/models.py", "import app.marketplace_sync.listings"),
    "Layers inside the channels": (
        "app/marketplace_sync/channels/errors.py",
        "import app.marketplace_sync.channels.registry",
    ),
    "Layers inside the WooCommerce channel": (
        "app/marketplace_sync/channels/woocommerce/items.py",
        "import app.marketplace_sync.channels.woocommerce.channel",
    ),
    "Layers inside the double of a WooCommerce shop": (
        "doubles/woocommerce/errors.py",
        "import doubles.woocommerce.shop",
    ),
    "The application and the worker know neither the demo nor the doubles": (
        "app/front/layer.py",
        "import demo.factory",
    ),
    "A double shares nothing with us but the clock": (
        "doubles/woocommerce/process.py",
        "import app.marketplace_sync.channels.woocommerce.items",
    ),
    "Layers inside criteria": ("app/criteria/rules/engine.py", "import app.criteria.assessments"),
    "Layers inside sheets": ("app/sheets/cells.py", "import app.sheets.table"),
    "Layers inside the imports of places": ("app/places/imports/columns.py", "import app.places.imports.rows"),
    "Domain code knows no Flask, Celery or Redis": ("app/products/service.py", "import flask"),
    "Only the factory knows routes": ("app/doors/official/queries/own.py", "import app.places.routes"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def marked(said: str, mark: str) -> set[str]:
    """The contracts of which it was said that they are KEPT, or BROKEN."""
    return set(re.findall(rf"^(.+) {mark}(?: \(\d+ ignored imports?\))?$", said, re.MULTILINE))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imports")
    for name in ("app", "worker", "demo", "doubles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "static", "data"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_every_contract_holds_and_is_named_here(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout
    assert marked(result.stdout, "KEPT") == set(BREAKS)


@pytest.mark.slow
def test_every_contract_fails_when_broken(copy: Path) -> None:
    originals = {file: (copy / file).read_text() for file, _ in BREAKS.values()}
    for file, line in BREAKS.values():
        (copy / file).write_text((copy / file).read_text() + f"\n{line}\n")
    result = lint(copy)
    for file, text in originals.items():
        (copy / file).write_text(text)
    assert marked(result.stdout, "BROKEN") == set(BREAKS), result.stdout


def test_a_module_nobody_placed_breaks_the_build(copy: Path) -> None:
    stray = copy / "app" / "utils.py"
    stray.write_text('"""Stray."""\n')
    result = lint(copy)
    stray.unlink()
    assert result.returncode != 0
    assert "utils" in result.stdout
