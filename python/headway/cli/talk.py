"""What agents say, as lines of text, and which conversation is worth showing at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headway.cli.factories import short

if TYPE_CHECKING:
    from headway.live import Simulation
    from headway.live.events import Event

#: Lines of a conversation that are kept to be shown.
LINES_MAX = 6

#: Words that come later than this belong to another conversation: simulated seconds, and steps.
PAUSE_SECONDS, PAUSE_STEPS = 300.0, 5

#: Conversations that may be going on at a time before those that have ended are forgotten.
OPEN_MAX = 4096

#: Characters of a name, and of what is said in a conversation that is quoted.
NAME_MAX, QUOTE_MAX = 24, 300

#: Seconds in a step from which on the date says more than the time of day.
LONG_STEP = 3600.0


def time_of(simulation: Simulation, step: int) -> str:
    """Return the simulated time at the start of a step, in a few characters."""
    try:
        moment = simulation.state.time(step)
    except OverflowError:
        return f"step {step}"
    if simulation.state.seconds_per_step >= LONG_STEP:
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment:%H:%M:%S}"


def words_of(event: Event, most: int) -> str:
    """Return who says what to whom, in one line."""
    text, to = event.data
    speaker = short(event.agent, NAME_MAX)
    listeners = ", ".join(short(name, NAME_MAX) for name in to[:2])
    if len(to) > 2:
        listeners += f" and {len(to) - 2} more"
    whom = f" to {listeners}" if to else ""
    return f"{speaker}{whom}: {short(text, most)}"


@dataclass
class Conversation:
    """Words among the same people without a long pause.

    Attributes
    ----------
    count : int
        How many lines it has; only the first few are kept.
    """

    first: int
    last: int
    count: int = 0
    speakers: set[str] = field(default_factory=set)
    lines: list[tuple[str, str]] = field(default_factory=list)

    @property
    def weight(self) -> tuple[bool, int]:
        """Order conversations: those in which somebody answers, then by length."""
        return len(self.speakers) > 1, self.count


class Listener:
    """Hears everything that is said and remembers the longest conversation.

    It is told of events in the order of lock-step, so what it remembers does not depend on the
    order of execution.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        seconds = simulation.state.seconds_per_step
        self._pause = max(PAUSE_STEPS, int(PAUSE_SECONDS / seconds) if seconds > 0 else 0)
        self._open: dict[frozenset[str], Conversation] = {}
        self.longest: Conversation | None = None
        self.count = 0

    def hear(self, event: Event) -> None:
        """Take an event of what somebody said."""
        self.count += 1
        people = frozenset((event.agent, *event.data[1]))
        talk = self._open.get(people)
        if talk is None or event.step - talk.last > self._pause:
            if len(self._open) >= OPEN_MAX:
                self._forget(event.step)
            talk = self._open[people] = Conversation(event.step, event.step)
        talk.last = event.step
        talk.count += 1
        talk.speakers.add(event.agent)
        if len(talk.lines) < LINES_MAX:
            time = time_of(self._simulation, event.step)
            talk.lines.append((time, words_of(event, QUOTE_MAX)))
        if self.longest is None or talk.weight > self.longest.weight:
            self.longest = talk

    def _forget(self, step: int) -> None:
        self._open = {
            people: talk for people, talk in self._open.items() if step - talk.last <= self._pause
        }
