"""Maps from files: those of the original Generative Agents program, those of the editor Tiled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headway.errors import SpaceError
from headway.space.maps.tiled import read_tiled
from headway.space.maps.ville import read_ville

if TYPE_CHECKING:
    import os

    from headway.space.grid import Grid

__all__ = ["read_map", "read_tiled", "read_ville"]

#: Endings of files that Tiled writes.
TILED = (".tmx", ".tmj", ".json", ".xml")


def read_map(path: str | os.PathLike[str]) -> Grid:
    """Read a map of any known kind: a folder as `read_ville` reads, or a file of Tiled.

    Raises
    ------
    SpaceError
        If it is of no known kind, or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "maze_meta_info.json").exists():
            raise SpaceError(
                f"{path}: this folder is no map: it has no maze_meta_info.json; for a map of Tiled "
                f"give the file"
            )
        return read_ville(path)
    if path.suffix.lower() not in TILED:
        raise SpaceError(
            f"{path}: a map is a folder with maze_meta_info.json, or a file that ends in "
            f"{', '.join(TILED)}"
        )
    return read_tiled(path)
