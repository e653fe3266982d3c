"""What answers LLM calls: one small protocol, the engines behind it, and wrappers around them."""

from headway.engines.base import Answer, Engine, Message, Request
from headway.engines.registry import ENGINES, make_engine
from headway.engines.virtual import PRESETS, Preset, preset_named

__all__ = [
    "ENGINES",
    "PRESETS",
    "Answer",
    "Engine",
    "Message",
    "Preset",
    "Request",
    "make_engine",
    "preset_named",
]
