"""Measure the virtual-time model's t0, p and d on a real vLLM and print them as a JSON preset.

The virtual-time engine says that an iteration lasts

    max(t0, p * prefill_tokens) + d * decoding_sequences    seconds.

This script runs vLLM in this process, gives it iterations of known content, times every engine
step, and fits the three numbers by least squares of the *relative* error, so that short iterations
count as much as long ones:

1. decode-only steps with 1, 2, 4, ... sequences give t0 and d;
2. prefill-only steps of various sizes give p, with t0 as found;
3. steps that mix both, and one whole call, are predicted but not fitted: they tell how good the
   model is.

Each cell is a quantile of its steps: the median, or on a machine that others use too a low one,
as interruptions only ever add time. The cells are visited in several rounds, so that a slow spell
touches all of them. Prefix caching is off and nothing is detokenised, as the model knows neither.

It needs an environment with vLLM and nothing else. On a machine without a GPU, for example:

    HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=2 \
    python benches/calibrate_vllm.py MODEL --date 2026-11-23 --engine enforce_eager=true \
        --engine block_size=32 --engine kv_cache_memory_bytes=536870912

The preset goes to standard output (or --output), everything else to standard error.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Cell = tuple[int, int]  # prefill tokens, decoding sequences
Samples = dict[Cell, list[float]]  # the seconds of every step with that content

# Where the middle half of a cell's samples is wider than this, relative to the fitted quantile, the
# machine was disturbed.
CALM_SPREAD = 0.25

# A cell of this many prompt tokens is processed in one chunk, or left out if the budget is smaller.
PREFILL_SIZES = (16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2048)
MIXED_CELLS = ((64, 4), (256, 4), (256, 16), (512, 8))
# About the mean call of the published town trace.
LONE_CALL = (640, 22)


class Probe:
    """A vLLM engine that is given iterations of known content."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        # The engine must run in this process: a step's time would else hold the queue's too.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        # Standard output is for the preset.
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
        from vllm import EngineArgs, LLMEngine  # noqa: PLC0415

        wanted = {
            "model": arguments.model,
            "dtype": arguments.dtype,
            "max_model_len": max(arguments.token_budget, sum(LONE_CALL)) + 64,
            "max_num_seqs": arguments.max_sequences,
            "max_num_batched_tokens": arguments.token_budget,
            "enable_prefix_caching": False,
            # Overlapping steps could not be told apart.
            "async_scheduling": False,
            "disable_log_stats": True,
            **dict(arguments.engine),
        }
        known = {field.name for field in dataclasses.fields(EngineArgs)}
        self.engine_args = {name: value for name, value in wanted.items() if name in known}
        unknown = [name for name, _ in arguments.engine if name not in known]
        if unknown:
            sys.exit(f"this vLLM has no engine argument {', '.join(unknown)}")
        self.engine = LLMEngine.from_engine_args(EngineArgs(**self.engine_args))
        self.vocabulary = self.engine.model_config.get_vocab_size()
        self.random = random.Random(arguments.seed)
        self.context = arguments.context
        self.added = 0

    def add(self, prompt_tokens: int, output_tokens: int) -> str:
        """Queue a request with a random prompt that produces exactly so many tokens."""
        from vllm import SamplingParams  # noqa: PLC0415
        from vllm.sampling_params import RequestOutputKind  # noqa: PLC0415

        name = f"probe-{self.added}"
        self.added += 1
        # The lowest ids are special tokens in most vocabularies.
        tokens = [self.random.randrange(256, self.vocabulary) for _ in range(prompt_tokens)]
        parameters = SamplingParams(
            max_tokens=output_tokens,
            ignore_eos=True,
            detokenize=False,
            temperature=0.8,
            output_kind=RequestOutputKind.DELTA,
        )
        self.engine.add_request(name, {"prompt_token_ids": tokens}, parameters)
        return name

    def step(self) -> tuple[float, dict[str, int]]:
        """Run one iteration: its seconds, and how many tokens each request got from it."""
        start = time.perf_counter()
        outputs = self.engine.step()
        seconds = time.perf_counter() - start
        return seconds, {out.request_id: len(out.outputs[0].token_ids) for out in outputs}

    def drain(self) -> None:
        while self.engine.has_unfinished_requests():
            self.engine.step()

    def start_decoding(self, sequences: int, steps: int) -> list[str]:
        """Bring so many requests past their prompts, with at least so many steps to go."""
        # The first may decode while the last is still being read.
        output_tokens = steps + 2 + sequences * self.context // self.engine_budget()
        names = [self.add(self.context, output_tokens) for _ in range(sequences)]
        started: set[str] = set()
        while len(started) < sequences:
            _, tokens = self.step()
            started.update(tokens)
        return names

    def engine_budget(self) -> int:
        return int(self.engine_args["max_num_batched_tokens"])

    def decode_steps(self, sequences: int, steps: int) -> Iterator[float]:
        """Seconds of iterations in which exactly these sequences get one token each."""
        names = self.start_decoding(sequences, steps)
        for _ in range(steps):
            seconds, tokens = self.step()
            if tokens != dict.fromkeys(names, 1):
                sys.exit(f"a step of {sequences} decoding sequences gave {tokens}")
            yield seconds
        self.drain()

    def mixed_step(self, prefill_tokens: int, sequences: int) -> float:
        """Seconds of an iteration in which a whole prompt meets decoding sequences."""
        names = self.start_decoding(sequences, 1) if sequences else []
        newcomer = self.add(prefill_tokens, 1)
        seconds, tokens = self.step()
        if tokens != dict.fromkeys([*names, newcomer], 1):
            sys.exit(f"a step of {prefill_tokens} prompt tokens beside {sequences} gave {tokens}")
        self.drain()
        return seconds

    def lone_call(self, prompt_tokens: int, output_tokens: int) -> float:
        """Seconds of a call on the idle engine."""
        self.add(prompt_tokens, output_tokens)
        start = time.perf_counter()
        self.drain()
        return time.perf_counter() - start


def measure(probe: Probe, arguments: argparse.Namespace) -> tuple[Samples, Samples, list[float]]:
    """Return the samples to fit, the samples to predict, and the lone calls."""
    fitted: Samples = {}
    predicted: Samples = {}
    lone: list[float] = []
    budget = arguments.token_budget
    batches = [size for size in arguments.batches if size <= arguments.max_sequences]
    prefills = [size for size in PREFILL_SIZES if size <= budget]
    mixed = [
        (tokens, sequences)
        for tokens, sequences in MIXED_CELLS
        if sequences < arguments.max_sequences and tokens + sequences <= budget
    ]
    # The first round compiles, captures and fills caches; it is thrown away.
    for number in range(arguments.rounds + 1):
        kept = number > 0
        say(f"round {number} of {arguments.rounds}" + ("" if kept else " (to warm up, not kept)"))
        steps = arguments.steps if kept else 2
        for sequences in batches:
            seconds = list(probe.decode_steps(sequences, steps))
            if kept:
                fitted.setdefault((0, sequences), []).extend(seconds)
        for tokens in prefills:
            once = probe.mixed_step(tokens, 0)
            if kept:
                fitted.setdefault((tokens, 0), []).append(once)
        for tokens, sequences in mixed:
            once = probe.mixed_step(tokens, sequences)
            if kept:
                predicted.setdefault((tokens, sequences), []).append(once)
        once = probe.lone_call(*LONE_CALL)
        if kept:
            lone.append(once)
    return fitted, predicted, lone


def fit_decode(cells: dict[Cell, float]) -> tuple[float, float]:
    """Return t0 and d with the least squares of (t0 + d * sequences) / measured - 1."""
    rows = [(1 / seconds, sequences / seconds) for (_, sequences), seconds in cells.items()]
    if len(rows) < 2:
        sys.exit("at least two different batches are needed to tell t0 from d")
    aa = sum(a * a for a, _ in rows)
    ab = sum(a * b for a, b in rows)
    bb = sum(b * b for _, b in rows)
    a, b = sum(a for a, _ in rows), sum(b for _, b in rows)
    determinant = aa * bb - ab * ab
    t0, d = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
    # Noise may tip the line; the model knows neither free iterations nor sequences that save time.
    if d < 0:
        return a / aa, 0.0
    return max(t0, 1e-6), d


def fit_prefill(cells: dict[Cell, float], t0: float) -> float:
    """Return p with the least squares of max(t0, p * tokens) / measured - 1."""

    def loss(p: float) -> float:
        return sum((max(t0, p * tokens) / s - 1) ** 2 for (tokens, _), s in cells.items())

    # Which cells lie above the floor t0 depends on p; each possible set gives one candidate.
    by_size = sorted((tokens, seconds) for (tokens, _), seconds in cells.items())
    candidates = []
    for first in range(len(by_size)):
        ratios = [tokens / seconds for tokens, seconds in by_size[first:]]
        candidates.append(sum(ratios) / sum(ratio * ratio for ratio in ratios))
    return min(candidates, key=loss)


def predict(t0: float, p: float, d: float, cell: Cell) -> float:
    return max(t0, p * cell[0]) + d * cell[1]


def predict_lone_call(t0: float, p: float, d: float, budget: int) -> float:
    prompt, output = LONE_CALL
    chunks = [budget] * (prompt // budget) + [prompt % budget] * (prompt % budget > 0)
    return sum(predict(t0, p, d, (chunk, 0)) for chunk in chunks) + (output - 1) * (t0 + d)


def quantile(samples: list[float], share: float) -> float:
    """Return the smallest sample with at least this share of all at or below it."""
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


def report(samples: Samples, share: float, t0: float, p: float, d: float) -> list[dict[str, float]]:
    rows = []
    for cell, seconds in samples.items():
        typical = quantile(seconds, share)
        spread = (quantile(seconds, 0.75) - quantile(seconds, 0.25)) / typical
        rows.append(
            {
                "prefill_tokens": cell[0],
                "decoding_sequences": cell[1],
                "samples": len(seconds),
                "seconds": rounded(typical),
                "quartile_spread": rounded(spread, 2),
                "relative_error": rounded(predict(t0, p, d, cell) / typical - 1, 2),
            }
        )
    return rows


def rms(rows: list[dict[str, float]]) -> float:
    return rounded(math.sqrt(statistics.fmean(row["relative_error"] ** 2 for row in rows)), 2)


def rounded(value: float, digits: int = 4) -> float:
    """Round to significant digits: a measurement has no more."""
    return float(f"{value:.{digits}g}")


def hardware() -> str:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return f"CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {name}"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def engine_argument(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("model", help="a model's name or folder, as vLLM takes it")
    add("--date", required=True, help="written into the preset; the script does not ask the clock")
    add("--name", help="the preset's name; default: the model's")
    add("--hardware", help="written into the preset; default: what this machine says of itself")
    add("--dtype", default="bfloat16", help="of the weights")
    add("--max-sequences", type=int, default=64, help="sequences that run at once")
    add("--token-budget", type=int, default=2048, help="tokens of an iteration")
    add("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32], help="decode-only cells")
    add("--context", type=int, default=128, help="prompt tokens before each decoding sequence")
    add("--steps", type=int, default=20, help="decode steps per batch and round")
    add("--rounds", type=int, default=3, help="visits to every cell that are kept")
    add("--quantile", type=fraction, default=0.5, help="of a cell's samples that is fitted")
    add("--seed", type=int, default=1, help="of the random prompts")
    add("--engine", type=engine_argument, action="append", default=[], metavar="NAME=VALUE",
        help="another engine argument of vLLM; the value is JSON or a plain word")  # fmt: skip
    add("--output", type=Path, help="a file for the preset instead of standard output")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    probe = Probe(arguments)
    started = time.perf_counter()
    fitted, predicted, lone = measure(probe, arguments)
    seconds = time.perf_counter() - started

    share = arguments.quantile
    typical = {cell: quantile(samples, share) for cell, samples in fitted.items()}
    t0, d = fit_decode({cell: s for cell, s in typical.items() if cell[0] == 0})
    p = fit_prefill({cell: s for cell, s in typical.items() if cell[0] > 0}, t0)
    t0, p, d = rounded(t0), rounded(p), rounded(d)

    import torch  # noqa: PLC0415
    import vllm  # noqa: PLC0415

    fitted_rows = report(fitted, share, t0, p, d)
    predicted_rows = report(predicted, share, t0, p, d)
    lone_measured = quantile(lone, share)
    spread = statistics.median(row["quartile_spread"] for row in fitted_rows)
    if spread > CALM_SPREAD:
        say(
            f"warning: half of the cells spread by more than {spread:.0%}; the machine was not "
            "calm: measure again, with more rounds or a lower --quantile"
        )
    lone_predicted = predict_lone_call(t0, p, d, arguments.token_budget)
    # A folder's place on this machine is nobody's business; its name is the model's.
    model = Path(arguments.model).name if Path(arguments.model).exists() else arguments.model
    engine_args = {**probe.engine_args, "model": model}
    preset = {
        "name": arguments.name or model,
        "t0": t0,
        "p": p,
        "d": d,
        "max_sequences": arguments.max_sequences,
        "token_budget": arguments.token_budget,
        "source": {
            "how": "measured by benches/calibrate_vllm.py",
            "model": model,
            "dtype": arguments.dtype,
            "hardware": arguments.hardware or hardware(),
            "vllm": vllm.__version__,
            "torch": torch.__version__,
            "date": arguments.date,
            "engine_args": engine_args,
            "context_tokens": arguments.context,
            "quantile": share,
            "median_quartile_spread": rounded(spread, 2),
            "samples": sum(len(samples) for samples in fitted.values()),
            "measured_for_seconds": round(seconds),
            "residual": {
                "fitted_cells_rms": rms(fitted_rows),
                "predicted_cells_rms": rms(predicted_rows) if predicted_rows else None,
                "lone_call": rounded(lone_predicted / lone_measured - 1, 2),
            },
            "lone_call": {
                "prompt_tokens": LONE_CALL[0],
                "output_tokens": LONE_CALL[1],
                "measured_seconds": rounded(lone_measured),
                "predicted_seconds": rounded(lone_predicted),
            },
            "fitted_cells": fitted_rows,
            "predicted_cells": predicted_rows,
        },
    }
    text = json.dumps(preset, indent=2)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
