"""Folders of small valid files, and what can happen to them: bytes of a file, values of its JSON,
whole files.
"""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from fuzz_draw import Draw

#: What stands in JSON where something else is expected.
WILD = (
    None, True, False, 0, 1, -1, 7, 255, 2**15, 2**24, 2**31 - 1, 2**31, 2**32, 2**53, 2**63,
    -(2**63), 10**400, 0.5, -0.0, 1e-320, 1e15, 1e308, float("nan"), float("inf"),
    "", " ", "0", "1", "-1", "1.5", "1e999", "nan", "1_0", "\u0663", "\0", "\ud800", "x" * 2000,
    "../x", "/", ".", "a" * 300, "\n", "é", [], {}, [[]], [None], [0, 0], {"": 0}, {"x": {}},
)  # fmt: skip

#: In each place of the file, deeper than the reader can be expected to follow.
DEEP = "[" * 3000 + "]" * 3000

Files = dict[str, bytes]


class Folder:
    """A folder on disk that holds some files, for one run after the other."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="headway-fuzz-"))
        self._here: Files = {}

    def holds(self, files: Files) -> Path:
        """Make the folder hold exactly these."""
        for name in [*self._here]:
            if name not in files:
                (self.path / name).unlink()
                del self._here[name]
        for name, data in files.items():
            if self._here.get(name) != data:
                path = self.path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                self._here[name] = data
        return self.path

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def content(folder: Path) -> Files:
    """The files below a folder by their names, in order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def damaged(files: Files, draw: Draw) -> Files:
    """The files after something has happened to them."""
    match draw.below(8):
        case 0 | 1:
            return {**files, draw.one_of([*files]): draw.rest()}
        case 2 | 3 | 4 | 5:
            return _with_other_values(files, draw)
        case 6:
            name = draw.one_of([*files])
            return {**files, name: other_bytes(files[name], draw)}
        case _:
            return _with_other_files(files, draw)


def raw_inputs(files: Files, head: bytes) -> list[bytes]:
    """The inputs that put each file in its own place, for a fuzzer to begin with."""
    return [head + bytes([0, number]) + data for number, data in enumerate(files.values())]


def other_bytes(data: bytes, draw: Draw) -> bytes:
    """Some bytes changed, cut out, repeated."""
    changed = bytearray(data)
    for _ in range(1 + draw.below(4)):
        at = draw.below(max(1, len(changed)))
        match draw.below(4):
            case 0:
                changed[at : at + 1] = bytes([draw.below(256)])
            case 1:
                changed[at : at + 1] = bytes(c ^ 1 << draw.below(8) for c in changed[at : at + 1])
            case 2:
                del changed[at : at + 1 + draw.below(64)]
            case _:
                changed[at:at] = changed[at : at + 1 + draw.below(64)]
    return bytes(changed)


def _with_other_values(files: Files, draw: Draw) -> Files:
    names = [name for name in files if _is_json(files[name])]
    if not names:
        return files
    name = draw.one_of(names)
    value = json.loads(files[name])
    for _ in range(1 + draw.below(4)):
        value = other_value(value, draw)
    text = json.dumps(value)
    if draw.rarely(32):
        text = text.replace('"x" ', DEEP, 1).replace("0", DEEP, 1)
    return {**files, name: text.encode()}


def _is_json(data: bytes) -> bool:
    return data[:1] in b"{["


def _slots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value: its container and its key there."""
    found, left = [], [value]
    while left:
        container = left.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                left.append(container[key])
    return found


def other_value(value: Any, draw: Draw) -> Any:
    """A JSON value after one change somewhere in it."""
    if not isinstance(value, dict | list) or draw.rarely(64):
        return copy.deepcopy(draw.one_of(WILD))
    slots = _slots(value)
    if not slots:
        return [value]
    container, key = slots[draw.below(len(slots))]
    match draw.below(8):
        case 0 | 1 | 2:
            container[key] = copy.deepcopy(draw.one_of(WILD))
        case 3:
            del container[key]
        case 4:
            other, place = slots[draw.below(len(slots))]
            container[key] = copy.deepcopy(other[place])
        case 5 if isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        case 5:
            container[draw.one_of(["", "x", "name", "a" * 300, "\ud800", "0"])] = container[key]
        case 6 if type(container[key]) in (int, float):
            by = draw.one_of([1, -1, 2**8, 2**16, 2**31, 0.5, 1e300])
            container[key] += by
        case _:
            container[key] = [container[key]]
    return value


def _with_other_files(files: Files, draw: Draw) -> Files:
    changed = dict(files)
    name, other = draw.one_of([*files]), draw.one_of([*files])
    match draw.below(4):
        case 0:
            del changed[name]
        case 1:
            changed[name] = files[other]
        case 2:
            changed[name] = files[name][: draw.below(len(files[name]) + 1)]
        case _:
            changed[name] = b""
    return changed
