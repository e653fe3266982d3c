"""Wrappers: each is an engine around an engine and does one thing.

A usual order is `Recording(Cache(Limit(Retry(engine))))`: every answer is recorded once, wherever
it came from; what is kept needs no place; and a call that is about to be repeated keeps its place,
so that an overloaded engine gets less to do.
"""

from headway.engines.wrappers.base import Wrapper, model_of
from headway.engines.wrappers.cache import Cache
from headway.engines.wrappers.content import request_hash, request_parts
from headway.engines.wrappers.limit import Limit
from headway.engines.wrappers.recording import Recording
from headway.engines.wrappers.retry import Retry

__all__ = [
    "Cache",
    "Limit",
    "Recording",
    "Retry",
    "Wrapper",
    "model_of",
    "request_hash",
    "request_parts",
]
