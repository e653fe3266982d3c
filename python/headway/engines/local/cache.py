"""Keeps a converted model in the user's cache folder, so that later starts are faster.

A cache that cannot be written or read only costs time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.engines.local.model import Model

#: Bytes at both ends of a model file that tell it from another one.
_PROBE = 1 << 20


def user_cache() -> Path:
    """Return the folder for caches that is conventional on this platform."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "headway"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "headway"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "headway"


def converted(model: Model, folder: Path, version: str, convert: Callable[[Path], None]) -> Path:
    """Return what to load: the converted model, or the GGUF if there can be none.

    Parameters
    ----------
    model : Model
    folder : Path
        Where converted models are kept.
    version : str
        Of what converts; another version converts anew.
    convert : callable
        Loads the GGUF it is given and leaves the converted model beside it.
    """
    try:
        kept = folder / f"{model.name}-{_digest(model.path, version)}"
        if _whole(kept):
            return kept
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    except OSError:
        return model.path
    try:
        link = work / "model.gguf"
        link.symlink_to(model.path.resolve())
        convert(link)
        link.unlink()
        sizes = [f"{path.stat().st_size} {path.name}" for path in sorted(work.iterdir())]
        (work / "complete").write_text("\n".join(sizes), encoding="utf-8")
        if kept.exists() and not _whole(kept):
            shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was faster
            work.rename(kept)
        return kept if _whole(kept) else model.path
    except (OSError, RuntimeError):
        # If the GGUF itself is at fault, loading it directly says so.
        return model.path
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _digest(path: Path, version: str) -> str:
    facts = path.stat()
    digest = hashlib.sha256(f"{version} {facts.st_size} {facts.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_PROBE))
        file.seek(max(0, facts.st_size - _PROBE))
        digest.update(file.read())
    return digest.hexdigest()[:16]


def _whole(folder: Path) -> bool:
    """Return whether all files are there, with the sizes they had."""
    try:
        lines = (folder / "complete").read_text(encoding="utf-8").splitlines()
        facts = [line.partition(" ") for line in lines]
        return bool(facts) and all(
            (folder / name).stat().st_size == int(size) for size, _, name in facts
        )
    except (OSError, ValueError):
        return False
