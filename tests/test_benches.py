"""The benches run, and find the figures that are known."""

from __future__ import annotations

import importlib
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

BENCHES = Path(__file__).parents[1] / "benches"


@pytest.fixture(scope="module")
def windows():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHES))
        module = importlib.import_module("windows")
    if not module.RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {module.RECORDINGS}")
    return module


def check(windows, window) -> None:
    """Compare the schedules on a window with the figures known for it."""
    comparison, _ = windows.measure(window, 4, 8, "l4-8b", windows.KNOWN)
    for name, speedup, share in zip(windows.KNOWN, window.speedup, window.share, strict=True):
        row = comparison.row(name)
        assert row.too_early == 0, name
        assert row.speedup == pytest.approx(speedup, rel=0.05), name
        # Shares are known to the per cent.
        assert row.oracle_share == pytest.approx(share, rel=0.05, abs=0.005), name
    assert comparison.critical_path_seconds <= comparison.row("oracle").outcome.seconds


def test_the_quiet_window_gives_the_known_figures(windows):
    check(windows, next(w for w in windows.WINDOWS if w.name == "quiet-100"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["half-day-25", "day-20", "busy-100", "evening-100", "busy-500"])
def test_every_window_gives_the_known_figures(windows, name):
    check(windows, next(w for w in windows.WINDOWS if w.name == name))


def bench(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHES))
        return importlib.import_module(name)


def test_the_throughput_bench_runs_and_gives_equal_results():
    throughput = bench("throughput")
    first, second = throughput.rows(30, 4, 1), throughput.rows(30, 4, 1)
    assert [row.digest for row in first] == [row.digest for row in second]
    assert [row.calls_per_second > 0 for row in first] == [False, False, False, True, True]
    assert all(row.agent_steps_per_second > 0 for row in first)


@pytest.mark.parametrize("together", [True, False])
def test_what_one_would_use_instead_decides_the_same(together):
    pytest.importorskip("scipy")
    rows, left_out = bench("side_by_side").measure(30, 300, 1, together=together)
    assert [row["what"] for row in rows][:3] == ["headway", "numpy, all pairs", "scipy cKDTree"]
    assert len(rows) == (3 if left_out else 4)
    assert len({row["digest"] for row in rows}) == 1
    assert all(row["mean_us"] > 0 for row in rows)


def test_the_table_of_the_core_tells_growth_and_targets(tmp_path):
    core, results = bench("core"), bench("results")
    row = {"workload": "random", "rule": "conservative", "agents": 1000, "median_ns": 700}
    row |= {"p99_ns": 3000, "mean_ns": 900.0, "rechecks": 1.1, "bytes_per_agent": 167.0}
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(core.table([row, row | {"agents": 1_000_000, "median_ns": 2100}]))
    lines = console.export_text().splitlines()
    assert re.search(r"1,000 +700 +1,000 +3,000 +900 +1.00x +1.10 +167", lines[1])
    assert re.search(r"1,000,000 +2,100 +5,000 .* 3.00x", lines[2])
    results.write(tmp_path / "core.json", "how", [row])
    told = json.loads((tmp_path / "core.json").read_text())
    assert told["rows"] == [row] and told["machine"]["cores"] >= 1
    assert not re.search(r"/(home|root|work)\b", (tmp_path / "core.json").read_text())


@pytest.mark.parametrize(
    ("name", "agents", "steps"),
    [("half-day-25", 25, 4900), ("day-20", 20, 8640), ("busy-100", 100, 360)],
)
def test_windows_are_cut_as_they_are_defined(windows, name, agents, steps):
    trace = windows.cut(next(w for w in windows.WINDOWS if w.name == name))
    assert (trace.n_agents, trace.n_steps, trace.meta.name) == (agents, steps, name)
