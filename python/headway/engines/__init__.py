"""What answers LLM calls: so far the virtual-time engine, which models a server."""

from headway.engines.virtual import PRESETS, Preset, preset_named

__all__ = ["PRESETS", "Preset", "preset_named"]
