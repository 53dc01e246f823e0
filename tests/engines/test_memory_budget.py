"""What ``auto`` goes by: MEM_LIMIT, the cgroup of either version, free memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_profkit.engines.memory_budget import cgroup_limit, memory_budget

GIB = 1024**3


def files(root: Path, **content: str) -> Path:
    """`root` with files; ``__`` in a name is a slash, ``_DOT_`` a dot."""
    for name, text in content.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    return files(
        tmp_path,
        proc__self__cgroup="0::/user/kernel\n",
        sys__fs__cgroup__user__memory_DOT_max=f"{4 * GIB}\n",
        sys__fs__cgroup__user__memory_DOT_current=f"{3 * GIB}\n",
        sys__fs__cgroup__user__memory_DOT_stat=f"anon {2 * GIB}\ninactive_file {GIB}\n",
        sys__fs__cgroup__user__kernel__memory_DOT_max="max\n",
    )


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    return files(
        tmp_path,
        proc__self__cgroup="9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes=f"{2 * GIB}\n",
        sys__fs__cgroup__memory__memory_DOT_usage_in_bytes=f"{GIB}\n",
        sys__fs__cgroup__memory__memory_DOT_stat="total_inactive_file 0\n",
    )


def test_a_limit_of_an_outer_cgroup_counts_and_files_that_can_go_do_not(version_2: Path) -> None:
    cgroup = cgroup_limit(version_2)
    assert (cgroup.limit, cgroup.used) == (4 * GIB, 2 * GIB)


def test_in_a_container_the_limit_is_at_the_top(version_1: Path) -> None:
    cgroup = cgroup_limit(version_1)
    assert (cgroup.limit, cgroup.used) == (2 * GIB, GIB)


def test_version_1_writes_no_limit_as_a_huge_one(tmp_path: Path) -> None:
    root = files(
        tmp_path,
        proc__self__cgroup="4:memory:/\n",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes="9223372036854771712\n",
    )
    assert cgroup_limit(root) is None


def test_what_others_in_the_cgroup_use_is_left_to_them(version_2: Path) -> None:
    budget = memory_budget({}, version_2, rss=GIB // 2)
    assert budget.size == (4 * GIB - 3 * GIB // 2) * 9 // 10
    assert budget.reason == "9/10 of the cgroup's limit, 4.00 GiB, less 1.50 GiB of other processes"


def test_mem_limit_comes_first(version_2: Path) -> None:
    budget = memory_budget({"MEM_LIMIT": str(3 * GIB)}, version_2, rss=2 * GIB)
    assert (budget.size, budget.reason) == (3 * GIB * 9 // 10, "9/10 of MEM_LIMIT, 3.00 GiB")


@pytest.mark.parametrize("value", ["", "0", "lots"])
def test_a_mem_limit_that_says_nothing_is_passed_over(version_1: Path, value: str) -> None:
    assert "cgroup" in memory_budget({"MEM_LIMIT": value}, version_1, rss=GIB).reason


def test_without_any_limit_it_is_a_share_of_free_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    root = files(tmp_path, proc__meminfo=f"MemTotal: 9 kB\nMemAvailable: {10 * 1024 * 1024} kB\n")
    budget = memory_budget({}, root, rss=GIB)
    assert budget.size == 9 * GIB
    assert budget.reason == "what the process holds, and 8/10 of the 10.00 GiB that are free"


def test_this_machine_has_a_budget() -> None:
    assert memory_budget().size > 0
