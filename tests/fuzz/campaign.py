"""Run the fuzz targets for a while each, those in Rust and those in Python, and tell what came.

`make fuzz` builds what this needs. Corpora and inputs that broke a target stay in `build/fuzz`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzz_targets import MODULES

ROOT = Path(__file__).parents[2]
WORK = Path("build", "fuzz")
RUST = ("event_door", "position_history", "virtual_server")

#: For one input, on a busy machine; and what a process may take.
SECONDS_MAX, MEGABYTES_MAX = 60, 3000

RUNS = re.compile(r"^#(\d+)\s", re.MULTILINE)
FEATURES = re.compile(r"^#\d+\s+(\w+) .*?ft: (\d+)", re.MULTILINE)


@dataclass
class Outcome:
    """What one target did: new features of coverage beyond those of the corpus it began with."""

    target: str
    executions: int
    seconds: float
    new_features: int | None
    crashes: int
    replay: list[str]


def command(name: str, binaries: Path) -> list[str]:
    """What runs a target on the files, or with the options, that follow."""
    if name in RUST:
        return [str(binaries / name)]
    return [str(Path(sys.executable)), "tests/fuzz/run_target.py", name]


def run(name: str, seconds: int, binaries: Path) -> Outcome:
    """Fuzz one target, and wait for it."""
    corpus, crashes = WORK / "corpus" / name, WORK / "crashes" / name
    for folder in (corpus, crashes, WORK / "logs"):
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
    before = set((ROOT / crashes).iterdir())
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={SECONDS_MAX}",
        f"-rss_limit_mb={MEGABYTES_MAX}",
        f"-artifact_prefix={crashes}/",
        "-max_len=4096",
        "-print_final_stats=0",
    ]
    begin = command(name, binaries)
    if name in RUST:
        call = [*begin, *options, str(corpus), str(Path("rust", "fuzz", "seeds", name))]
    else:
        call = [*begin, "--fuzz", str(corpus), *options]
    log = ROOT / WORK / "logs" / f"{name}.txt"
    start = time.monotonic()
    with log.open("wb") as file:
        code = subprocess.run(
            call, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode
    took = time.monotonic() - start
    text = log.read_text(errors="replace")
    found = [path.relative_to(ROOT) for path in sorted(set((ROOT / crashes).iterdir()) - before)]
    replay = [" ".join([*begin, str(path)]) for path in found]
    if code and not found:
        replay = [f"{' '.join(call)} (it left no input; see {log.relative_to(ROOT)})"]
    return Outcome(name, _executions(text), round(took, 1), _new(text), len(replay), replay)


def _executions(log: str) -> int:
    return max((int(number) for number in RUNS.findall(log)), default=0)


def _new(log: str) -> int | None:
    features = FEATURES.findall(log)
    first = [int(count) for what, count in features if what == "INITED"]
    return int(features[-1][1]) - first[0] if first else None


def table(outcomes: list[Outcome]) -> str:
    """One line a target."""
    head = ("target", "executions", "seconds", "new features", "crashes")
    rows = [
        (o.target, f"{o.executions:,}", f"{o.seconds:.0f}", _shown(o.new_features), str(o.crashes))
        for o in outcomes
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in (head, *rows)
    )


def _shown(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", default=[*RUST, *MODULES], metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=300, help="for each target")
    parser.add_argument("--binaries", type=Path, required=True, help="where the Rust ones are")
    given = parser.parse_args()
    unknown = set(given.targets) - {*RUST, *MODULES}
    if unknown:
        parser.error(f"no target {min(unknown)}; there are {', '.join((*RUST, *MODULES))}")
    outcomes = []
    for name in given.targets:
        print(f"{name}: {given.seconds} s ...", file=sys.stderr, flush=True)
        outcomes.append(run(name, given.seconds, given.binaries))
    print(table(outcomes))
    (ROOT / "build" / "fuzz.json").write_text(
        json.dumps({"targets": [asdict(outcome) for outcome in outcomes]}, indent=1) + "\n"
    )
    replays = [line for outcome in outcomes for line in outcome.replay]
    for line in replays:
        print(f"replay: {line}")
    sys.exit(1 if replays else 0)


if __name__ == "__main__":
    main()
