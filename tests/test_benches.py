"""The benches run, and find the figures that are known."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

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


def test_the_throughput_bench_runs_and_gives_equal_results():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHES))
        throughput = importlib.import_module("throughput")
    first, second = throughput.rows(30, 4, 1), throughput.rows(30, 4, 1)
    assert [row.digest for row in first] == [row.digest for row in second]
    assert [row.calls_per_second > 0 for row in first] == [False, False, False, True, True]
    assert all(row.agent_steps_per_second > 0 for row in first)


@pytest.mark.parametrize(
    ("name", "agents", "steps"),
    [("half-day-25", 25, 4900), ("day-20", 20, 8640), ("busy-100", 100, 360)],
)
def test_windows_are_cut_as_they_are_defined(windows, name, agents, steps):
    trace = windows.cut(next(w for w in windows.WINDOWS if w.name == name))
    assert (trace.n_agents, trace.n_steps, trace.meta.name) == (agents, steps, name)
