"""Target: the importers of recordings. What is damaged is refused with the file named; what is
taken is a sound trace.
"""

from __future__ import annotations

import csv
import functools
import gzip
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from fuzz_draw import Draw
from fuzz_folders import Files, Folder, content, damaged, other_bytes, raw_inputs

from headway.errors import TraceError
from headway.importers import import_recording, normalized
from headway.trace.validate import find_problems
from recordings import TinyTown, write_json

NAME = "importers"

FIELDS = ("step", "agent", "function", "prompt_tokens_est", "output_tokens_est", "partner", "basis")
CELLS = (
    "",
    "0",
    "1",
    "-1",
    "2",
    "99",
    "1.0",
    " 1",
    "1_0",
    "recorded",
    "talk",
    "\0",
    "é",
    '"',
    "9" * 5000,
)
TYPES = ("i1", "u2", ">i4", "f4", "f8", "c8", "?", "U3", "M8[s]", "O")


def _normalized(folder: Path) -> Path:
    """Two agents and three steps in the uniform format, as the published recordings have it."""
    head = {
        "run": "small", "agents": ["Ann", "Ben"], "n_steps": 3, "maze": "the_ville",
        "start": "2023-02-13 00:00:00", "sec_per_step": 10, "time_breaks": [2],
        "source": {"repo": "a", "commit": "b", "licence": "c"}, "as_found_until_step": 2,
    }  # fmt: skip
    write_json(folder / "meta.json", head)
    rows = [
        [0, 0, "plan", 100, 10, -1, "inferred"],
        [1, 0, "talk", 200, 20, 1, "chat-text"],
        [1, 0, "talk", 200, 20, 0, "chat-text"],
        [2, 1, "plan", 300, 30, -1, "memory-node"],
    ]
    _write_positions(folder, np.arange(16, dtype=np.int16).reshape(4, 2, 2))
    _write_calls(folder, [list(FIELDS), *rows])
    return folder


def _write_positions(folder: Path, places: np.ndarray, name: str = "xy") -> None:
    np.savez_compressed(folder / "positions.npz", **{name: places})


def _write_calls(folder: Path, rows: list[list[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    (folder / normalized.CALLS_FILE).write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


@functools.cache
def bases() -> tuple[Files, ...]:
    """The same small town in each layout."""
    found = []
    with TemporaryDirectory() as place:
        for number, write in enumerate((TinyTown().storage, TinyTown().compressed, _normalized)):
            folder = Path(place, str(number))
            folder.mkdir()
            found.append(content(write(folder)))
    return tuple(found)


def seeds() -> list[bytes]:
    drawn = [bytes([base, n, *range(n, n + 40)]) for base in range(3) for n in range(16)]
    raw = [
        each
        for base, files in enumerate(bases())
        for options in (0, 1)
        for each in raw_inputs(files, bytes([base, options, 0]))
    ]
    return drawn + raw


@functools.cache
def _folder() -> Folder:
    # Below these limits everything is quick; that there are some is what matters.
    normalized.CALLS_BYTES_MAX = 1 << 20
    return Folder()


def run(data: bytes) -> bool:
    """Import one recording; tell whether it was taken."""
    draw = Draw(data)
    base = draw.below(3)
    options: dict[str, Any] = {
        "on_missing_step": draw.one_of(["error", "hold"]),
        "on_extra_steps": draw.one_of(["keep", "drop", "error"]),
        "on_missing_memory": draw.one_of(["note", "error"]),
    }
    if base == 2 and draw.rarely(3):
        files = _other_tables(bases()[base], draw)
    else:
        files = damaged(bases()[base], draw)
    path = _folder().holds(files)
    try:
        trace = import_recording(path, **options)
    except TraceError as error:
        assert str(path) in str(error), f"the file is not named: {error}"
        assert not isinstance(error.__cause__, MemoryError), f"what is too large is read: {error}"
        str(error).encode()
        return False
    assert find_problems(trace) == [], find_problems(trace)[0]
    return True


def _other_tables(files: Files, draw: Draw) -> Files:
    """Other arrays of places, other rows of calls, damaged inside what is packed."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        match draw.below(4):
            case 0:
                shape = [draw.one_of([0, 1, 2, 3, 4, 5]) for _ in range(draw.below(5))]
                kind = draw.one_of(TYPES)
                places = np.zeros(shape).astype(kind)
                _write_positions(folder, places, draw.one_of(["xy", "xy", "yx"]))
            case 1:
                places = np.arange(16, dtype=draw.one_of(["i8", "f8", "i4"])).reshape(4, 2, 2)
                wild = draw.one_of([-1, 140, 2**15, 2**31, 2**62, 0.5, np.nan, np.inf])
                if places.dtype.kind == "f" or (float(wild).is_integer() and wild < 2**31):
                    places.flat[draw.below(16)] = wild
                _write_positions(folder, places)
            case 2:
                rows = _rows(files)
                for _ in range(1 + draw.below(4)):
                    row = rows[draw.below(len(rows))]
                    if row:
                        row[draw.below(len(row))] = draw.one_of(CELLS)
                    if draw.rarely(4):
                        rows.insert(draw.below(len(rows)), list(row))
                _write_calls(folder, rows)
            case _:
                text = other_bytes(gzip.decompress(files[normalized.CALLS_FILE]), draw)
                data = gzip.compress(text, mtime=0)
                return {**files, normalized.CALLS_FILE: data}
        return {**files, **content(folder)}


def _rows(files: Files) -> list[list[Any]]:
    text = gzip.decompress(files[normalized.CALLS_FILE]).decode()
    return list(csv.reader(io.StringIO(text)))


def close() -> None:
    _folder().close()
