"""One case of a comparison: which world, which order, how much of both. As text, to replay it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from headway.errors import OptionError
from headway.testing.order import Order

if TYPE_CHECKING:
    from headway.testing.order import Moment


@dataclass(frozen=True)
class Case:
    """One case of a comparison.

    Attributes
    ----------
    seed : int
        What the factory is given.
    steps : int
        How many steps are run.
    order : int or None
        The number of the order of execution; None where `late` says it.
    agents : tuple of str or None
        Only these take part; None for all.
    late : tuple of ((agent, step, what), seconds)
        The delays, where they are few.
    cut : int or None
        The run out of order is interrupted after so many steps of agents, and goes on.
    """

    seed: int
    steps: int
    order: int | None = None
    agents: tuple[str, ...] | None = None
    late: tuple[tuple[Moment, float], ...] = ()
    cut: int | None = None

    def make_order(self) -> Order:
        """Return the order of execution, fresh."""
        return Order(self.order) if self.order is not None else Order(delays=dict(self.late))

    def to_json(self) -> str:
        """Return the case as a line of JSON, without what is as usual."""
        told: dict[str, Any] = {"seed": self.seed, "steps": self.steps}
        if self.order is not None:
            told["order"] = self.order
        if self.agents is not None:
            told["agents"] = list(self.agents)
        if self.late:
            told["late"] = [[*moment, delay] for moment, delay in self.late]
        if self.cut is not None:
            told["cut"] = self.cut
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
        # What a terminal may do something else with than show it, is escaped.
        return text if text.isprintable() else json.dumps(told, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Case:
        """Read what `to_json` wrote.

        Raises
        ------
        OptionError
            If it is no case.
        """
        try:
            told = json.loads(text)
            if type(told) is not dict:
                raise TypeError("it is no JSON object")
            case = Case(
                seed=_whole(told, "seed"),
                steps=_whole(told, "steps", least=1),
                order=_whole(told, "order") if told.get("order") is not None else None,
                agents=_names(told.get("agents")),
                late=tuple(map(_delay, told.get("late", ()))),
                cut=_whole(told, "cut", least=1) if told.get("cut") is not None else None,
            )
            if unknown := told.keys() - {field.name for field in fields(Case)}:
                raise ValueError(f"it has {', '.join(map(repr, sorted(unknown)))}")
            case.make_order()
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise OptionError(f"{text!r:.300} is no case as a failure prints it: {why}") from error
        return case

    def __str__(self) -> str:
        """Tell what is in it, in words."""
        told = [f"seed {self.seed}", f"{self.steps} step{'s' * (self.steps != 1)}"]
        if self.agents is not None:
            told.append(f"agents {', '.join(map(printable, self.agents))}")
        if self.order is not None:
            told.append(f"order {self.order}")
        if self.late:
            moments = [_moment(moment) for moment, _ in self.late]
            more = f" and {len(moments) - 4} more" if len(moments) > 4 else ""
            told.append("late: " + ", ".join(moments[:4]) + more)
        if self.cut is not None:
            told.append(f"interrupted after {self.cut} steps of agents")
        return "; ".join(told)


def _moment(moment: Moment) -> str:
    agent, step, what = moment
    return f"{printable(agent)}'s step {step} ({printable(what)})"


def printable(name: str) -> str:
    """Return a name, quoted if a terminal would not just show it."""
    return name if name.isprintable() else repr(name)


def _whole(told: dict[str, Any], key: str, least: int | None = None) -> int:
    number = told[key]
    if type(number) is not int or (least is not None and number < least):
        limit = "" if least is None else f" from {least}"
        raise ValueError(f"its {key!r} is {number!r}, not a whole number{limit}")
    return number


def _names(names: object) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(type(name) is str for name in names):
        raise ValueError(f"its 'agents' are {names!r:.80}, not a list of names")
    return tuple(names)


def _delay(late: object) -> tuple[Moment, float]:
    if isinstance(late, list) and len(late) == 4:
        agent, step, what, delay = late
        if tuple(map(type, late[:3])) == (str, int, str) and type(delay) in {int, float}:
            return (agent, step, what), float(delay)
    raise ValueError(f"its 'late' has {late!r:.80}, not [agent, step, what, seconds]")
