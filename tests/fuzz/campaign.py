"""Run the fuzz targets for a while each, those in Rust and those in Python, and tell what came.

`make fuzz` does it. Coverage-guided where libFuzzer can be built and atheris is installed, else on
inputs drawn at random; the table says which. What broke a target stays in `build/fuzz/crashes`,
the figures in `build/fuzz.json`. The exit code is 1 if a target broke.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import platform
import re
import secrets
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from binaries import ROOT, guided_binaries, random_binary
from fuzz_targets import MODULES

WORK = Path("build", "fuzz")
SEEDS = ROOT / "rust" / "proof" / "src" / "fuzz" / "seeds"
RUST = tuple(sorted(path.stem for path in SEEDS.glob("*.txt")))

#: For one input, on a busy machine; and what a process may take.
SECONDS_MAX, MEGABYTES_MAX = 60, 3000

GUIDED, RANDOM = "coverage-guided", "random, not coverage-guided"

RUNS = re.compile(r"^#(\d+)\s", re.MULTILINE)
DRAWN = re.compile(r'^\{"executions": (\d+)', re.MULTILINE)


@dataclass
class Way:
    """How a target is run: on the files that follow, guided into a folder, or at random."""

    replay: list[str]
    guided: list[str] | None
    drawn: list[str]


@dataclass
class Outcome:
    """What one target did."""

    target: str
    how: str
    executions: int
    seconds: float
    per_second: float
    crashes: int
    replay: list[str]


def ways(names: list[str], *, at_random: bool) -> dict[str, Way]:
    """Build what the targets need."""
    found = {}
    rust = [name for name in names if name in RUST]
    folder = guided_binaries() if rust and not at_random else None
    binary = str(random_binary()) if rust and folder is None else ""
    for name in rust:
        if folder is None:
            found[name] = Way([binary, "fuzz", name], None, [binary, "fuzz", name])
        else:
            found[name] = Way([str(folder / name)], [str(folder / name)], [])
    atheris = importlib.util.find_spec("atheris") is not None and not at_random
    for name in names:
        if name in MODULES:
            script = [_python(), "tests/fuzz/run_target.py", name]
            found[name] = Way(script, [*script, "--guided"] if atheris else None, script)
    return found


def _python() -> str:
    here = Path(sys.executable)
    return str(here.relative_to(ROOT) if here.is_relative_to(ROOT) else here)


def run(name: str, seconds: int, way: Way) -> Outcome:
    """Fuzz one target, and wait for it."""
    corpus, crashes = WORK / "corpus" / name, WORK / "crashes" / name
    for folder in (corpus, crashes, WORK / "logs"):
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
    before = set((ROOT / crashes).iterdir())
    left = crashes / "last.input"
    if way.guided:
        unpack_seeds(name, ROOT / corpus)
        call = [
            *way.guided,
            str(corpus),
            f"-max_total_time={seconds}",
            f"-timeout={SECONDS_MAX}",
            f"-report_slow_units={SECONDS_MAX}",
            f"-rss_limit_mb={MEGABYTES_MAX}",
            f"-artifact_prefix={crashes}/",
            "-max_len=4096",
        ]
    else:
        start = ["--first" if name in RUST else "--seed", str(secrets.randbits(32))]
        call = [*way.drawn, "--seconds", str(seconds), "--broken", str(left), *start]
    log = ROOT / WORK / "logs" / f"{name}.txt"
    start_time = time.monotonic()
    with log.open("wb") as file:
        code = subprocess.run(
            call, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode
    took = time.monotonic() - start_time
    if (ROOT / left).exists():
        data = (ROOT / left).read_bytes()
        (ROOT / left).rename(ROOT / crashes / f"crash-{hashlib.sha1(data).hexdigest()}")
    found = [path.relative_to(ROOT) for path in sorted(set((ROOT / crashes).iterdir()) - before)]
    replay = [" ".join([*way.replay, str(path)]) for path in found]
    executions = executions_in(log.read_text(errors="replace"))
    if not found and (code or not executions):
        replay = [f"{' '.join(call)} (it left no input; see {log.relative_to(ROOT)})"]
    how = GUIDED if way.guided else RANDOM
    speed = round(executions / took, 1)
    return Outcome(name, how, executions, round(took, 1), speed, len(replay), replay)


def unpack_seeds(name: str, corpus: Path) -> None:
    """Write the seeds of a Rust target where libFuzzer finds them; others make their own."""
    if name in RUST:
        for line in (SEEDS / f"{name}.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                data = bytes.fromhex(line)
                (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)


def executions_in(log: str) -> int:
    return max((int(number) for number in (*RUNS.findall(log), *DRAWN.findall(log))), default=0)


def table(outcomes: list[Outcome]) -> str:
    """One line a target."""
    head = ("target", "executions", "a second", "crashes", "inputs")
    rows = [
        (o.target, f"{o.executions:,}", f"{o.per_second:,.0f}", str(o.crashes), o.how)
        for o in outcomes
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:-1], widths[1:]), row[-1]])
        for row in (head, *rows)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--random", action="store_true", help="even where it could be guided")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "fuzz.json")
    given = parser.parse_args()
    every = [*RUST, *MODULES]
    names = given.targets or every
    unknown = set(names) - set(every)
    if unknown:
        parser.error(f"no target {min(unknown)}; there are {', '.join(every)}")
    found = ways(names, at_random=given.random)
    outcomes = []
    for name in names:
        print(f"{name}: {given.seconds} s ...", file=sys.stderr, flush=True)
        outcomes.append(run(name, given.seconds, found[name]))
    print(table(outcomes))
    told = {
        "seconds_each": given.seconds,
        "machine": platform.platform(),
        "python": platform.python_version(),
        "targets": [asdict(outcome) for outcome in outcomes],
    }
    given.json.write_text(json.dumps(told, indent=1) + "\n")
    replays = [line for outcome in outcomes for line in outcome.replay]
    for line in replays:
        print(f"replay: {line}")
    sys.exit(1 if replays else 0)


if __name__ == "__main__":
    main()
