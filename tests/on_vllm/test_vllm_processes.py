"""Starting vLLM where that cannot work, and ending it in the wrong way."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from small_vllm import SMALL, all_gone, processes

from headway.engines.vllm import VllmEngine
from headway.errors import EngineError

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

SCRIPT = """
    import asyncio
    from headway.engines.base import Message, Request
    from headway.engines.vllm import VllmEngine

    async def main():
        engine = VllmEngine({model!r}, max_model_len=512, engine_args={arguments!r})
        await engine.start()
        print("started", flush=True)
        chat = (Message("user", "Write a very long story."),)
        try:
            while True:
                await engine.complete(Request(messages=chat, max_tokens=400))
        finally:
            print("left", flush=True)
"""


def script(folder: Path, model: str, last_lines: str) -> list[str]:
    path = folder / "town.py"
    text = textwrap.dedent(SCRIPT.format(model=model, arguments=SMALL))
    path.write_text(text + textwrap.dedent(last_lines))
    return [sys.executable, str(path)]


def test_a_script_without_the_guard_is_told_so(model: str, tmp_path: Path):
    command = script(tmp_path, model, "asyncio.run(main())")
    run = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert run.returncode == 1
    last = run.stderr.rstrip().splitlines()[-1]
    assert last.startswith("headway.errors.EngineError: vLLM cannot start"), run.stderr
    assert "must stand under  if __name__ == '__main__':" in last
    assert "started" not in run.stdout


def test_ctrl_c_leaves_no_process_behind(model: str, tmp_path: Path):
    command = script(tmp_path, model, "if __name__ == '__main__':\n    asyncio.run(main())")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        children = processes(process.pid)
        assert children
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert out == "left\n" and process.returncode != 0, error
    assert "KeyboardInterrupt" in error
    assert all_gone(children)


def test_too_little_memory_is_said_with_vllms_own_words(model: str):
    few = {**SMALL, "kv_cache_memory_bytes": 1 << 20}
    engine = VllmEngine(model, max_model_len=2048, engine_args=few)

    async def start():
        try:
            await engine.start()
        finally:
            await engine.close()

    with pytest.raises(EngineError, match=r"[Mm]emory.*; lower max_model_len") as caught:
        asyncio.run(start())
    assert "See stack trace" not in str(caught.value)
    assert not processes()


def test_a_folder_that_vllm_cannot_read_is_named(tmp_path: Path, model: str):
    assert model
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError, match=f"cannot start with {tmp_path.name}: "):
        asyncio.run(VllmEngine(tmp_path).start())


def test_an_unknown_engine_argument_is_refused_with_what_was_meant(model: str):
    with pytest.raises(EngineError, match="tensor_parallel_size"):
        asyncio.run(VllmEngine(model, engine_args={"tensor_paralel_size": 2}).start())
