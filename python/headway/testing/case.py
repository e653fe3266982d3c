"""One case of a comparison: which world, which order, how much of both. As text, to replay it."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False)

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
            late = tuple(
                ((str(agent), int(step), str(what)), float(delay))
                for agent, step, what, delay in told.pop("late", ())
            )
            agents = told.pop("agents", None)
            order, cut = told.pop("order", None), told.pop("cut", None)
            case = Case(
                seed=int(told.pop("seed")),
                steps=int(told.pop("steps")),
                order=None if order is None else int(order),
                agents=None if agents is None else tuple(map(str, agents)),
                late=late,
                cut=None if cut is None else int(cut),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise OptionError(f"{text!r} is no case as a failure prints it: {error}") from error
        if told:
            raise OptionError(f"{text!r} is no case: it has {', '.join(map(repr, told))}")
        return case

    def __str__(self) -> str:
        """Tell what is in it, in words."""
        told = [f"seed {self.seed}", f"{self.steps} step{'s' * (self.steps != 1)}"]
        if self.agents is not None:
            told.append(f"agents {', '.join(self.agents)}")
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
    return f"{agent}'s step {step} ({what})"
