"""A loop of your own around `Scheduler`: two hundred walkers with answers that take their time.

Nothing here knows about LLMs: a step "thinks" for a random while (of simulated seconds), then the
walker moves. Run it, and compare the two times it prints.
"""

import heapq

import numpy as np

from headway import Scheduler

AGENTS, STEPS, SIZE = 200, 50, 100


def run(lockstep: bool) -> float:
    """Let everybody walk STEPS steps; return the time the last one is done."""
    chance = np.random.default_rng(7)
    places = chance.integers(0, SIZE, (AGENTS, 2))
    # Thinking times and moves are drawn before, so that both runs do the same work.
    seconds = chance.exponential(2.0, (STEPS, AGENTS))
    moves = chance.integers(-1, 2, (STEPS, AGENTS, 2))

    scheduler = Scheduler(places, sight=1000 if lockstep else 4, speed=1)
    clock = scheduler.clocks
    thinking: list[tuple[float, int]] = []  # (done at, agent)
    now = 0.0
    ready = scheduler.ready()
    while True:
        ready = ready[clock[ready] < STEPS]
        if len(ready):
            scheduler.start(ready)
            for agent in ready.tolist():
                heapq.heappush(thinking, (now + seconds[clock[agent], agent], agent))
        if not thinking:
            return now
        now, agent = heapq.heappop(thinking)
        places[agent] += moves[clock[agent], agent]
        clock[agent] += 1
        ready = scheduler.finish([agent], places[[agent]])


if __name__ == "__main__":
    waiting = run(lockstep=True)  # everybody sees everybody, so all wait for all
    going = run(lockstep=False)
    print(f"lock-step: {waiting:6.1f} s   out of order: {going:6.1f} s")
    print(f"{waiting / going:.2f} times as fast")
