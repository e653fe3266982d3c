"""The options of the engine, and the vLLM engine arguments that they become."""

from __future__ import annotations

import dataclasses
import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.errors import EngineError, OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.engines.vllm.library import Library

#: What agents need, unless the caller says otherwise.
DEFAULTS = {
    "scheduling_policy": "priority",
    "enable_prefix_caching": True,
    "disable_log_stats": False,
}

#: The engine arguments that are parameters of `VllmEngine`, and under which name.
PARAMETERS = {
    "model": "model",
    "data_parallel_size": "data_parallel",
    "max_num_seqs": "max_sequences",
    "max_model_len": "max_model_len",
    "seed": "seed",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What `VllmEngine` was called with; see there.

    Raises
    ------
    OptionError
        If an option cannot be what it is.
    """

    model: str
    data_parallel: int
    max_sequences: int | None
    max_model_len: int | None
    queue_depth: int
    seed: int
    engine_args: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in ("data_parallel", "max_sequences", "max_model_len", "queue_depth"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} is {value}; it must be at least 1")
        for name in self.engine_args:
            if name in PARAMETERS:
                raise OptionError(
                    f"engine_args has {name!r}; give it as VllmEngine({PARAMETERS[name]}=...)"
                )

    @property
    def model_name(self) -> str:
        """The model as it is shown; of a folder only the last part."""
        return Path(self.model).name if Path(self.model).exists() else self.model

    def check_model(self) -> None:
        """See that a model given as a folder is one.

        Raises
        ------
        EngineError
            If it is not; a name such as `owner/model` is left to vLLM.
        """
        path = Path(self.model).expanduser()
        looks_like_path = self.model.startswith((os.sep, ".", "~")) or self.model.count("/") > 1
        if looks_like_path and not path.exists():
            raise EngineError(f"there is no model folder {self.model}")
        if path.is_dir() and not any((path / name).exists() for name in _CONFIGS):
            raise EngineError(
                f"the folder {self.model} holds no model: it has no {' or '.join(_CONFIGS)}"
            )

    def vllm_args(self, library: Library) -> object:
        """Return vLLM's `AsyncEngineArgs`.

        Raises
        ------
        EngineError
            If there is no such argument.
        """
        wanted: dict[str, Any] = {
            "model": self.model,
            "data_parallel_size": self.data_parallel,
            "max_num_seqs": self.max_sequences,
            "max_model_len": self.max_model_len,
            "seed": self.seed,
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        known = [field.name for field in dataclasses.fields(library.AsyncEngineArgs)]
        for name in self.engine_args:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3)
                hint = f"; is it {' or '.join(near)}?" if near else ""
                raise EngineError(f"this vLLM has no engine argument {name!r}{hint}")
        arguments: object = library.AsyncEngineArgs(**{**DEFAULTS, **wanted, **self.engine_args})
        return arguments


_CONFIGS = ("config.json", "params.json")
