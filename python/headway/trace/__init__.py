"""Traces: recorded positions and LLM calls of a run; replaying one needs no model."""

from headway.trace.model import BASES, Agents, Calls, Meta, Trace

__all__ = ["BASES", "Agents", "Calls", "Meta", "Trace"]
