"""vLLM in this process: one machine's GPUs (or its CPU), without a server in between."""

from headway.engines.vllm.engine import VllmEngine

__all__ = ["VllmEngine"]
