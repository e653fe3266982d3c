"""Run one target in this process: on one file, at random, or coverage-guided.

run_target.py NAME FILE                               replay an input
run_target.py NAME --inputs COUNT [--seed N]          its seeds, and so many mutations of them
run_target.py NAME --seconds S --broken FILE [...]    its seeds, and mutations for so long
run_target.py NAME --guided FOLDER [OPTION...]        atheris, with libFuzzer's options
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from fuzz_draw import mutated
from fuzz_targets import MODULES, target

#: Whoever asks for more is refused by the system: small files must not fill the memory.
MEMORY = 4 << 30
#: For one input, on a busy machine.
SECONDS_MAX = 60


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def replay(name: str, file: str) -> None:
    faulthandler.enable()
    taken = target(name).run(Path(file).read_bytes())
    print(f"{name}: {file} is {'taken' if taken else 'refused'}, as it should be")


def at_random(name: str, given: argparse.Namespace) -> None:
    """Print how many inputs were run and how many taken; a broken one is left in a file."""
    module = target(name)
    seeds = module.seeds()
    chance = random.Random(given.seed)
    default = Path(tempfile.gettempdir(), f"headway-fuzz-{name}.input")
    file = given.broken or default
    end = None if given.seconds is None else time.monotonic() + given.seconds
    taken = executions = 0
    faulthandler.enable()
    while executions < len(seeds) + given.inputs or (end and time.monotonic() < end):
        if executions < len(seeds):
            data = seeds[executions]
        else:
            data = mutated(chance.choice(seeds), chance, seeds)
        # A crash of the process leaves it behind, and one that does not end does.
        file.write_bytes(data)
        faulthandler.dump_traceback_later(SECONDS_MAX, exit=True)
        try:
            taken += module.run(data)
        except BaseException:
            print(f"replay with: {sys.executable} {__file__} {name} {file}", file=sys.stderr)
            raise
        executions += 1
    faulthandler.cancel_dump_traceback_later()
    file.unlink()
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=MODULES)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--inputs", type=int, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--broken", type=Path)
    parser.add_argument("--guided", metavar="FOLDER")
    given, options = parser.parse_known_args()
    if options and not given.guided:
        parser.error(f"unknown: {' '.join(options)}")
    limit_memory()
    if given.guided:
        guided(given.name, given.guided, options)
    elif given.file:
        replay(given.name, given.file)
    else:
        at_random(given.name, given)


if __name__ == "__main__":
    main()
