"""Headway's core beside what one would use instead: same rule, same town, same run.

    python benches/side_by_side.py                   1,000 agents of a drawn town
    python benches/side_by_side.py --agents 5000
    python benches/side_by_side.py --small           a look whether it still runs; the tests do this

Every row replays the walks of one drawn town at midday out of order, with the same modelled
durations (a call takes a hundred times as long as a step without one), so all must start the same
steps at the same times: a digest of that is compared. Timed is the decision alone, in real time of
this process, from the finish of an agent's step to who may start; for Redis that includes the
server's answer over loopback. With `--together` all who end at the same time are one batch. Rows
take turns, round after round; what is told is the median over rounds. The indexes rstar and kiddo
run inside our own core, without Python: `python benches/core.py --index rstar`.
"""

from __future__ import annotations

import heapq
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import results
from deciders import AllPairs, Headway, KDTree, Redis
from rich.console import Console
from rich.progress import track
from rich.table import Table

from headway.generate import generate_town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headway.trace import Trace

#: DESIGN section 7: how many times as fast as these Headway shall be.
TARGETS = {KDTree.name: 10, Redis.name: 100}

#: How long a step without a call takes, and each call.
STEP, CALL = 10, 1000


class Walks:
    """Where everybody of a town goes, and how long each step takes in modelled time."""

    def __init__(self, trace: Trace) -> None:
        self.positions = np.ascontiguousarray(trace.positions, np.int64)
        self.durations = np.full((trace.n_steps, trace.n_agents), STEP)
        np.add.at(self.durations, (trace.calls.step, trace.calls.agent), CALL)


def replay(
    walks: Walks,
    decider: Any,
    agent_steps: int,
    *,
    together: bool,
) -> tuple[list[float], str]:
    """Run out of order; return the seconds for each agent-step and a digest of who went when."""
    last = len(walks.durations)
    clocks = np.zeros(walks.positions.shape[1], np.int64)
    queue = [(int(d), agent) for agent, d in enumerate(walks.durations[0])]
    heapq.heapify(queue)
    took: list[float] = []
    digest = 0
    now = 0
    # All that end at one time are taken, so that no order among them shows.
    while queue and (len(took) < agent_steps or queue[0][0] == now):
        now, first = heapq.heappop(queue)
        batch = [first]
        while together and queue and queue[0][0] == now:
            batch.append(heapq.heappop(queue)[1])
        ids = np.array(batch)
        clocks[ids] += 1
        where = walks.positions[np.minimum(clocks[ids], len(walks.positions) - 1), ids]
        begin = time.perf_counter()
        started = decider.finish(ids, where)
        took += [(time.perf_counter() - begin) / len(batch)] * len(batch)
        for agent in started.tolist():
            step = int(clocks[agent])
            digest = (digest + hash((agent, step, now))) % 2**64
            if step < last:
                heapq.heappush(queue, (now + int(walks.durations[step, agent]), agent))
    return took, f"{digest:016x}"


@contextmanager
def redis_server() -> Iterator[Any]:
    """Start a Redis server on loopback that keeps nothing; None where there is none."""
    program = shutil.which("redis-server")
    try:
        import redis  # noqa: PLC0415 - an optional dependency
    except ImportError:
        redis = None
    if program is None or redis is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "",
                   "--appendonly", "no", "--dir", folder]  # fmt: skip
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            client = redis.Redis("127.0.0.1", port)
            for _ in range(100):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
            yield client
        finally:
            server.terminate()
            server.wait()


def measure(
    agents: int, agent_steps: int, rounds: int, *, together: bool
) -> tuple[list[dict[str, Any]], str]:
    """Run all of them in turns; return a row for each, and what was left out and why."""
    steps = max(20, -(-4 * agent_steps // agents))
    walks = Walks(generate_town(agents=agents, steps=steps, start_hour=12, layout="one-town"))
    with redis_server() as client:
        kinds: list[tuple[str, Callable[[], Any]]] = [
            (kind.name, lambda kind=kind: kind(walks.positions[0]))
            for kind in (Headway, AllPairs, KDTree)
        ]
        if client is not None:
            kinds.append((Redis.name, lambda: Redis(walks.positions[0], client)))
        times: dict[str, list[list[float]]] = {name: [] for name, _ in kinds}
        digests: dict[str, str] = {}
        turns = [kind for _ in range(rounds) for kind in kinds]
        for name, make in track(turns, console=Console(stderr=True), transient=True):
            decider = make()
            took, digests[name] = replay(walks, decider, agent_steps, together=together)
            times[name].append(took)
    if len(set(digests.values())) != 1:
        raise SystemExit(f"they disagree about who may start when: {digests}")
    return [row(name, times, digests[name]) for name, _ in kinds], left_out(client)


def left_out(client: object) -> str:
    """Return why a row is missing."""
    if client is not None:
        return ""
    return "Redis is left out: it needs redis-server on the PATH (Debian has it) and `redis`."


def row(name: str, times: dict[str, list[list[float]]], digest: str) -> dict[str, Any]:
    """Return the figures of one of them; ratios are of means in the same round."""
    means = [sum(took) / len(took) for took in times[name]]
    ours = [sum(took) / len(took) for took in times[Headway.name]]
    return {
        "what": name,
        "agent_steps": len(times[name][0]),
        "mean_us": median(means) * 1e6,
        "median_us": median(median(took) for took in times[name]) * 1e6,
        "times_headway": median(mean / our for mean, our in zip(means, ours, strict=True)),
        "target": TARGETS.get(name),
        "digest": digest,
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """Lay the rows out."""
    laid = Table(box=None, pad_edge=False)
    laid.add_column("decides")
    for name in ("mean us/agent-step", "median us", "x Headway's mean", "target"):
        laid.add_column(name, justify="right")
    for each in rows:
        laid.add_row(
            each["what"],
            f"{each['mean_us']:,.2f}",
            f"{each['median_us']:,.2f}",
            f"{each['times_headway']:,.0f}x",
            f">= {each['target']}x" if each["target"] else "",
        )
    return laid


@click.command()
@click.option("--agents", default=1000, show_default=True)
@click.option("--agent-steps", default=20_000, show_default=True, help="Of each round.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--together", is_flag=True, help="Those who end at one time finish in one call.")
@click.option("--small", is_flag=True, help="30 agents, 300 agent-steps, one round.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--output", type=click.Path(path_type=Path))
def main(
    agents: int,
    agent_steps: int,
    rounds: int,
    *,
    together: bool,
    small: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Measure Headway's core beside others."""
    if small:
        agents, agent_steps, rounds = 30, 300, 1
    rows, missing = measure(agents, agent_steps, rounds, together=together)
    if output:
        told = (__doc__ or "").split("\n\n")[-1].replace("\n", " ").strip()
        how = "in one call" if together else "one by one"
        results.write(output, f"{agents} agents, {how}. {told} {missing}".strip(), rows)
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        Console(width=120).print(table(rows))
    if missing:
        Console(stderr=True).print(missing)


if __name__ == "__main__":
    main()
