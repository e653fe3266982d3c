"""A real vLLM for the tests marked `vllm`; run by `make test-vllm`.

`HEADWAY_VLLM_MODEL` names the folder of a small model with a chat template. The tests take what
they can from one engine, as every start takes half a minute or more.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator

import pytest
from small_vllm import QUIET, SMALL, Served

from headway.engines.vllm import VllmEngine


@pytest.fixture(scope="session")
def model() -> str:
    model = os.environ.get("HEADWAY_VLLM_MODEL")
    if not model:
        pytest.skip("HEADWAY_VLLM_MODEL names no model folder")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    return model


@pytest.fixture(scope="module")
def served(model: str) -> Iterator[Served]:
    with asyncio.Runner() as runner:
        engine = VllmEngine(
            model, data_parallel=2, max_sequences=4, max_model_len=1024, engine_args=SMALL
        )
        runner.run(engine.start())
        yield Served(engine, runner)
        runner.run(engine.close())
    gc.collect()


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    """See to it that what vLLM leaves open is noticed here, where warnings are no errors."""
    yield
    gc.collect()
