"""Where two runs part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from headway.live.outcome import canonical

if TYPE_CHECKING:
    from headway.testing.running import Run


@dataclass(frozen=True)
class Difference:
    """The first thing that two runs differ in.

    Attributes
    ----------
    step : int
        The step in which it happened.
    agent : str or None
        Whose it is; None of places.
    what : str
        In words.
    expected, found : str
        What lock-step gave, and what the other run did.
    """

    step: int
    agent: str | None
    what: str
    expected: str
    found: str


def first_difference(expected: Run, found: Run, steps: int) -> Difference | None:
    """Return where a run first differs from the one in lock-step, or None."""
    if found.error is not None:
        return Difference(steps - 1, None, "how it ended", "well", found.error)
    for number, (one, other) in enumerate(zip_longest(expected.events, found.events)):
        if one != other:
            return _event(one, other, missed=one in found.events[number:])
    # By their text, in which 1, 1.0 and true are three things, as in the events.
    if canonical(expected.final) != canonical(found.final):
        return _final(expected.final, found.final, steps)
    return None


def _event(one: str | None, other: str | None, *, missed: bool) -> Difference:
    """Tell of the first events that differ; `missed`: that of lock-step came later, too."""
    events = [json.loads(line) for line in (one, other) if line is not None]
    # The lines are in the order of steps: the earlier of the two is missing in the other run.
    first = min(events[::-1] if missed else events, key=lambda event: event["step"])
    alike = len(events) == 2 and all(events[0][k] == events[1][k] for k in ("step", "agent"))
    same = alike and events[0]["what"] == events[1]["what"]
    told = [_told(line, first, alike=alike) for line in (one, other)]
    what = f"the {first['what']!r} of its action" if same else "what it did"
    return Difference(first["step"], first["agent"], what, told[0], told[1])


def _told(line: str | None, first: dict[str, Any], *, alike: bool) -> str:
    if line is None:
        return "nothing"
    event = json.loads(line)
    if alike or (event["step"], event["agent"]) == (first["step"], first["agent"]):
        return f"{event['what']} {short(event['data'])}"
    return f"nothing (next is {event['what']} of {event['agent']!r} in step {event['step']})"


def _final(one: dict[str, Any], other: dict[str, Any], steps: int) -> Difference:
    for kind in ("agents", "places"):
        for name in [*one[kind], *other[kind]]:
            mine, theirs = one[kind].get(name), other[kind].get(name)
            if canonical(mine) == canonical(theirs):
                continue
            who = name if kind == "agents" else None
            what = "its final state" if who else f"the final state of the place {name!r}"
            if isinstance(mine, dict) and isinstance(theirs, dict) and who:
                key = next(k for k in [*mine, *theirs] if _part(mine, k) != _part(theirs, k))
                mine, theirs = mine.get(key), theirs.get(key)
                what = f"{key!r} at the end"
            return Difference(steps - 1, who, what, short(mine), short(theirs))
    raise AssertionError("Invariant: final states that differ differ somewhere")


def _part(state: dict[str, Any], key: str) -> bytes | None:
    return canonical(state[key]) if key in state else None


def short(value: object, most: int = 160) -> str:
    """Return a value as text for a message, shortened."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= most else text[: most - 1] + "…"
