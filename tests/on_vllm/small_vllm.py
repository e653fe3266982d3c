"""What the tests on a real vLLM share: arguments for a small machine, an engine, requests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from headway.engines.base import Message, Request
from headway.engines.vllm import VllmEngine

T = TypeVar("T")

# What lets two data-parallel copies start quickly on a machine with two cores and no GPU.
SMALL = {
    # In bfloat16 the same request is often answered differently alone and in a batch.
    "dtype": "float32",
    "enforce_eager": True,
    "block_size": 32,
    "kv_cache_memory_bytes": 256 << 20,
}
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Served:
    """An engine that is started, and the loop it belongs to."""

    engine: VllmEngine
    runner: asyncio.Runner

    def run(self, answers: Coroutine[Any, Any, T], seconds: float = 120) -> T:
        return self.runner.run(asyncio.wait_for(answers, seconds))


def processes(of: int | None = None) -> list[Any]:
    """What a process, or this one, has started; Python's own tracker stays until the end."""
    import psutil  # comes with vLLM

    children = psutil.Process(of).children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def all_gone(processes: list[Any]) -> bool:
    import psutil

    return not psutil.wait_procs(processes, timeout=20)[1]


def ask(text: str, **options: Any) -> Request:
    return Request(messages=(Message("user", text),), **options)
