"""Run simulations of thousands of LLM agents out of order, as if in lock-step."""
