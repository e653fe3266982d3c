"""What every file of results says: on which machine, at which commit, by which protocol."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

#: Where results are kept.
FOLDER = ROOT / "benches" / "results"


def machine() -> dict[str, Any]:
    """Return what is known of this machine; the load tells how far to trust real times."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.is_file() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {
        "processor": ", ".join(sorted(models)) or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "rust": _told(["rustc", "--version"]),
        "load_per_core": round(os.getloadavg()[0] / (os.cpu_count() or 1), 2),
    }


def commit() -> str:
    """Return the commit that is measured, with a + if there are changes besides."""
    changes = _told(["git", "status", "--porcelain", "--untracked-files=no"])
    return _told(["git", "rev-parse", "--short=12", "HEAD"]) + "+" * bool(changes)


def write(path: Path, protocol: str, rows: list[dict[str, Any]]) -> None:
    """Write a file of results."""
    told = {
        "protocol": protocol,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "rows": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n")


def _told(command: list[str]) -> str:
    try:
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ran.stdout.strip()
