"""Traces: recorded positions and LLM calls of a run; replaying one needs no model."""

from headway.trace.footprint import FootprintReport, check_footprint, resolve_jumps
from headway.trace.model import BASES, Agents, Calls, Meta, Trace
from headway.trace.store import read_trace, write_trace
from headway.trace.validate import find_problems, validate_trace

__all__ = [
    "BASES",
    "Agents",
    "Calls",
    "FootprintReport",
    "Meta",
    "Trace",
    "check_footprint",
    "find_problems",
    "read_trace",
    "resolve_jumps",
    "validate_trace",
    "write_trace",
]
