"""`./hoi` makes its environment once, mends a broken one, and says what is missing. Python and pip are played by a script."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.settings import ROOT

# Plays an interpreter: really runs -c, and notes what it was asked to install instead of asking the network.
PYTHON = """#!/bin/sh
case "$1 $2" in
"-m venv")
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "venv" >>"$NOTES" ;;
"-m pip")
    echo "pip $*" >>"$NOTES"
    printf 'Collecting %s\\n' alembic==1 amqp==2
    sleep "${SLOW:-0}"
    if [ -n "${BROKEN:-}" ]; then echo "ERROR: no route to the index" >&2; exit 1; fi ;;
"-c import ensurepip, venv") [ -z "${BARE:-}" ] ;;
"-c "*version_info*) echo "${VERSION:-3.12}" ;;
"-c "*app.cli*) shift 2; printf 'ran in %s:' "$PWD"; printf ' <%s>' "$@"; echo ;;
*) exec "$REAL_PYTHON" "$@" ;;
esac
"""
TOOLS = ("sh", "cksum", "dirname", "readlink", "mkdir", "mv", "rm", "cp", "cat", "tail", "id", "sleep", "grep")


class House:
    """A checkout with the launcher and the locks only, and a PATH on which there is only what the test puts there."""

    def __init__(self, place: Path) -> None:
        self.root = place / "dự án x" / "hồi"
        self.root.mkdir(parents=True)
        self.tools = place / "tools"
        self.tools.mkdir()
        self.notes = place / "notes"
        self.notes.write_text("")
        for name in ("hoi", "requirements.lock", "requirements-dev.lock"):
            shutil.copy2(ROOT / name, self.root / name)
        for name in TOOLS:
            found = shutil.which(name)
            assert found
            (self.tools / name).symlink_to(found)

    def python(self, name: str = "python3.12") -> None:
        path = self.tools / name
        path.write_text(PYTHON)
        path.chmod(0o755)

    def environment(self, **values: str) -> dict[str, str]:
        return {"PATH": str(self.tools), "NOTES": str(self.notes), "REAL_PYTHON": sys.executable} | values

    def start(self, *arguments: str, cwd: Path | None = None, **values: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / "hoi", *arguments],
            cwd=cwd or self.root,
            env=self.environment(**values),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, **values: str) -> tuple[int, str, str]:
        with self.start(*arguments, cwd=cwd, **values) as process:
            out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def noted(self) -> list[str]:
        """What was made and installed since the last look."""
        lines = self.notes.read_text().splitlines()
        self.notes.write_text("")
        return ["pip " + Path(line.split(" -r ")[1]).name if line.startswith("pip") else line for line in lines]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_first_run_installs_from_the_lock_with_hashes_and_later_runs_do_not(house: House) -> None:
    house.python()
    code, out, err = house.run("demo", "một tham số")
    assert (code, out) == (0, f"ran in {house.root}: <{house.root}> <demo> <một tham số>\n")
    assert "Đang chuẩn bị môi trường" in err
    assert "--require-hashes" in house.notes.read_text()
    assert house.noted() == ["venv", "pip requirements.lock"]
    assert house.run("up")[2] == "", "later runs are quiet"
    assert house.noted() == []


def test_it_runs_from_any_directory_and_through_a_link(house: House, tmp_path: Path) -> None:
    house.python()
    link = tmp_path / "links" / "hoi"
    link.parent.mkdir()
    link.symlink_to("../dự án x/hồi/hoi")
    done = subprocess.run(
        [link, "up"], cwd="/", env=house.environment(), capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == f"ran in /: <{house.root}> <up>\n"


def test_developers_verbs_install_the_developers_lock_and_it_stays(house: House) -> None:
    house.python()
    house.run("up")
    house.run("test")
    house.run("up")
    house.run("bench")
    assert house.noted() == ["venv", "pip requirements.lock", "pip requirements-dev.lock"]


def test_a_changed_lock_is_installed_again_in_the_same_kind_of_environment(house: House) -> None:
    house.python()
    house.run("check")
    with (house.root / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    house.run("up")
    assert house.noted() == ["venv", "pip requirements-dev.lock", "pip requirements-dev.lock"]
    house.run("up")
    assert house.noted() == []


def test_an_install_that_failed_says_so_and_is_made_anew_by_the_next_run(house: House) -> None:
    house.python()
    code, out, err = house.run("demo", BROKEN="yes")
    assert (code, out) == (1, "")
    assert "ERROR: no route to the index" in err
    assert "Chưa cài được thư viện" in err
    assert "PIP_CERT" in err
    (house.root / ".venv" / "half-installed").write_text("")
    house.noted()
    assert house.run("demo")[0] == 0
    assert house.noted() == ["venv", "pip requirements.lock"]
    assert not (house.root / ".venv" / "half-installed").exists()


def impatient(house: House) -> None:
    """The launcher waits a fifth of a second where it would wait ten; whoever else sleeps, sleeps as long as told."""
    (house.tools / "sleep").unlink()
    (house.tools / "sleep").write_text('#!/bin/sh\n[ "$1" = 10 ] && set -- 0.2\nexec /bin/sleep "$1"\n')
    (house.tools / "sleep").chmod(0o755)


@pytest.mark.parametrize("shell", [name for name in ("sh", "bash", "dash", "ash") if shutil.which(name)])
def test_a_long_install_says_now_and_then_that_it_goes_on(house: House, shell: str) -> None:
    found = shutil.which(shell)
    assert found
    house.python()
    impatient(house)
    done = subprocess.run(
        [found, house.root / "hoi", "demo"], env=house.environment(SLOW="1.5"), capture_output=True, text=True, check=True, timeout=30
    )  # fmt: skip
    packages = sum("==" in line for line in (house.root / "requirements.lock").read_text().splitlines())
    told = [line for line in done.stderr.splitlines() if "vẫn đang cài" in line]
    assert f"  … vẫn đang cài, đã 20 giây, lấy 2/{packages} thư viện" in told
    first, *others, last = done.stderr.splitlines()
    assert ("Đang chuẩn bị" in first, others, "sẵn sàng" in last) == (True, told, True), (
        "and nothing else, and no more after"
    )


def test_an_install_that_fails_is_told_at_once_and_nothing_speaks_after_it(house: House) -> None:
    house.python()
    started = time.monotonic()
    code, _, err = house.run("demo", BROKEN="yes")
    assert (code, "vẫn đang cài" in err) == (1, False)
    assert time.monotonic() - started < 9, "whoever reads what it says is not kept until the next line"


def test_an_install_that_was_killed_is_made_anew_by_the_next_run(house: House) -> None:
    house.python()
    with house.start("demo", SLOW="60") as process:
        while "pip" not in house.notes.read_text():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    house.noted()
    assert house.run("demo")[0] == 0
    assert house.noted() == ["venv", "pip requirements.lock"]


def test_two_first_runs_at_once_install_once(house: House) -> None:
    house.python()
    both = [house.start("up", SLOW="1") for _ in range(2)]
    answers = [process.communicate(timeout=30) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert house.noted() == ["venv", "pip requirements.lock"]
    assert sum("Một lệnh khác đang chuẩn bị" in err for _, err in answers) == 1


def test_an_environment_whose_interpreter_is_gone_is_made_anew(house: House) -> None:
    house.python()
    house.run("up")
    (house.root / ".venv" / "bin" / "python").unlink()
    (house.root / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.12")
    assert house.run("up")[0] == 0
    assert house.noted() == ["venv", "pip requirements.lock"] * 2


def test_an_environment_made_by_hand_is_completed_and_not_thrown_away(house: House) -> None:
    house.python()
    house.run("up")
    (house.root / ".venv" / "hoi-stamp").unlink()
    (house.root / ".venv" / "by-hand").write_text("")
    house.noted()
    assert house.run("up")[0] == 0
    assert house.noted() == ["pip requirements.lock"]
    assert (house.root / ".venv" / "by-hand").exists()


def test_without_python_it_says_what_to_type(house: House) -> None:
    code, out, err = house.run("demo")
    assert (code, out) == (1, "")
    assert "Hồi cần Python 3.11, 3.12 hoặc 3.13" in err
    assert "python.org" in err
    assert not (house.root / ".venv").exists()


def test_an_old_python_is_named_and_the_package_managers_command_is_given(house: House) -> None:
    house.python("python3")
    (house.tools / "apt-get").symlink_to("/bin/false")
    code, _, err = house.run("demo", VERSION="3.9")
    assert code == 1
    assert f"Máy này chỉ có: Python 3.9 ({house.tools}/python3)" in err
    assert "sudo apt-get update && sudo apt-get install -y python3 python3-venv" in err


def test_debians_python_without_venv_is_told_the_missing_package(house: House) -> None:
    house.python("python3.11")
    (house.tools / "apt-get").symlink_to("/bin/false")
    code, _, err = house.run("demo", VERSION="3.11", BARE="yes")
    assert code == 1
    assert "sudo apt-get install -y python3.11-venv" in err
    assert house.noted() == []


def test_the_newest_python_that_fits_is_taken(house: House) -> None:
    for name in ("python3.13", "python3.11", "python3"):
        house.python(name)
    (house.tools / "python3.13").write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    assert house.run("up", VERSION="3.11")[0] == 0
    assert house.noted() == ["venv", "pip requirements.lock"]


def test_a_foreign_pythonpath_does_not_reach_the_application(house: House) -> None:
    house.python()
    path = house.tools / "python3.12"
    path.write_text(PYTHON.replace("shift 2;", 'shift 2; printf "[%s]" "${PYTHONPATH-unset}";'))
    assert house.run("up", PYTHONPATH="/elsewhere")[1].startswith("[unset]ran in")


def test_a_checkout_of_another_user_is_told_the_command_that_mends_it(house: House, tmp_path: Path) -> None:
    house.python()
    house.root.chmod(0o555)
    if os.access(house.root, os.W_OK):
        pytest.skip("root may write anywhere")
    code, _, err = house.run("up")
    house.root.chmod(0o755)
    assert code == 1
    assert f"sudo chown -R {os.getuid()} '{house.root}'" in err


def test_later_runs_add_less_than_three_tenths_of_a_second(house: House) -> None:
    house.python()
    house.run("up")
    before = os.times()
    for _ in range(5):
        house.run("up")
    after = os.times()
    assert (after.children_user + after.children_system - before.children_user - before.children_system) / 5 < 0.3


def test_ci_runs_what_a_user_runs() -> None:
    # How it finds the folder is its own business; that nothing but `./hoi test` decides is what a user relies on.
    *before, last = (ROOT / ".ci" / "run").read_text().splitlines()
    assert before[0] == "#!/bin/sh"
    assert last == 'exec ./hoi test "$@"'
    assert "cd " in before[-1]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert os.access(ROOT / "hoi", os.X_OK)


def test_the_locks_name_no_index_and_hash_everything() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        packages = [line for line in text.splitlines() if line[:1].isalnum()]
        assert packages
        assert all("==" in line and line.endswith("\\") for line in packages)


def test_the_developers_lock_holds_everything_of_the_users() -> None:
    users, developers = (
        {line.split()[0] for line in (ROOT / name).read_text().splitlines() if "==" in line}
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert users <= developers
