"""The targets in Python, by name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).parents[1]

#: The module of each.
MODULES = {
    "trace_readers": "fuzz_traces",
    "importers": "fuzz_importers",
    "map_readers": "fuzz_maps",
    "structured_answers": "fuzz_structured",
    "run_inputs": "fuzz_run_inputs",
    "scheduler_door": "fuzz_scheduler",
}


def target(name: str) -> ModuleType:
    """Import a target, and the helpers of other tests that it builds its seeds with."""
    for folder in (TESTS, TESTS / "space", TESTS / "fuzz"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    return importlib.import_module(MODULES[name])
