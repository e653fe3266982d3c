"""Options that several commands share, and what they mean together.

Each decorator adds options to a command and hands it one object in their place.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headway.engines import PRESETS, Preset, preset_named
from headway.schedules import Setting
from headway.trace import Trace, resolve_jumps
from headway.trace.metric import GRID_LIMIT, METRICS

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]


class Amount(click.ParamType[float]):
    """A number from 0 to `most`: neither infinite nor no number."""

    name = "number"

    def __init__(self, most: float) -> None:
        self.most = most

    def convert(
        self,
        value: Any,  # noqa: ANN401
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read it; click names the option in the message."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number <= self.most:
            self.fail(f"{value!r} is not a number from 0 to {self.most:g}", param, ctx)
        return number


class Folder(click.Path):
    """A path; an empty one, as of an unset variable, does not mean the working folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: Any,  # noqa: ANN401
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401
        """Take the path."""
        if not str(value):
            self.fail("the path is empty; name a folder", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = Folder()

#: No world is larger.
LENGTH = Amount(GRID_LIMIT)

#: Presets have the same limit.
SECONDS = Amount(2**32 - 1)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")

timing_option = click.option(
    "--timing/--no-timing",
    default=True,
    help="Show what is measured on this machine; without it equal inputs give equal output, "
    "to the byte.",
)


@dataclass(frozen=True)
class Footprint:
    """How far agents perceive, move and affect, as far as the user said."""

    sight: float | None
    speed: float | None
    reach: float | None
    metric: str | None

    def setting(self, trace: Trace) -> Setting:
        """Complete it from what the trace says of itself."""
        return Setting(
            sight=_first(self.sight, trace.meta.sight, 4.0),
            speed=_first(self.speed, trace.meta.speed, 1.0),
            reach=self.reach,
            metric=self.metric or trace.meta.metric,
            wrap=trace.meta.wrap,
        )


@dataclass(frozen=True)
class Engine:
    """What answers the calls."""

    preset: Preset
    replicas: int


@dataclass(frozen=True)
class Jumps:
    """What to do with moves longer than the speed."""

    choice: str

    def resolve(self, trace: Trace, setting: Setting) -> Trace:
        """Deal with them."""
        return resolve_jumps(trace, speed=setting.speed, on_jump=self.choice, metric=setting.metric)


def footprint_options(command: Command) -> Command:
    """Add --sight, --speed, --reach and --metric; the command gets `footprint`."""

    @click.option(
        "--sight",
        type=LENGTH,
        help="How far an agent perceives.  [default: the trace's, else 4]",
    )
    @click.option(
        "--speed",
        type=LENGTH,
        help="How far an agent moves in a step.  [default: the trace's, else 1]",
    )
    @click.option(
        "--reach",
        type=LENGTH,
        help="How far the effects of a step go.  [default: the speed]",
    )
    @click.option(
        "--metric",
        type=click.Choice(METRICS),
        help="Distance that perception is limited by.  [default: the trace's]",
    )
    @functools.wraps(command)
    def with_footprint(
        *,
        sight: float | None,
        speed: float | None,
        reach: float | None,
        metric: str | None,
        **others: Any,  # noqa: ANN401
    ) -> None:
        command(footprint=Footprint(sight, speed, reach, metric), **others)

    return with_footprint


def jump_option(command: Command) -> Command:
    """Add --on-jump; the command gets `jumps`."""

    @click.option(
        "--on-jump",
        type=click.Choice(["error", "split", "clip"]),
        default="error",
        show_default=True,
        help="Moves longer than the speed: refuse the trace; take each for leaving and joining "
        "again; or let the agent walk after its recorded place.",
    )
    @functools.wraps(command)
    def with_jumps(*, on_jump: str, **others: Any) -> None:  # noqa: ANN401
        command(jumps=Jumps(on_jump), **others)

    return with_jumps


def engine_options(command: Command) -> Command:
    """Add --replicas, --preset, --t0, --p and --d; the command gets `engine`."""

    @click.option(
        "--replicas",
        type=click.IntRange(1, 65536),
        default=8,
        show_default=True,
        help="Replicas of the model (GPUs, for a model that fits one).",
    )
    @click.option(
        "--preset",
        default="l4-8b",
        show_default=True,
        help=f"What one replica of the modelled LLM server costs: {', '.join(PRESETS)}, or a "
        "JSON file that benches/calibrate_vllm.py has written.",
    )
    @click.option("--t0", type=SECONDS, help="Override: least seconds of an iteration.")
    @click.option("--p", type=SECONDS, help="Override: seconds per prompt token.")
    @click.option("--d", type=SECONDS, help="Override: seconds per decoding request.")
    @functools.wraps(command)
    def with_engine(
        *,
        replicas: int,
        preset: str,
        t0: float | None,
        p: float | None,
        d: float | None,
        **others: Any,  # noqa: ANN401
    ) -> None:
        command(engine=Engine(_own(preset_named(preset), t0, p, d), replicas), **others)

    return with_engine


def _own(preset: Preset, t0: float | None, p: float | None, d: float | None) -> Preset:
    """Return the preset with the user's own numbers, and say so in its source."""
    if t0 is p is d is None:
        return preset
    own = replace(
        preset,
        t0=_first(t0, preset.t0),
        p=_first(p, preset.p),
        d=_first(d, preset.d),
    )
    numbers = f"t0={own.t0:g}, p={own.p:g}, d={own.d:g}"
    return replace(
        own, name=f"{preset.name}*", source=f"{preset.name} with {numbers} given by the user"
    )


def _first(*values: float | None) -> float:
    """Return the first value that is known."""
    return next(value for value in values if value is not None)


#: No step has as many digits; Python refuses to read thousands of them.
DIGITS = 10


def step_range(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read `FIRST:LAST`."""
    if value is None:
        return None
    first, colon, last = value.partition(":")
    if not colon or not all(n.isdecimal() and len(n) < DIGITS for n in (first, last)):
        raise click.BadParameter(
            f"{value!r} is not FIRST:LAST, two step numbers of which the last is left out, "
            "as in 0:4900"
        )
    return int(first), int(last)
