"""What is shown of a live run while it runs, and which conversation at its end."""

from __future__ import annotations

import io
import re
import sys

import pytest
from rich.cells import cell_len

from headway.cli import live_view
from headway.cli.live_view import Gauge, LiveView, progress_console
from headway.cli.talk import LINES_MAX, Listener
from headway.engines.scripted import ScriptedEngine
from headway.live import Action, Agent, Simulation
from headway.live.events import Event
from headway.space import Grid

ODD = "\x1b[2J\u202e[/b] n" * 30


class Speaker(Agent):
    def step(self, view):
        return Action(say=f"{ODD} 你好 שלום" * 50 if view.step % 2 else "hello", to=[ODD, "x", "y"])


def speakers(name: str = "w", count: int = 3) -> Simulation:
    return Simulation(Grid(20, 1), [Speaker(f"{name}{i}", (i, 0)) for i in range(count)])


class Gone(io.StringIO):
    """An output that nobody reads any more."""

    def write(self, text):
        raise BrokenPipeError


def terminal(file: io.StringIO):
    return progress_console(stderr=False, file=file, force_terminal=True, width=80)


def plain(text: str) -> str:
    """Return what was written to a terminal without its codes; what was drawn over stays."""
    text = re.sub(r"\x1b\[2K|\r", "\n", text)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def say(step: int, who: str, text: str, *to: str) -> Event:
    return Event(step, who, "say", (text, to))


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(monkeypatch):
    now = iter(range(0, 100000, 4))
    simulation = speakers()
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    with LiveView("small\x1b", simulation, 40, clock=lambda: next(now)) as view:
        simulation.run(40, engine="null", progress=view.progress)
        for _ in range(9):
            view.progress(simulation)
    lines = errors.getvalue().splitlines()
    assert 1 < len(lines) < 6
    assert lines[-1].startswith("small: step 40 / 40.0 / 40 of 40 (slowest, mean, furthest); 100 %")
    assert "0 in flight" in lines[-1]


def test_short_work_writes_no_line(capsys):
    simulation = speakers()
    with LiveView("small", simulation, 5) as view:
        simulation.run(5, engine="null", progress=view.progress, on_event=view.hear)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_talk_scrolls_above_the_progress():
    simulation, shown = speakers(), io.StringIO()
    with LiveView("small", simulation, 9, console=terminal(shown)) as view:
        simulation.run(9, engine="null", progress=view.progress)
        for step in range(30):
            view.hear(say(step, "Anna", f"line {step}", "Ben"))
        view.progress(simulation)
    text = plain(shown.getvalue())
    assert "00:04:50  Anna to Ben: line 29\n" in text
    assert "18 more lines" in text
    assert "line 17" not in text
    assert text.index("line 29") < text.rindex("step 9 / 9.0 / 9 of 9")
    assert "small\n" in text


def test_what_is_written_meanwhile_scrolls_too():
    simulation, shown = speakers(), io.StringIO()
    with LiveView("small", simulation, 9, console=terminal(shown)):
        sys.stderr.write("a word in between\n")
    assert "a word in between" in shown.getvalue()
    assert "\x1b[?25h" in shown.getvalue()  # the cursor is back


def test_hostile_talk_is_cut_to_the_width_of_the_terminal():
    simulation, shown = speakers(ODD), io.StringIO()
    with LiveView("small" * 50, simulation, 5, console=terminal(shown)) as view:
        simulation.run(5, engine="null", progress=view.progress, on_event=view.hear)
    text = plain(shown.getvalue())
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "[2J[/b] n" in text
    assert "and 1 more: hello" in text
    assert all(cell_len(line) <= 80 for line in text.splitlines())


def test_a_quiet_run_shows_nothing(capsys):
    simulation, shown = speakers(), io.StringIO()
    with LiveView("small", simulation, 40, quiet=True, console=terminal(shown)) as view:
        view.hear(say(0, "w0", "hello"))
        view.progress(simulation)
        view.look()
    assert shown.getvalue() == ""
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("console", [lambda: terminal(Gone()), lambda: None])
def test_an_error_stream_that_is_gone_does_not_end_the_run(monkeypatch, console):
    monkeypatch.setattr(live_view, "LINE_EVERY", 0.0)
    simulation = speakers()
    real = sys.stderr
    monkeypatch.setattr(sys, "stderr", Gone())
    with LiveView("small", simulation, 40, console=console()) as view:
        outcome = simulation.run(40, engine="null", progress=view.progress, on_event=view.hear)
    assert outcome.finished
    assert isinstance(sys.stderr, Gone)
    sys.stderr = real


def test_it_is_drawn_while_no_step_ends():
    simulation, shown, now = speakers(), io.StringIO(), 0.0
    with LiveView("small", simulation, 9, console=terminal(shown), clock=lambda: now) as view:
        before = len(shown.getvalue())
        view.look()
        assert len(shown.getvalue()) == before
        now = 70.0
        view.look()
        assert "the engine is starting, 1:10" in plain(shown.getvalue())
        simulation.state.engine = ScriptedEngine()
        now = 4000.0
        view.look()
    assert "0 %, 0.0 agent-steps/s, 1:06:40" in plain(shown.getvalue())


def test_the_end_is_estimated_from_the_rate_of_the_last_minute():
    simulation, now = speakers(), 0.0
    simulation.state.engine = ScriptedEngine()
    gauge = Gauge(100, lambda: now)
    assert gauge.read(simulation).left is None
    counters, clocks = simulation.state.counters, simulation.state.clocks
    rates: list[float] = []
    for now, clock in ((1.0, 30), (100.0, 50), (130.0, 65), (160.0, 80)):
        clocks[:] = [clock] * 3
        counters.agent_steps = 3 * clock
        at = gauge.read(simulation)
        assert (at.left is None) == (now == 1.0)
        rates.append(at.step_rate)
    assert rates == pytest.approx([90.0, 60 / 99, 105 / 129, 1.5])
    assert at.left == pytest.approx(60 / 1.5)
    assert (at.slowest, at.furthest, at.done, at.total, at.percent) == (80, 80, 240, 300, 80)


def test_who_has_left_is_not_waited_for():
    simulation = speakers()
    simulation.state.left[0] = 3
    simulation.state.clocks[:] = [4, 10, 20]
    simulation.state.counters.agent_steps = 34
    at = Gauge(20).read(simulation)
    assert (at.slowest, at.mean, at.furthest, at.total) == (10, 15.0, 20, 44)


# The conversation that is shown at the end.


def test_the_longest_exchange_is_remembered():
    listener = Listener(speakers())
    for step in range(20):
        listener.hear(say(step, "w0", "a monologue"))
    for step in range(8):
        listener.hear(say(step, f"w{step % 2}", f"early {step}", f"w{1 - step % 2}"))
    for step in range(500, 507):
        listener.hear(say(step, f"w{step % 2}", "late", f"w{1 - step % 2}"))
    assert listener.longest.count == 8
    assert len(listener.longest.lines) == LINES_MAX
    assert listener.longest.lines[0] == ("00:00:00", "w0 to w1: early 0")


def test_many_conversations_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("headway.cli.talk.OPEN_MAX", 10)
    listener = Listener(speakers())
    for step in range(1000):
        listener.hear(say(step * 100, f"w{step}", "hello"))
    assert len(listener._open) <= 11
    assert listener.longest.lines[0][1] == "w0: hello"


def test_long_steps_are_told_with_their_date_and_endless_ones_by_number():
    day = Simulation(Grid(2, 1), [Speaker("a", (0, 0))], seconds_per_step=86400)
    listener = Listener(day)
    listener.hear(say(40, "a", "hello"))
    listener.hear(say(10**9, "a", "still", "b"))
    listener.hear(say(10**9 + 1, "b", "here", "a"))
    assert listener.longest.lines[0] == ("step 1000000000", "a to b: still")
    assert Listener(day).longest is None


def test_a_day_is_told_by_its_date():
    listener = Listener(Simulation(Grid(2, 1), [Speaker("a", (0, 0))], seconds_per_step=86400))
    listener.hear(say(40, "a", "hello"))
    assert listener.longest.lines == [("2030-02-10 00:00", "a: hello")]
