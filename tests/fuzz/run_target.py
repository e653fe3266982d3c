"""Run one target in this process: coverage-guided, on inputs drawn at random, or on one file.

run_target.py NAME FILE                      replay an input
run_target.py NAME --random SEED COUNT       its seeds, and so many mutations of them
run_target.py NAME --fuzz FOLDER [OPTION...] atheris, with libFuzzer's options
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
from pathlib import Path

from fuzz_draw import mutated
from fuzz_targets import target

#: Whoever asks for more is refused by the system: small files must not fill the memory.
MEMORY = 4 << 30


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def replay(name: str, file: str) -> None:
    taken = target(name).run(Path(file).read_bytes())
    print(f"{name}: {file} is {'taken' if taken else 'refused'}, as it should be")


def at_random(name: str, seed: int, count: int) -> None:
    """Print how many inputs were run and how many taken; a broken one is left in a file."""
    module = target(name)
    seeds = module.seeds()
    chance = random.Random(seed)
    drawn = (mutated(chance.choice(seeds), chance, seeds) for _ in range(count))
    now = Path(tempfile.gettempdir(), f"headway-fuzz-{name}-{seed}.input")
    taken = executions = 0
    for data in [*seeds, *drawn]:
        # A crash of the process leaves it behind.
        now.write_bytes(data)
        try:
            taken += module.run(data)
        except BaseException:
            print(f"replay with: {sys.executable} {__file__} {name} {now}", file=sys.stderr)
            raise
        executions += 1
    now.unlink()
    module.close()
    print(json.dumps({"executions": executions, "taken": taken}))


def guided(name: str, folder: str, options: list[str]) -> None:
    import atheris

    # The extension has no counters; what a target draws for it stands in for its coverage.
    with atheris.instrument_imports(include=["headway", "fuzz_scheduler"]):
        module = target(name)
    start = Path(folder)
    start.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(module.seeds()):
        (start / f"seed-{number}").write_bytes(data)

    def run(data: bytes) -> None:
        module.run(data)

    atheris.Setup([sys.argv[0], *options, folder], run)
    atheris.Fuzz()


def main(name: str, how: str, *more: str) -> None:
    limit_memory()
    if how == "--fuzz":
        guided(name, more[0], list(more[1:]))
    elif how == "--random":
        at_random(name, int(more[0]), int(more[1]))
    else:
        replay(name, how)


if __name__ == "__main__":
    main(*sys.argv[1:])
