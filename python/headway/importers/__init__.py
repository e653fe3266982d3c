"""Importers: recordings of other programs become traces.

`import_recording` is the one door; each layout it knows has a module of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from headway.errors import OptionError, TraceError
from headway.importers.generative_agents import Reading, read_compressed, read_storage
from headway.importers.inference import NOTES, infer_calls
from headway.importers.normalized import read_normalized
from headway.importers.town_clock import jumps
from headway.trace.model import Meta, Trace
from headway.trace.validate import find_problems, summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from headway.importers.recording import Recording

__all__ = ["Layout", "import_recording"]

Layout = Literal["auto", "normalized", "storage", "compressed"]

#: What a folder of each layout must hold.
SIGNS = {
    "normalized": ("meta.json", "positions.npz"),
    "storage": ("reverie/meta.json", "movement"),
    "compressed": ("meta.json", "master_movement.json"),
}


def import_recording(
    path: str | PathLike[str],
    *,
    name: str | None = None,
    layout: Layout = "auto",
    on_missing_step: Literal["error", "hold"] = "error",
    on_extra_steps: Literal["error", "keep", "drop"] = "error",
    on_missing_memory: Literal["note", "error"] = "note",
    progress: Callable[[int, int], None] | None = None,
) -> Trace:
    """Turn a recording of the Generative Agents town into a trace.

    Parameters
    ----------
    path : path
        The recording's folder.
    name : str, optional
        Name of the trace; by default that of the run or of the folder.
    layout : str
        `normalized` (meta.json and positions.npz), `storage` (the program's one file a step),
        `compressed` (its one file for all steps), or `auto`: whichever the folder looks like.
    on_missing_step : str
        Where a step, or one agent in a step, is missing: `error`, or `hold`: everybody concerned
        keeps their place, and a note says so.
    on_extra_steps : str
        Where more steps are recorded than the simulation was saved after: `error`, `keep` them
        with a note, or `drop` them.
    on_missing_memory : str
        Where agents' memories were not saved: `note` imports positions without calls, or `error`.
    progress : callable, optional
        Called with (steps read, all steps) as the reading goes on.

    Returns
    -------
    Trace
        Its notes say what is inferred, held or left out. LLM calls are inferred, never recorded.

    Raises
    ------
    TraceError
        Where the layout is not recognised, or the recording is damaged or incomplete.
    """
    _check_choice("layout", layout, get_args(Layout))
    _check_choice("on_missing_step", on_missing_step, ("error", "hold"))
    _check_choice("on_extra_steps", on_extra_steps, ("error", "keep", "drop"))
    _check_choice("on_missing_memory", on_missing_memory, ("note", "error"))
    folder = Path(path)
    kind = _recognise(folder) if layout == "auto" else layout
    if kind == "normalized":
        trace = read_normalized(folder, name=name)
    else:
        reading = Reading(on_missing_step, on_extra_steps, on_missing_memory, progress)
        read = read_storage if kind == "storage" else read_compressed
        trace = _as_trace(read(folder, reading), name or folder.resolve().name)
    problems = find_problems(trace)
    if problems:
        raise TraceError(f"{folder}: {summary(problems)}")
    return trace


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(f"{what}={value!r} is none of {', '.join(choices)}")


def _recognise(folder: Path) -> str:
    """Tell the layout by the files that are there."""
    if not folder.is_dir():
        raise TraceError(f"{folder}: no such folder; give the folder of one recording")
    for kind, signs in SIGNS.items():
        if all((folder / sign).exists() for sign in signs):
            return kind
    looked_for = "; ".join(f"{kind}: {' and '.join(signs)}" for kind, signs in SIGNS.items())
    raise TraceError(
        f"{folder}: no recording of a known layout; looked for {looked_for}. Give the folder that "
        "holds them, or name the layout to learn what is missing"
    )


def _as_trace(recording: Recording, name: str) -> Trace:
    """Infer the calls of a recording and put all together."""
    notes = recording.notes
    if recording.memories is not None:
        notes = (*NOTES, *notes)
    return Trace.build(
        meta=Meta(
            name=name,
            seconds_per_step=recording.seconds_per_step,
            start=recording.start.isoformat(),
            sight=recording.sight,
            speed=1.0,
            time_breaks=jumps(recording.times, recording.seconds_per_step),
            source="Generative Agents town",
            notes=notes,
        ),
        names=recording.names,
        positions=recording.positions,
        calls=infer_calls(recording),
    )
