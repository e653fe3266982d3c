"""Recording a live run as a trace, to replay it under any schedule without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.space import Plane
from headway.trace import Calls, Meta, Trace

if TYPE_CHECKING:
    from headway.engines.base import Answer, Request
    from headway.live.events import Event
    from headway.live.simulation import Simulation

#: The name of calls without a label in a trace.
UNLABELLED = "call"


class Recorder:
    """Collects what a trace holds while a simulation runs.

    Hand its methods to the run: `simulation.run(..., on_event=recorder.on_event,
    on_call=recorder.on_call)`; then `recorder.trace()`.
    """

    def __init__(self, simulation: Simulation, *, name: str = "live") -> None:
        self._simulation = simulation
        self._name = name
        state = simulation.state
        self._start = dict(zip(state.names, state.positions, strict=True))
        self._moves: dict[str, list[tuple[int, Any]]] = {}
        self._calls: list[tuple[int, str, int, int, str, int, int]] = []

    def on_event(self, event: Event) -> None:
        """Take an event of the run."""
        if event.what == "move":
            self._moves.setdefault(event.agent, []).append((event.step + 1, event.data))
        elif event.what == "join":
            self._start.setdefault(event.agent, event.data)

    def on_call(self, request: Request, answer: Answer) -> None:
        """Take an answered call of the run."""
        self._calls.append(
            (
                request.step,
                request.agent,
                request.call,
                request.attempt,
                request.label or UNLABELLED,
                max(answer.prompt_tokens, 1),
                max(answer.output_tokens, 1),
            )
        )

    def trace(self) -> Trace:
        """Return the trace of all steps that everybody has finished.

        On a graph the positions are (node, 0), which a replay reads as tiles: use it for the
        calls, not for the distances.
        """
        state = self._simulation.state
        order = state.in_order()
        row = {state.names[agent]: i for i, agent in enumerate(order)}
        present = [state.clocks[agent] for agent in order if state.left[agent] is None]
        steps = min(present, default=max(state.clocks))
        positions: Any = np.zeros((steps + 1, len(order), 2), self._dtype())
        for i, agent in enumerate(order):
            name = state.names[agent]
            positions[:, i] = self._place(self._start.get(name, state.positions[agent]))
            for since, position in self._moves.get(name, ()):
                positions[since:, i] = self._place(position)
        calls = sorted(call for call in self._calls if call[0] < steps)
        return Trace.build(
            meta=self._meta(),
            names=[state.names[agent] for agent in order],
            positions=positions,
            calls=Calls.from_columns(
                step=[call[0] for call in calls],
                agent=[row[call[1]] for call in calls],
                function=[call[4] for call in calls],
                prompt_tokens=[call[5] for call in calls],
                output_tokens=[call[6] for call in calls],
            ),
            first_step=np.array([min(state.joined[agent], steps) for agent in order]),
            last_step=np.array([self._last(agent, steps) for agent in order]),
        )

    def _place(self, position: Any) -> Any:  # noqa: ANN401
        return (position, 0) if self._simulation.space.metric == "hops" else position

    def _dtype(self) -> type:
        return np.float64 if isinstance(self._simulation.space, Plane) else np.int32

    def _last(self, agent: int, steps: int) -> int:
        left = self._simulation.state.left[agent]
        return steps if left is None else min(left + 1, steps)

    def _meta(self) -> Meta:
        simulation, state = self._simulation, self._simulation.state
        space = simulation.space
        on_graph = space.metric == "hops"
        return Meta(
            name=self._name,
            seconds_per_step=state.seconds_per_step,
            start=state.start.isoformat(),
            metric="chebyshev" if on_graph else space.metric,
            wrap=None if on_graph else space.wrap,
            sight=max(state.sight),
            speed=max(state.speed),
            source="a live run",
        )
