"""Recordings already put into the uniform format: `meta.json`, `positions.npz`, a table of calls.

The table `llm_calls_inferred.csv.gz` may be absent; the trace then has no calls.
"""

from __future__ import annotations

import csv
import gzip
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import TraceError
from headway.importers.frames import COORDINATES_MAX, MAPS
from headway.importers.inference import NOTES, CallColumns
from headway.importers.reading import (
    BYTES_MAX,
    as_names,
    as_seconds,
    as_text,
    as_whole,
    member,
    read_object,
    shown,
)
from headway.importers.town_clock import iso_time
from headway.trace.model import BASES, Calls, Meta, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

STEPS_MAX = 100_000_000
TOKENS_MAX = (1 << 31) - 1
#: Of the table of calls unpacked, and of one line of it.
CALLS_BYTES_MAX = 1 << 30
LINE_BYTES_MAX = 1 << 16
CALLS_FILE = "llm_calls_inferred.csv.gz"
CALL_FIELDS = ("step", "agent", "prompt_tokens_est", "output_tokens_est", "partner")


def read_normalized(folder: Path, *, name: str | None = None) -> Trace:
    """Read a folder of the uniform format.

    Raises
    ------
    TraceError
        Where a file is damaged, or the files contradict each other.
    """
    path = folder / "meta.json"
    meta = read_object(path)
    where = str(path)
    names = as_names(member(meta, "agents", where), f"{where}, agents")
    steps = as_whole(member(meta, "n_steps", where), f"{where}, n_steps", low=1, high=STEPS_MAX)
    maze = as_text(meta.get("maze") or "", f"{where}, maze")
    positions = read_positions(folder / "positions.npz", len(names), steps, maze)
    calls_path = folder / CALLS_FILE
    notes: tuple[str, ...] = NOTES
    if calls_path.exists():
        calls = read_calls(calls_path, len(names), steps)
    else:
        calls = CallColumns().calls()
        notes = (f"no LLM calls: the recording has no {CALLS_FILE}",)
    start = as_text(member(meta, "start", where), f"{where}, start")
    seconds = as_seconds(member(meta, "sec_per_step", where), f"{where}, sec_per_step")
    breaks = meta.get("time_breaks") or []
    if not isinstance(breaks, list):
        raise TraceError(f"{where}, time_breaks: expected a list of steps, found {shown(breaks)}")
    return Trace.build(
        meta=Meta(
            name=name or as_text(meta.get("run") or folder.name, f"{where}, run"),
            seconds_per_step=seconds,
            start=iso_time(start, f"{where}, start").isoformat(),
            speed=1.0,
            time_breaks=tuple(
                as_whole(t, f"{where}, time_breaks", low=0, high=steps) for t in breaks
            ),
            source=_source(meta.get("source")),
            notes=(*notes, *_gaps(meta)),
        ),
        names=names,
        positions=positions,
        calls=calls,
    )


def _source(source: object) -> str:
    """Say where the run was published."""
    if not isinstance(source, dict):
        return ""
    commit = source.get("commit") or source.get("commit_movement")
    parts = (source.get("repo"), commit, source.get("path"), source.get("licence"))
    return ", ".join(str(p) for p in parts if p)


def _gaps(meta: dict[str, Any]) -> tuple[str, ...]:
    """Say from where on positions were reconstructed instead of published."""
    until = meta.get("as_found_until_step")
    if until is None:
        return ()
    return (f"positions after step {until} are reconstructed from a log of places, not recorded",)


def read_positions(path: Path, agents: int, steps: int, maze: str) -> NDArray[np.int32]:
    """Read `xy` of an npz file: int (steps + 1, agents, 2).

    Raises
    ------
    TraceError
        Where the file is damaged, or the array has another shape or type, or leaves the map.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > BYTES_MAX:
            raise TraceError(f"{path}: {size} bytes unpacked, and at most {BYTES_MAX} are read")
        with np.load(path, allow_pickle=False) as arrays:
            if "xy" not in arrays:
                raise TraceError(f"{path}: no array 'xy'; it has {', '.join(arrays) or 'none'}")
            xy: object = arrays["xy"]
    except FileNotFoundError:
        raise TraceError(f"{path}: no such file; the recording is incomplete") from None
    except TraceError:
        raise
    except Exception as e:  # damaged archives and arrays raise errors of a dozen kinds
        raise TraceError(f"{path}: damaged or no npz file ({e}); fetch it again") from e
    if not isinstance(xy, np.ndarray):
        raise TraceError(f"{path}: xy is no array; it must be saved with numpy.savez")
    expected = (steps + 1, agents, 2)
    if xy.shape != expected:
        raise TraceError(
            f"{path}: xy has shape {xy.shape}, but {steps} steps of {agents} agents in meta.json "
            f"need {expected}"
        )
    return _tiles(xy, path, maze)


def _tiles(xy: NDArray[Any], path: Path, maze: str) -> NDArray[np.int32]:
    """Check that positions are whole numbers on the map."""
    if xy.dtype.kind not in "iuf":
        raise TraceError(f"{path}: xy holds {xy.dtype}, and positions must be whole numbers")
    known = (MAPS[m] for m in MAPS if maze == m or maze.startswith(f"{m} "))
    size = np.array(next(known, (COORDINATES_MAX, COORDINATES_MAX)))
    good = (xy >= 0) & (xy < size)
    if xy.dtype.kind == "f":
        good &= xy == np.floor(xy)
    if not good.all():
        t, agent, axis = (int(i) for i in np.argwhere(~good)[0])
        raise TraceError(
            f"{path}: xy[{t}, {agent}], the {'xy'[axis]} of agent {agent} at step {t}, is "
            f"{xy[t, agent, axis]}, no whole number in 0..{size[axis] - 1}"
        )
    return xy.astype(np.int32)


def read_calls(path: Path, agents: int, steps: int) -> Calls:
    """Read a table of calls, in the order in which they were made.

    Raises
    ------
    TraceError
        Where the file is damaged or a row is out of range; the message names the row.
    """
    columns = CallColumns()
    limits = {
        "step": (0, steps - 1),
        "agent": (0, agents - 1),
        "prompt_tokens_est": (1, TOKENS_MAX),
        "output_tokens_est": (1, TOKENS_MAX),
        "partner": (-1, agents - 1),
    }
    met: dict[tuple[int, int], int] = {}
    try:
        with gzip.open(path) as packed:
            reader = csv.DictReader(_lines(packed, path))
            absent = {*CALL_FIELDS, "function", "basis"} - set(reader.fieldnames or ())
            if absent:
                raise TraceError(f"{path}: the columns {', '.join(sorted(absent))} are missing")
            for row in reader:
                _add_row(columns, row, limits, met, f"{path}, line {reader.line_num}")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as e:
        raise TraceError(f"{path}: damaged or no gzip file ({e}); fetch it again") from e
    return columns.calls()


def _lines(packed: gzip.GzipFile, path: Path) -> Iterator[str]:
    """Yield the lines of a text that must not unpack to more than fits."""
    left = CALLS_BYTES_MAX
    while line := packed.readline(min(left, LINE_BYTES_MAX) + 1):
        left -= len(line)
        if left < 0 or len(line) > LINE_BYTES_MAX:
            raise TraceError(
                f"{path}: unpacked it has more than {CALLS_BYTES_MAX} bytes, or {LINE_BYTES_MAX} "
                "in one line; cut the recording into shorter ones"
            )
        yield line.decode("utf-8")


def _add_row(
    columns: CallColumns,
    row: dict[str, Any],
    limits: dict[str, tuple[int, int]],
    met: dict[tuple[int, int], int],
    where: str,
) -> None:
    """Check one row and append it."""
    value = {}
    for key, (low, high) in limits.items():
        try:
            number = int(row[key])
        except (TypeError, ValueError):
            raise TraceError(f"{where}: {key} is {shown(row[key])}, no whole number") from None
        value[key] = as_whole(number, f"{where}: {key}", low=low, high=high)
    if not row["function"] or row["basis"] not in BASES:
        raise TraceError(
            f"{where}: function {shown(row['function'])} must be a name, and basis "
            f"{shown(row['basis'])} one of {', '.join(BASES)}"
        )
    step, agent, partner = value["step"], value["agent"], value["partner"]
    # In the other's turns the table names the agent itself; both are with the one they met.
    if partner == agent:
        partner = met.get((step, agent), -1)
    elif partner >= 0:
        met[step, agent] = partner
    columns.step.append(step)
    columns.agent.append(agent)
    columns.function.append(row["function"])
    columns.prompt_tokens.append(value["prompt_tokens_est"])
    columns.output_tokens.append(value["output_tokens_est"])
    columns.partner.append(partner)
    columns.basis.append(row["basis"])
