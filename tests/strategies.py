"""Random traces small enough to read when a test fails; ways to compare and to damage them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from headway.trace.model import BASES, CALL_COLUMNS, Calls, Meta, Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

#: For tests of random traces: on a busy machine slowness says nothing about the code.
patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

_FUNCTIONS = ("plan", "poignancy", "iterative_convo", "été")
_TEXT = st.text(max_size=8)


@st.composite
def presences(draw, n_agents: int, n_steps: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First and last steps: most agents stay throughout, some join late or leave early."""
    first, last = [], []
    for _ in range(n_agents):
        whole = draw(st.booleans())
        first.append(0 if whole else draw(st.integers(0, n_steps - 1)))
        last.append(n_steps if whole else draw(st.integers(first[-1] + 1, n_steps)))
    return np.array(first, np.int32), np.array(last, np.int32)


@st.composite
def walks(draw, *, grid: bool, wrap, first, last, n_steps: int) -> NDArray[Any]:
    """Places of agents that stand, walk or jump while present, and stand still otherwise."""
    top = 12 if wrap is None else int(min(wrap)) - 1
    low = 0 if wrap is not None else -12
    coordinate = st.integers(low, top) if grid else st.floats(low, top, width=32)
    places = np.zeros((n_steps + 1, len(first), 2), np.int32 if grid else np.float64)
    for i, (begin, end) in enumerate(zip(first, last, strict=True)):
        places[:, i] = draw(st.tuples(coordinate, coordinate))
        for t in range(begin, end):
            if draw(st.booleans()):
                places[t + 1 :, i] = draw(st.tuples(coordinate, coordinate))
    return places


@st.composite
def call_tables(draw, world, first, last) -> Calls:
    """Calls of present agents, a few of them about a partner of the same world."""
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        agent = draw(st.integers(0, len(first) - 1))
        others = [b for b in range(len(first)) if b != agent and world[b] == world[agent]]
        rows.append(
            (
                draw(st.integers(int(first[agent]), int(last[agent]) - 1)),
                agent,
                draw(st.sampled_from(_FUNCTIONS)),
                draw(st.integers(1, 4000)),
                draw(st.integers(1, 300)),
                draw(st.sampled_from([-1, *others])),
                draw(st.sampled_from(BASES)),
            )
        )
    columns = list(zip(*rows, strict=True)) or [()] * 7
    return Calls.from_columns(**dict(zip(CALL_COLUMNS, columns, strict=True)))


@st.composite
def traces(
    draw,
    *,
    grid: bool | None = None,
    metric: str | None = None,
    one_world: bool = False,
    max_agents: int = 4,
    max_steps: int = 8,
) -> Trace:
    """Valid traces, grid or plane, with joins, leaves, jumps, worlds and joined borders."""
    n = draw(st.integers(1, max_agents))
    steps = draw(st.integers(1, max_steps))
    on_grid = draw(st.booleans()) if grid is None else grid
    wrap = draw(st.sampled_from([None, (7.0, 9.0)]))
    first, last = draw(presences(n, steps))
    world = draw(st.lists(st.integers(0, 0 if one_world else 1), min_size=n, max_size=n))
    any_metric = st.sampled_from(["chebyshev", "manhattan", "euclidean"])
    breaks = draw(st.sets(st.integers(0, steps), max_size=3))
    return Trace.build(
        meta=Meta(
            name=f"t{draw(_TEXT)}",
            seconds_per_step=draw(st.floats(0.001, 1e6)),
            start="2023-02-13T06:00:00",
            metric=draw(any_metric) if metric is None else metric,
            wrap=wrap,
            sight=draw(st.none() | st.floats(0, 100)),
            speed=draw(st.none() | st.floats(0, 100)),
            time_breaks=tuple(sorted(breaks)),
            source=draw(_TEXT),
            notes=tuple(draw(st.lists(_TEXT, max_size=2))),
        ),
        names=[f"{draw(_TEXT)}-{i}" for i in range(n)],
        world=np.array(world, np.int32),
        first_step=first,
        last_step=last,
        positions=draw(walks(grid=on_grid, wrap=wrap, first=first, last=last, n_steps=steps)),
        calls=draw(call_tables(world, first, last)),
    )


def function_names(calls: Calls) -> list[str]:
    """Names of the functions, row by row."""
    return [calls.functions[code] for code in calls.function]


def assert_same_calls(a: Calls, b: Calls) -> None:
    """Compare call tables by meaning: codes may differ, names may not."""
    for column in CALL_COLUMNS:
        if column != "function":
            np.testing.assert_array_equal(getattr(a, column), getattr(b, column), column)
    assert function_names(a) == function_names(b)


def assert_same_trace(a: Trace, b: Trace) -> None:
    """Compare everything that a trace says."""
    assert a.meta == b.meta
    assert a.agents.names == b.agents.names
    for column in ("world", "first_step", "last_step"):
        np.testing.assert_array_equal(getattr(a.agents, column), getattr(b.agents, column), column)
    assert a.positions.dtype == b.positions.dtype
    np.testing.assert_array_equal(a.positions, b.positions)
    assert_same_calls(a.calls, b.calls)


def small_trace(*, grid: bool = True, steps: int = 4, **changes: Any) -> Trace:
    """Ann, Ben and Cas: two walk, and Cas joins at step 1 and leaves after step 2."""
    places = np.zeros((steps + 1, 3, 2))
    places[:, 0, 0] = np.arange(steps + 1)
    places[:, 1] = (5, 5)
    places[2:, 1] = (5, 6)
    places[:, 2] = (9, 9)
    fields: dict[str, Any] = {
        "meta": Meta(name="small"),
        "names": ["Ann", "Ben", "Cas"],
        "positions": places.astype(np.int32) if grid else places,
        "first_step": np.array([0, 0, 1]),
        "last_step": np.array([steps, steps, 3]),
        "calls": Calls.from_columns(
            step=[0, 1, 1, 2],
            agent=[0, 0, 2, 1],
            function=["plan", "plan", "talk", "talk"],
            prompt_tokens=[100, 200, 300, 400],
            output_tokens=[10, 20, 30, 40],
            partner=[-1, 1, 0, 2],
            basis=["recorded", "inferred", "recorded", "synthetic"],
        ),
    }
    return Trace.build(**(fields | changes))


def change_meta(path: Path, **fields: Any) -> None:
    """Change fields of a trace's `meta.json`."""
    file = path / "meta.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def change_table(path: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Pass a table through `change` and correct the row count, so that only the change shows."""
    file = path / f"{table}.parquet"
    changed = change(pq.read_table(file))
    pq.write_table(changed, file)
    rows = json.loads((path / "meta.json").read_text())["rows"]
    change_meta(path, rows=rows | {table: changed.num_rows})


def set_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """Replace a column."""
    return table.set_column(table.column_names.index(name), name, column)
