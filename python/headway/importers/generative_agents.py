"""Recordings of the Generative Agents town in the two folder layouts its program writes.

`storage/<simulation>` holds one file a step, `compressed_storage/<simulation>` one file for all
steps, in which an agent appears only where something changed. Both hold the personas' memories as
they were when the simulation was last saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from headway.errors import TraceError
from headway.importers import town_clock
from headway.importers.frames import Track
from headway.importers.personas import Persona, dated, nodes_file, read_persona, sightings
from headway.importers.prompts import PORTRAIT_UNKNOWN
from headway.importers.reading import (
    as_names,
    as_object,
    as_seconds,
    as_text,
    as_whole,
    member,
    read_object,
)
from headway.importers.recording import Memory, Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

STEPS_MAX = 100_000_000


@dataclass(frozen=True)
class Reading:
    """How to treat a recording that is not whole; see `headway.importers.import_recording`."""

    on_missing_step: Literal["error", "hold"] = "error"
    on_extra_steps: Literal["error", "keep", "drop"] = "error"
    on_missing_memory: Literal["note", "error"] = "note"
    progress: Callable[[int, int], None] | None = None

    def advance(self, done: int, total: int) -> None:
        """Report that `done` of `total` steps are read."""
        if self.progress is not None:
            self.progress(done, total)


@dataclass(frozen=True)
class Head:
    """What `meta.json` tells."""

    path: Path
    names: tuple[str, ...]
    start: datetime
    saved_at: datetime
    seconds: float
    maze: str
    steps: int

    @property
    def midnight(self) -> datetime:
        """The midnight before the start, from which times count."""
        return self.start.replace(hour=0, minute=0, second=0)


def read_head(path: Path) -> Head:
    """Read `meta.json`, which is the same in both layouts."""
    meta = read_object(path)
    where = str(path)
    names = as_names(member(meta, "persona_names", where), f"{where}, persona_names")
    for name in names:
        if "\0" in name or name != Path(name).name:
            raise TraceError(f"{where}: {name!r} is no name of a folder under personas/")
    start = as_text(member(meta, "start_date", where), f"{where}, start_date")
    now = as_text(member(meta, "curr_time", where), f"{where}, curr_time")
    return Head(
        path=path,
        names=names,
        start=town_clock.spelled_time(start, f"{where}, start_date"),
        saved_at=town_clock.spelled_time(now, f"{where}, curr_time"),
        seconds=as_seconds(member(meta, "sec_per_step", where), f"{where}, sec_per_step"),
        maze=as_text(meta.get("maze_name") or "", f"{where}, maze_name"),
        steps=as_whole(member(meta, "step", where), f"{where}, step", low=0, high=STEPS_MAX),
    )


def read_storage(folder: Path, reading: Reading) -> Recording:
    """Read `storage/<simulation>`: `movement/<step>.json`, one file a step.

    Raises
    ------
    TraceError
        Where the recording is damaged or incomplete.
    """
    head = read_head(folder / "reverie" / "meta.json")
    movement = folder / "movement"
    if not movement.is_dir():
        raise TraceError(f"{movement}: no such folder; it should hold 0.json, 1.json, ...")
    recorded = {int(f.stem) for f in movement.iterdir() if _is_step_file(f)}
    total, notes = _steps_to_read(head, recorded, str(movement), reading)
    hold = reading.on_missing_step == "hold"
    track = Track(head.names, total, head.maze, sparse=False, hold=hold)
    _read_first_places(folder, track)
    times = town_clock.steady(head.start, head.seconds, total)
    for step in range(total):
        if step in recorded:
            path = movement / f"{step}.json"
            frame = read_object(path)
            track.put(step, as_object(member(frame, "persona", str(path)), str(path)), str(path))
            _set_time(times, step, frame.get("meta"), str(path), head)
        else:
            track.hold(step)
            if step:
                _set_time(times, step, None, "", head)
        reading.advance(step + 1, total)
    times[total] = times[total - 1] + head.seconds
    return _finish(folder, head, track, times=times, reading=reading, notes=notes)


def read_compressed(folder: Path, reading: Reading) -> Recording:
    """Read `compressed_storage/<simulation>`: `master_movement.json`, all steps in one file.

    Raises
    ------
    TraceError
        Where the recording is damaged or incomplete.
    """
    head = read_head(folder / "meta.json")
    path = folder / "master_movement.json"
    frames = read_object(path)
    for key in frames:
        if not (key.isascii() and key.isdigit() and len(key) < 10):
            raise TraceError(f"{path}: {key!r} is no step number; the keys must be 0, 1, 2, ...")
    recorded = {int(key) for key in frames}
    total, notes = _steps_to_read(head, recorded, str(path), reading)
    hold = reading.on_missing_step == "hold"
    track = Track(head.names, total, head.maze, sparse=True, hold=hold)
    _read_first_places(folder, track)
    for step in range(total):
        if step in recorded:
            frame = as_object(frames.get(str(step)), f"{path}, step {step}")
            track.put(step, frame, f"{path}, step {step}")
        else:
            track.hold(step)
        reading.advance(step + 1, total)
    times = town_clock.steady(head.start, head.seconds, total)
    return _finish(folder, head, track, times=times, reading=reading, notes=notes, untimed=True)


def _is_step_file(path: Path) -> bool:
    return path.suffix == ".json" and path.stem.isascii() and path.stem.isdigit()


def _steps_to_read(
    head: Head, recorded: set[int], where: str, reading: Reading
) -> tuple[int, list[str]]:
    """Decide how many steps the recording has, from its files and from `meta.json`."""
    if not recorded:
        raise TraceError(f"{where}: no step is recorded; it should hold the steps 0, 1, 2, ...")
    last = max(recorded) + 1
    total, notes = head.steps, []
    if last > head.steps:
        if reading.on_extra_steps == "error":
            raise TraceError(
                f"{where}: steps up to {last - 1} are recorded, but {head.path} says the "
                f'simulation was saved after {head.steps}; on_extra_steps="keep" imports all '
                f'{last} steps, "drop" the first {head.steps}'
            )
        if reading.on_extra_steps == "drop":
            notes.append(f"{last - head.steps} steps recorded after the last save are left out")
        else:
            total = last
            notes.append(
                f"the simulation was last saved after {head.steps} steps; the {last - head.steps} "
                "steps after it have positions, but calls proved by memories are missing there"
            )
    if total == 0:
        raise TraceError(f"{head.path}: the simulation has 0 steps; there is nothing to import")
    if 0 not in recorded:
        raise TraceError(f"{where}: step 0 is missing, so nobody's place is known")
    missing = total - sum(1 for step in recorded if step < total)
    if missing and reading.on_missing_step == "error":
        first = next(step for step in range(total) if step not in recorded)
        raise TraceError(
            f"{where}: step {first} is missing ({missing} of {total} steps are); restore it, or "
            'let everybody keep their place there with on_missing_step="hold"'
        )
    if missing > total // 2:
        raise TraceError(
            f"{where}: {missing} of {total} steps are missing, too many to hold the agents still"
        )
    return total, notes


def _read_first_places(folder: Path, track: Track) -> None:
    """Take the places before the first step, where the recording has them."""
    path = folder / "environment" / "0.json"
    if path.exists():
        track.start(read_object(path), str(path))


def _set_time(times: NDArray[np.float64], step: int, meta: object, where: str, head: Head) -> None:
    """Take the time of a step from its file; a step without one follows the step before."""
    if step:
        times[step] = times[step - 1] + head.seconds
    now = as_object(meta, f"{where}, meta").get("curr_time") if meta is not None else None
    if now is None:
        return
    passed: timedelta = (
        town_clock.spelled_time(as_text(now, f"{where}, curr_time"), f"{where}, curr_time")
        - head.midnight
    )
    second = passed.total_seconds()
    if second < 0 or (step and second <= times[step - 1]):
        before = "the step before" if step else f"start_date in {head.path}"
        raise TraceError(f"{where}: the time {now!r} of step {step} is not after {before}")
    times[step] = second


def _finish(
    folder: Path,
    head: Head,
    track: Track,
    *,
    times: NDArray[np.float64],
    reading: Reading,
    notes: list[str],
    untimed: bool = False,
) -> Recording:
    """Add the memories, and a clock where the layout has none, to what the steps told."""
    people = _read_personas(folder / "personas", head, reading, notes)
    memories: tuple[tuple[Memory, ...], ...] | None = None
    if people is not None:
        if untimed:
            times = _clock_from_memories(head, track, people, times, notes)
        memories = tuple(dated(p.nodes, times) for p in people)
        outside = sum(1 for m in memories for x in m if x.step < 0)
        if outside:
            notes.append(f"{outside} memories lie outside the steps and prove no call")
    if track.held_steps:
        notes.append(f"{track.held_steps} steps were missing; everybody keeps their place there")
    if track.held_agents:
        notes.append(f"{track.held_agents} times an agent was missing in a step and kept its place")
    return Recording(
        names=head.names,
        start=head.midnight + timedelta(seconds=float(times[0])),
        seconds_per_step=head.seconds,
        times=times,
        positions=track.positions,
        doings=tuple(tuple(d) for d in track.doings),
        memories=memories,
        portrait_tokens=tuple(p.portrait_tokens for p in people or ())
        or (PORTRAIT_UNKNOWN,) * len(head.names),
        sight=max((float(p.sight) for p in people or () if p.sight is not None), default=None),
        notes=tuple(notes),
    )


def _read_personas(
    folder: Path, head: Head, reading: Reading, notes: list[str]
) -> list[Persona] | None:
    """Read all personas' memories, or none where one is missing."""
    missing = [name for name in head.names if not nodes_file(folder, name).exists()]
    if missing:
        what = f"no memories of {_some(missing)} under {folder}"
        if reading.on_missing_memory == "error":
            raise TraceError(
                f'{what}; restore them, or import the positions alone with on_missing_memory="note"'
            )
        notes.append(f"no LLM calls: the recording has {what.replace(str(folder), folder.name)}")
        return None
    people = [read_persona(folder, name, head.midnight) for name in head.names]
    bare = [n for n, p in zip(head.names, people, strict=True) if not p.has_settings]
    if bare:
        notes.append(f"no settings of {_some(bare)}; their prompts are taken as of mean length")
    return people


def _clock_from_memories(
    head: Head,
    track: Track,
    people: Iterable[Persona],
    times: NDArray[np.float64],
    notes: list[str],
) -> NDArray[np.float64]:
    """Find when the clock jumped, for a layout that records no times of steps."""
    ahead = round(((head.saved_at - head.start).total_seconds()) / head.seconds) - head.steps
    if ahead == 0:
        return times
    found = [
        s
        for name, doings, person in zip(head.names, track.doings, people, strict=True)
        for s in sightings(name, doings, person.nodes, times)
    ]
    moved = town_clock.with_jumps(times, head.seconds, ahead, found)
    notes.append(
        f"at the last save the clock stood {ahead} steps {'ahead' if ahead > 0 else 'back'}; "
        + (
            "where it jumped was found from memories"
            if moved is not times
            else "where it jumped is not known"
        )
    )
    return moved


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
