"""Options that several commands share, and what they mean together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headway.engines import PRESETS, Preset, preset_named
from headway.schedules import Setting
from headway.trace import Trace, resolve_jumps
from headway.trace.metric import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def footprint_options(command: F) -> F:
    """Add how far agents perceive, move and affect."""
    for option in (
        click.option(
            "--metric",
            type=click.Choice(METRICS),
            help="Distance that perception is limited by.  [default: the trace's]",
        ),
        click.option(
            "--reach",
            type=click.FloatRange(min=0),
            help="How far the effects of a step go.  [default: the speed]",
        ),
        click.option(
            "--speed",
            type=click.FloatRange(min=0),
            help="How far an agent moves in a step.  [default: the trace's, else 1]",
        ),
        click.option(
            "--sight",
            type=click.FloatRange(min=0),
            help="How far an agent perceives.  [default: the trace's, else 4]",
        ),
    ):
        command = option(command)
    return command


def jump_option(command: F) -> F:
    """Add what to do with moves longer than the speed."""
    return click.option(
        "--on-jump",
        type=click.Choice(["error", "split", "clip"]),
        default="error",
        show_default=True,
        help="Moves longer than the speed: refuse the trace; take each for leaving and joining "
        "again; or let the agent walk after its recorded place.",
    )(command)


def engine_options(command: F) -> F:
    """Add what answers the calls."""
    for option in (
        click.option("--t0", type=float, help="Override: least seconds of an iteration."),
        click.option("--p", type=float, help="Override: seconds per prompt token."),
        click.option("--d", type=float, help="Override: seconds per decoding request."),
        click.option(
            "--preset",
            type=click.Choice(list(PRESETS)),
            default="l4-8b",
            show_default=True,
            help="What one replica of the modelled LLM server costs.",
        ),
        click.option(
            "--replicas",
            type=click.IntRange(1, 65536),
            default=8,
            show_default=True,
            help="Replicas of the model (GPUs, for a model that fits one).",
        ),
    ):
        command = option(command)
    return command


def setting_of(
    trace: Trace,
    sight: float | None,
    speed: float | None,
    reach: float | None,
    metric: str | None,
) -> Setting:
    """Complete the footprint from what the trace says of itself."""
    if sight is None:
        sight = 4.0 if trace.meta.sight is None else trace.meta.sight
    if speed is None:
        speed = 1.0 if trace.meta.speed is None else trace.meta.speed
    return Setting(
        sight=sight,
        speed=speed,
        reach=reach,
        metric=metric or trace.meta.metric,
        wrap=trace.meta.wrap,
    )


def resolved(trace: Trace, setting: Setting, on_jump: str) -> Trace:
    """Deal with moves that are too long as the user asked."""
    return resolve_jumps(trace, speed=setting.speed, on_jump=on_jump, metric=setting.metric)


def preset_of(name: str, t0: float | None, p: float | None, d: float | None) -> Preset:
    """Return the preset with the user's own numbers, and say so in its source."""
    preset = preset_named(name)
    if t0 is p is d is None:
        return preset
    own = replace(
        preset,
        t0=preset.t0 if t0 is None else t0,
        p=preset.p if p is None else p,
        d=preset.d if d is None else d,
    )
    numbers = f"t0={own.t0:g}, p={own.p:g}, d={own.d:g}"
    return replace(own, name=f"{name}*", source=f"{name} with {numbers} given by the user")


def step_range(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read `FIRST:LAST`."""
    if value is None:
        return None
    first, colon, last = value.partition(":")
    if not colon or not first.isdigit() or not last.isdigit():
        raise click.BadParameter(
            f"{value!r} is not FIRST:LAST, two step numbers of which the last is left out, "
            "as in 0:4900"
        )
    return int(first), int(last)
