"""Small schedulers for tests, and how to see that a refused call has changed nothing."""

from __future__ import annotations

import numpy as np
import pytest

from headway import Scheduler, errors


def scheduler(*places, **options) -> Scheduler:
    """Agents at these tiles; sight 4 and speed 1 unless told otherwise."""
    return Scheduler(np.array(places), **({"sight": 4, "speed": 1} | options))


def step(s: Scheduler, *agents: int, times: int = 1, by=(0, 0)) -> None:
    """Let agents execute steps, each moving by the given way."""
    for _ in range(times):
        s.start(agents)
        s.finish(agents, s.positions[list(agents)] + np.asarray(by, s.positions.dtype))


def facts(s: Scheduler) -> list:
    """What a caller can see."""
    return [
        s.ready().tolist(),
        s.clocks.tolist(),
        s.positions.tolist(),
        s.frontier,
        [(s.status(a), s.held_up(a), [str(e) for e in s.story(a)]) for a in range(len(s))],
    ]


def refusal(expected, s: Scheduler, call, *arguments, **options):
    """The exception of a call, which must have changed nothing."""
    before = facts(s)
    with pytest.raises(expected) as caught:
        call(*arguments, **options)
    assert facts(s) == before
    assert isinstance(caught.value, errors.HeadwayError)
    s.validate()
    return caught.value
