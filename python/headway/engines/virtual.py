"""The virtual-time engine: a modelled LLM server, and presets for what it models.

Everything it reports is modelled time. The model is DESIGN section 6; `benches/calibrate_vllm.py`
measures the numbers of a real vLLM and prints a preset.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from headway._core import VirtualServer
from headway.errors import EngineError, OptionError


@dataclass(frozen=True)
class Preset:
    """The cost of one replica.

    Attributes
    ----------
    name : str
    t0, p, d : float
        Seconds: of an iteration at least, per prompt token, per decoding sequence.
    max_sequences, token_budget : int
        Requests worked on at a time, and tokens of one iteration.
    source : str
        Where the numbers come from.
    """

    name: str
    t0: float
    p: float
    d: float
    max_sequences: int
    token_budget: int
    source: str

    def server(self, replicas: int) -> VirtualServer:
        """Make a server of so many replicas.

        Raises
        ------
        EngineError
            If a number is outside its range.
        """
        return VirtualServer(
            replicas,
            t0=self.t0,
            p=self.p,
            d=self.d,
            max_sequences=self.max_sequences,
            token_budget=self.token_budget,
        )


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="l4-8b",
            t0=0.060,
            p=0.000_16,
            d=0.000_4,
            max_sequences=64,
            token_budget=2048,
            source="an 8B model on one NVIDIA L4; round figures, assumed and not measured",
        ),
        Preset(
            name="l4-8b-paper",
            t0=0.070,
            p=0.000_16,
            d=0.000_4,
            max_sequences=64,
            token_budget=2048,
            source="as l4-8b, with t0 set so that a call of mean length takes about the 1.63 s "
            "that Llama-3-8B took on one L4 in the AI Metropolis paper (figure 4a)",
        ),
        Preset(
            name="cpu-135m",
            t0=0.028_49,
            p=0.001_666,
            d=0.001_742,
            max_sequences=64,
            token_budget=2048,
            source="measured by benches/calibrate_vllm.py on 2026-11-23: SmolLM2-135M in bfloat16, "
            "vLLM 0.32.0 on one thread of an AMD EPYC CPU, 290 samples; predicts single iterations "
            "within 14 % (root mean square) and a lone call of 640 + 22 tokens within 3 %",
        ),
    )
}


def preset_named(name: str) -> Preset:
    """Return the preset of this name, or the one in the JSON file of this name.

    `benches/calibrate_vllm.py` writes such files: `name`, `t0`, `p`, `d`, `max_sequences`,
    `token_budget`, and `source`, which is text or an object.

    Raises
    ------
    OptionError
        If it is neither; the message lists the names.
    EngineError
        If the file cannot be used; the message names the field.
    """
    if name in PRESETS:
        return PRESETS[name]
    if not name.endswith(".json"):
        raise OptionError(
            f"no preset {name!r}; there are {', '.join(PRESETS)}, or give a .json file that "
            "benches/calibrate_vllm.py has written"
        )
    return _read(Path(name))


def _read(path: Path) -> Preset:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"cannot read the preset {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EngineError(f"the preset {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise EngineError(f"the preset {path} is not a JSON object")
    source = content.get("source", "")
    if isinstance(source, dict):
        told = [source.get(key) for key in ("how", "model", "hardware", "date")]
        source = ", ".join(str(fact) for fact in told if fact)
    preset = Preset(
        name=str(content.get("name", path.stem)),
        t0=_number(path, content, "t0"),
        p=_number(path, content, "p"),
        d=_number(path, content, "d"),
        max_sequences=_whole(path, content, "max_sequences"),
        token_budget=_whole(path, content, "token_budget"),
        source=f"{source} ({path.name})",
    )
    try:
        preset.server(1)
    except EngineError as error:
        raise EngineError(f"the preset {path}: {error}") from error
    return preset


def _whole(path: Path, content: dict[str, object], field: str) -> int:
    value = _number(path, content, field)
    if value != int(value):
        raise EngineError(f"the preset {path}: {field} is {value!r}, it must be a whole number")
    return int(value)


def _number(path: Path, content: dict[str, object], field: str) -> float:
    value = content.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**32:
        raise EngineError(f"the preset {path}: {field} is {value!r}, it must be a number from 0")
    return value
