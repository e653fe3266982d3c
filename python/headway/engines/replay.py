"""Replay: the answers of a recorded run instead of a model, loudly where the run differs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headway.engines.base import Answer, Engine, Request
from headway.engines.wrappers.content import differing_parts, request_hash, request_parts
from headway.errors import EngineError
from headway.trace.answers import RecordedAnswer, read_answers

if TYPE_CHECKING:
    from collections.abc import Iterable


def tape(calls: Iterable[tuple[Request, Answer]]) -> list[RecordedAnswer]:
    """Make a tape of calls, as the wrapper `Recording` hands them on.

    Where the same was asked twice in one call (the step was rolled back in between), the later
    answer stays, which is the one that became final.

    Raises
    ------
    EngineError
        Where a request's schema cannot be written as JSON.
    """
    rows = (_recorded(request, answer) for request, answer in calls)
    return sorted({row.place: row for row in rows}.values(), key=lambda row: row.place)


def _recorded(request: Request, answer: Answer) -> RecordedAnswer:
    return RecordedAnswer(
        step=request.step,
        agent=request.agent,
        call=request.call,
        attempt=request.attempt,
        label=request.label,
        request_hash=request_hash(request),
        request_parts=request_parts(request),
        text=answer.text,
        prompt_tokens=answer.prompt_tokens,
        output_tokens=answer.output_tokens,
        cached_tokens=answer.cached_tokens,
        finish=answer.finish,
        model=answer.model,
    )


class ReplayEngine(Engine):
    """Answers each call as it was answered in a recorded run.

    A call is found by its agent, step, number and attempt, and must ask what was asked then: the
    same messages, sampling parameters, schema, choices and seed.

    Parameters
    ----------
    recording : path-like or iterable of RecordedAnswer
        The folder of a trace with answers, or the answers themselves.

    Raises
    ------
    TraceError
        Where the answers cannot be read.
    EngineError
        Where the same was answered twice.
    MissingExtraError
        Where pyarrow is needed and not installed.
    """

    name = "replay"

    def __init__(self, recording: str | os.PathLike[str] | Iterable[RecordedAnswer]) -> None:
        if isinstance(recording, str | os.PathLike):
            self._source = str(os.fspath(recording))
            rows: Iterable[RecordedAnswer] = read_answers(recording)
        else:
            self._source = "the tape"
            rows = recording
        self._calls: dict[tuple[str, int, int, int], dict[str, RecordedAnswer]] = {}
        models: set[str] = set()
        for row in rows:
            place = (row.agent, row.step, row.call, row.attempt)
            answers = self._calls.setdefault(place, {})
            if row.request_hash in answers:
                raise EngineError(f"{self._source} answers {_named(*place)} twice; keep one")
            answers[row.request_hash] = row
            models.add(row.model)
        self.model = models.pop() if len(models) == 1 else None
        self._replayed = 0
        self._places: set[tuple[str, int, int, int]] = set()

    async def complete(self, request: Request) -> Answer:
        """Answer as recorded.

        Raises
        ------
        EngineError
            Where the call was not recorded, or something else was asked in it; with what differs.
        """
        place = (request.agent, request.step, request.call, request.attempt)
        answers = self._calls.get(place)
        if answers is None:
            raise EngineError(
                f"{_described(request)} is not on {self._source}, {self._nearest(request)}; the "
                "run is not the recorded one: record it anew, or restore what was changed"
            )
        row = answers.get(request_hash(request))
        if row is None:
            raise EngineError(
                f"{_described(request)} asks something else than on {self._source}: "
                f"{_difference(request, answers.values())}; the run is not the recorded one: "
                "record it anew, or restore what was changed"
            )
        self._replayed += 1
        self._places.add(place)
        return Answer(
            text=row.text,
            prompt_tokens=row.prompt_tokens,
            output_tokens=row.output_tokens,
            cached_tokens=row.cached_tokens,
            finish=row.finish,
            model=row.model,
        )

    def statistics(self) -> dict[str, float]:
        """Return how many calls were answered, and how many recorded ones were never made."""
        return {
            "replayed_calls": self._replayed,
            "unplayed_calls": len(self._calls) - len(self._places),
        }

    def _nearest(self, request: Request) -> str:
        """Say what is recorded instead."""
        mine = [place for place in self._calls if place[0] == request.agent]
        if not mine:
            names = sorted({agent for agent, *_ in self._calls})
            listed = ", ".join(repr(name) for name in names[:3])
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            return f"which has no calls of {request.agent!r} but of {listed or 'nobody'}{more}"
        in_step = [place for place in mine if place[1] == request.step]
        if not in_step:
            steps = [step for _, step, *_ in mine]
            return (
                f"which has no call of it in that step, but in steps from {min(steps)} to "
                f"{max(steps)}"
            )
        if (request.agent, request.step, request.call, 0) in self._calls:
            return "where that call needed fewer attempts"
        return f"which has {len({call for _, _, call, _ in in_step})} calls of it in that step"


def _difference(request: Request, answers: Iterable[RecordedAnswer]) -> str:
    parts = request_parts(request)
    differing, row = min(
        ((differing_parts(row.request_parts, parts), row) for row in answers),
        key=lambda found: len(found[0]),
    )
    what = " and ".join(differing) or "the content"
    label = f"; it was a call for {row.label!r} then" if row.label != request.label else ""
    return f"{what} {'differ' if ' and ' in what or what == 'messages' else 'differs'}{label}"


def _named(agent: str, step: int, call: int, attempt: int) -> str:
    return _described(Request(messages=(), agent=agent, step=step, call=call, attempt=attempt))


def _described(request: Request) -> str:
    return f"{request} (attempt {request.attempt})" if request.attempt else str(request)
