"""Cores and memory as a container's limits let us have them, and the web processes that follow."""

import os
from pathlib import Path

import pytest

from app import machine
from app.settings import Settings

GIB = 1024 * machine.MIB


def group(root: Path, told: str, **files: str) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text(told)
    for spelled, text in files.items():
        file = root / "sys/fs/cgroup" / spelled.replace("__", "/").replace("_DOT_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_without_control_groups_the_machine_is_ours(tmp_path: Path) -> None:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // machine.MIB
    assert machine.memory_mib(tmp_path) == whole
    assert machine.quota_cores(tmp_path) is None


def test_the_tightest_of_the_groups_above_us_counts(tmp_path: Path) -> None:
    group(
        tmp_path,
        "0::/kube/pod/web\n",
        kube__pod__web__memory_DOT_max="max\n",
        kube__pod__memory_DOT_max=f"{512 * machine.MIB}\n",
        kube__memory_DOT_max=f"{GIB}\n",
        kube__pod__web__cpu_DOT_max="350000 100000\n",
        kube__cpu_DOT_max="max 100000\n",
    )
    assert (machine.memory_mib(tmp_path), machine.quota_cores(tmp_path)) == (512, 3)


def test_in_a_container_the_top_is_its_own(tmp_path: Path) -> None:
    """Its path is the one outside, where nothing of it is to be seen inside."""
    group(tmp_path, "0::/docker/abc\n", memory_DOT_max=f"{256 * machine.MIB}\n", cpu_DOT_max="50000 100000\n")
    assert (machine.memory_mib(tmp_path), machine.quota_cores(tmp_path)) == (256, 1)


def test_the_older_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    group(
        tmp_path,
        "4:memory:/box\n1:cpu,cpuacct:/box\n0::/\n",
        memory__box__memory_DOT_limit_in_bytes=f"{300 * machine.MIB}\n",
        memory__memory_DOT_limit_in_bytes="9223372036854771712\n",
        cpu__box__cpu_DOT_cfs_quota_us="200000\n",
        cpu__box__cpu_DOT_cfs_period_us="100000\n",
        cpu__cpu_DOT_cfs_quota_us="-1\n",
    )
    assert (machine.memory_mib(tmp_path), machine.quota_cores(tmp_path)) == (300, 2)


@pytest.mark.parametrize(
    ("cores", "gib", "wanted"),
    [(1, 1, 1), (2, 1, 1), (2, 2, 2), (4, 2, 3), (4, 4, 4), (8, 4, 6), (8, 8, 8), (24, 24, 16), (64, 64, 16)],
)
def test_web_processes_are_as_many_as_cores_where_the_memory_lets_them(cores: int, gib: int, wanted: int) -> None:
    assert machine.web_processes(cores, gib * 1024) == wanted


def test_the_setting_follows_the_machine_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 6)
    monkeypatch.setattr(machine, "memory_mib", lambda: 8192)
    assert Settings().web_workers == 6
    assert Settings(memory_mib=2048).web_workers == 3
    assert Settings(memory_mib=2048, web_workers=5).web_workers == 5
    assert (Settings().memory(), Settings(memory_mib=2048).memory()) == (8192, 2048)
    assert (Settings(demo=True).memory(), Settings(demo=True, memory_mib=2048).memory()) == (1024, 2048)
