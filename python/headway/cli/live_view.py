"""How far a live run is, on standard error while it runs."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from headway.cli.console import LINE_EVERY
from headway.cli.factories import short
from headway.cli.talk import time_of, words_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from rich.console import RenderableType

    from headway.live import Simulation
    from headway.live.events import Event

#: Rates are those of the last so many seconds.
WINDOW = 60.0

#: Seconds before the end is estimated.
ESTIMATE_AFTER = 2.0

#: Lines of talk that are shown at a time; a fast run has more than anybody can read.
TALK_MAX = 12

#: Seconds between two looks at a run of which no step has ended.
LOOK_EVERY = 0.5


class Standing(NamedTuple):
    """How far a run is.

    `step_rate` and `token_rate` are per second: of real time the one, of the engine's time, which
    may be modelled, the other. `left` is None as long as nothing can be said. The time in which the
    engine starts counts for no rate.
    """

    slowest: int
    mean: float
    furthest: int
    steps: int
    done: int
    total: int
    elapsed: float
    step_rate: float
    left: float | None
    calls: int
    in_flight: int
    token_rate: float
    modelled: bool
    failed: int
    starting: bool

    @property
    def percent(self) -> int:
        """Share of the agent-steps that are done."""
        return 100 * self.done // max(self.total, 1)


class Gauge:
    """Takes the standing of a simulation, with rates over the last minute."""

    def __init__(self, steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._steps = steps
        self._clock = clock
        self._begin = clock()
        self._seen: deque[tuple[float, int]] = deque()

    def read(self, simulation: Simulation) -> Standing:
        """Look at a simulation."""
        state, counters = simulation.state, simulation.state.counters
        clocks = np.array(state.clocks)
        clocks = clocks[[left is None for left in state.left]]
        missing = int(np.maximum(self._steps - clocks, 0).sum())
        now, done = self._clock(), counters.agent_steps
        starting = state.engine is None and not done
        if starting:
            self._seen.clear()
        # The newest of the older looks stays, so that slow steps have a rate too.
        while len(self._seen) > 1 and now - self._seen[1][0] >= WINDOW:
            self._seen.popleft()
        if not self._seen or now - self._seen[-1][0] >= LOOK_EVERY:
            self._seen.append((now, done))
        since, before = self._seen[0]
        rate = (done - before) / (now - since) if now > since else 0.0
        known = rate > 0 and now - self._begin >= ESTIMATE_AFTER
        outcome = simulation.outcome(final=False)
        return Standing(
            slowest=int(clocks.min(initial=self._steps)),
            mean=float(clocks.mean()) if len(clocks) else float(self._steps),
            furthest=int(clocks.max(initial=0)),
            steps=self._steps,
            done=done,
            elapsed=now - self._begin,
            total=done + missing,
            step_rate=rate,
            left=missing / rate if known else None,
            calls=counters.calls,
            in_flight=counters.calls_in_flight,
            token_rate=counters.output_tokens / outcome.seconds if outcome.seconds > 0 else 0.0,
            modelled=outcome.modelled,
            failed=counters.attempts_failed,
            starting=starting,
        )


def duration(seconds: float) -> str:
    """Return a time as hours, minutes and seconds."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def step_words(at: Standing) -> str:
    """Tell where the slowest agent, the mean and the furthest agent are."""
    where = f"{at.slowest:,} / {at.mean:,.1f} / {at.furthest:,}"
    return f"step {where} of {at.steps:,} (slowest, mean, furthest)"


def pace_words(at: Standing) -> str:
    """Tell how fast it goes and when it ends."""
    if at.starting:
        return f"the engine is starting, {duration(at.elapsed)}"
    left = f", {duration(at.left)} left" if at.left is not None and at.done < at.total else ""
    return f"{at.percent} %, {at.step_rate:,.1f} agent-steps/s, {duration(at.elapsed)}{left}"


def call_words(at: Standing) -> str:
    """Tell what the engine does."""
    modelled = " (modelled)" if at.modelled else ""
    failed = f", {at.failed:,} attempts failed" if at.failed else ""
    return (
        f"{at.calls:,} calls done, {at.in_flight:,} in flight, "
        f"{at.token_rate:,.0f} tokens/s{modelled}, lead {at.furthest - at.slowest:,}{failed}"
    )


class _Terminal(Console):
    """A console whose loss ends nothing; rich would exit and close standard output as well."""

    def on_broken_pipe(self) -> None:
        """Write no more."""
        self.quiet = True


def progress_console(**options: Any) -> Console:  # noqa: ANN401 - as rich has them
    """Return the console on standard error."""
    options = {"stderr": True} | options
    return _Terminal(markup=False, emoji=False, highlight=False, **options)


class LiveView:
    """Shows a run: lines of talk that scroll, below them how far it is.

    On a terminal it is drawn anew about ten times a second; elsewhere a line is written every ten
    seconds; if quiet, nothing is. A standard error that cannot be written to any more does not end
    the run.
    """

    def __init__(
        self,
        title: str,
        simulation: Simulation,
        steps: int,
        *,
        quiet: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title = short(title, 120)
        self._simulation = simulation
        self._gauge = Gauge(steps, clock)
        self._clock = clock
        self._console = console or progress_console()
        self._quiet = quiet
        self._broken = False
        self._live: Live | None = None
        self._talk: deque[str] = deque(maxlen=TALK_MAX)
        self._unshown = 0
        self._last = self._told = clock()

    def __enter__(self) -> Self:
        """Begin to show it."""
        self._gauge.read(self._simulation)  # what is done from now on counts for the rate
        if not self._quiet and self._console.is_terminal:
            self._live = Live(
                Text(f"{self._title}: starting", no_wrap=True, overflow="ellipsis"),
                console=self._console,
                auto_refresh=False,
                transient=True,
                # What the user's code prints is none of the results.
                redirect_stdout=False,
                redirect_stderr=True,
            )
            with suppress(OSError):
                self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show what is left of the talk, and take away the rest."""
        if self._live is not None:
            self.progress(self._simulation)
            with suppress(OSError):
                self._live.stop()
            self._live = None

    def hear(self, event: Event) -> None:
        """Take an event of what somebody said."""
        if self._live is not None:
            if len(self._talk) == TALK_MAX:
                self._unshown += 1
            time = time_of(self._simulation, event.step)
            # Cut to the width later, by the columns that characters take.
            self._talk.append(f"{time}  {words_of(event, self._console.width)}")

    def progress(self, _: Simulation) -> None:
        """Draw it anew; called about ten times a second while steps end."""
        self._last = self._clock()
        if self._broken:
            return
        try:
            if self._live is not None:
                self._draw()
            elif not self._quiet and self._last - self._told >= LINE_EVERY:
                self._told = self._last
                at = self._gauge.read(self._simulation)
                words = (step_words(at), pace_words(at), call_words(at))
                sys.stderr.write(f"{self._title}: {'; '.join(words)}\n")
                sys.stderr.flush()
        except OSError:
            self._broken = True

    def look(self) -> None:
        """Draw it anew if no step has ended for a while: slow engines are at work too."""
        if self._clock() - self._last >= LOOK_EVERY:
            self.progress(self._simulation)

    def _draw(self) -> None:
        assert self._live is not None, "Invariant: only called while it is shown"
        if self._talk:
            more = [f"          ... {self._unshown:,} more lines ..."] if self._unshown else []
            lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in (*more, *self._talk)]
            self._talk.clear()
            self._unshown = 0
            self._live.console.print(Group(*lines))
        self._live.update(self._picture(self._gauge.read(self._simulation)), refresh=True)

    def _picture(self, at: Standing) -> RenderableType:
        width = self._console.width
        bar = Table.grid(padding=(0, 1))
        bar.add_column(width=max(min(20, width // 4), 4))
        bar.add_column(no_wrap=True, overflow="ellipsis")
        bar.add_row(ProgressBar(total=max(at.total, 1), completed=at.done), pace_words(at))
        return Group(
            Text(self._title, style="bold", no_wrap=True, overflow="ellipsis"),
            Text(step_words(at), no_wrap=True, overflow="ellipsis"),
            bar,
            Text(call_words(at), style="dim", no_wrap=True, overflow="ellipsis"),
        )
