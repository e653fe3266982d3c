"""Engines by name, as the command line and `Simulation.run` take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.engines.base import Engine


def _scripted(rest: str) -> Engine:
    from headway.engines.scripted import ScriptedEngine, random_latency  # noqa: PLC0415 - lazy

    return ScriptedEngine(latency=random_latency(int(rest or 0)))


def _null(rest: str) -> Engine:
    from headway.engines.scripted import ScriptedEngine  # noqa: PLC0415 - lazy

    if rest:
        raise ValueError(f"it takes nothing after a colon, not {rest!r}")
    return ScriptedEngine(latency=None)


def _virtual(rest: str) -> Engine:
    from headway.engines.modelled import ModelledEngine  # noqa: PLC0415 - lazy
    from headway.engines.virtual import preset_named  # noqa: PLC0415 - lazy

    preset, _, replicas = rest.partition(",")
    return ModelledEngine(preset_named(preset or "l4-8b"), replicas=int(replicas or 1))


def _local(rest: str) -> Engine:
    from headway.engines.local import LocalEngine  # noqa: PLC0415 - lazy

    return LocalEngine(rest or None)


def _openai(rest: str) -> Engine:
    from headway.engines.openai import OpenAIEngine  # noqa: PLC0415 - lazy

    return OpenAIEngine([server for server in rest.split(",") if server])


def _vllm(rest: str) -> Engine:
    from headway.engines.vllm import VllmEngine  # noqa: PLC0415 - lazy

    return VllmEngine(rest)


def _replay(rest: str) -> Engine:
    from headway.engines.replay import ReplayEngine  # noqa: PLC0415 - lazy

    return ReplayEngine(rest)


#: What each one is and takes after a colon, in a line, and how to make it.
ENGINES: dict[str, tuple[str, Callable[[str], Engine]]] = {
    "scripted": ("answers by a function, latencies modelled; scripted:SEED", _scripted),
    "null": ("as scripted, every answer at once", _null),
    "virtual": ("scripted answers, a modelled server; virtual:PRESET,REPLICAS", _virtual),
    "local": ("the embedded small model on the CPU; local:FILE.gguf for another", _local),
    "openai": ("OpenAI-compatible servers; openai:URL,URL", _openai),
    "vllm": ("vLLM in this process; vllm:MODEL", _vllm),
    "replay": ("the answers recorded in a trace; replay:PATH", _replay),
}


def make_engine(name: str) -> Engine:
    """Make an engine from its name, with what it takes after a colon: `openai:http://host/v1`.

    Raises
    ------
    OptionError
        If there is none; the message lists the names.
    EngineError, MissingExtraError
        If it cannot be made.
    """
    kind, _, rest = name.partition(":")
    if kind not in ENGINES:
        raise OptionError(f"no engine {kind!r}; there are {', '.join(ENGINES)}")
    try:
        return ENGINES[kind][1](rest)
    except ValueError as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(f"engine {name!r}: {error} ({ENGINES[kind][0]})") from error
