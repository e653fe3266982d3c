"""The log of what happened, in the order lock-step would have written it."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from headway.world.values import thaw

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.world.store import Rank


class Event(NamedTuple):
    """Something an agent did, or that happened to it.

    `what` is one of move, say, tell, write, state, join, leave, spawn, skip, freeze; `data` is
    where to, (text, to), (recipient, body), (place, value), the state, the position, None, the
    child's name, or the name of the error.
    """

    step: int
    agent: str
    what: str
    data: Any

    def to_json(self) -> str:
        """Return the event as a line of JSON."""
        return json.dumps(
            {"step": self.step, "agent": self.agent, "what": self.what, "data": thaw(self.data)},
            ensure_ascii=False,
        )


class EventLog:
    """Collects events and tells them, by step and then in the order of agents, once final.

    An event is told when the frontier has passed its step: nothing before it can come any more.
    """

    def __init__(self) -> None:
        #: Whom to tell; without anybody, events are forgotten.
        self.tell: Callable[[Event], None] | None = None
        self._steps: dict[int, list[tuple[Rank, int, Event]]] = {}
        self._final: deque[Event] = deque()
        self._next = 0

    def add(self, step: int, rank: Rank, agent: str, what: str, data: Any) -> None:  # noqa: ANN401
        """Note an event of a step that is not behind the frontier."""
        events = self._steps.setdefault(step, [])
        events.append((rank, len(events), Event(step, agent, what, data)))

    def flush(self, frontier: int) -> None:
        """Tell the events of all steps before the frontier.

        If telling one raises, it and those after it are told the next time.
        """
        if frontier > self._next:
            self._next = frontier
            for step in sorted(step for step in self._steps if step < frontier):
                events = sorted(self._steps.pop(step), key=lambda event: event[:2])
                self._final += [event for _, _, event in events]
        while self._final:
            if self.tell is not None:
                self.tell(self._final[0])
            self._final.popleft()
