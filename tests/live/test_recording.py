"""A live run recorded as a trace is a good one, and replays."""

from __future__ import annotations

import numpy as np
import pytest

from headway import Action, Agent, Graph, Grid, Simulation
from headway.engines import preset_named
from headway.live.recording import Recorder
from headway.replay import replay
from headway.schedules import Setting, make_schedule
from headway.testing import random_simulation
from headway.trace import read_trace, write_trace


def recorded(simulation, steps, **options):
    recorder = Recorder(simulation, name="live")
    outcome = simulation.run(steps, on_event=recorder.on_event, on_call=recorder.on_call, **options)
    return outcome, recorder.trace()


class Walker(Agent):
    """Walks, talks, brings about a child, leaves."""

    async def step(self, view):
        if view.step == 2 and self.name == "a":
            return Action(spawn=[Walker("child", view.position)])
        if view.step == 5 and self.name == "b":
            return Action(leave=True)
        await view.llm.chat("go on?", label="think")
        return Action(move=view.toward((9, 9)))


def test_a_trace_holds_who_was_where_and_what_was_asked(tmp_path):
    agents = [Walker("a", (0, 0)), Walker("b", (4, 0)), Walker("late", (9, 0), joins=3)]
    simulation = Simulation(Grid(10, 10), agents, seconds_per_step=5)
    outcome, trace = recorded(simulation, 8)
    write_trace(trace, tmp_path / "live.hwt")
    again = read_trace(tmp_path / "live.hwt")
    assert again.agents.names == ("a", "child", "b", "late")
    assert again.agents.first_step.tolist() == [0, 3, 0, 3]
    assert again.agents.last_step.tolist() == [8, 8, 6, 8]
    assert len(again.calls) == outcome.calls
    assert again.calls.functions == ("think",)
    assert (again.meta.seconds_per_step, again.meta.sight, again.meta.speed) == (5, 4, 1)
    last = {name: again.positions[8, i].tolist() for i, name in enumerate(again.agents.names)}
    assert last == {name: facts["position"] for name, facts in outcome.final["agents"].items()}
    assert again.positions[3, 1].tolist() == again.positions[2, 0].tolist()


@pytest.mark.parametrize("seed", range(12))
def test_random_worlds_are_recorded_alike_under_every_schedule(seed):
    _, trace = recorded(random_simulation(seed), 15, schedule="conservative")
    _, twin = recorded(random_simulation(seed), 15, schedule="lockstep")
    assert trace.agents.names == twin.agents.names
    assert np.array_equal(trace.positions, twin.positions)
    # Calls of one step that ran at the same time may stand in another order.
    columns = ("step", "agent", "prompt_tokens", "output_tokens")
    mine, theirs = (
        sorted(zip(*(getattr(t.calls, c).tolist() for c in columns), strict=True))
        for t in (trace, twin)
    )
    assert mine == theirs


def test_a_recorded_run_replays_out_of_order():
    agents = [Walker("a", (0, 0)), Walker("b", (4, 0)), Walker("c", (9, 0))]
    outcome, trace = recorded(Simulation(Grid(10, 10), agents), 8)
    server = preset_named("l4-8b").server(1)
    replayed = replay(trace, make_schedule("conservative", trace, Setting()), server)
    assert replayed.calls == outcome.calls


def test_nodes_of_a_graph_are_recorded_as_tiles():
    class User(Agent):
        def step(self, view):
            return Action(move=view.toward(2))

    space = Graph([(0, 1), (1, 2)])
    _, trace = recorded(Simulation(space, [User("u", 0)], sight=1), 3)
    assert trace.positions[:, 0].tolist() == [[0, 0], [1, 0], [2, 0], [2, 0]]
