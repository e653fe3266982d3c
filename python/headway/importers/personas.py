"""Reading the personas' folders: what each agent remembers, and how it describes itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.errors import TraceError
from headway.importers.frames import as_talk
from headway.importers.prompts import PORTRAIT_UNKNOWN, tokens_in_portrait
from headway.importers.reading import as_object, as_text, as_whole, member, read_object
from headway.importers.recording import Memory
from headway.importers.town_clock import iso_time, step_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from headway.importers.recording import Doing, Transcript

KINDS = ("event", "thought", "chat")
PORTRAIT_FACTS = ("name", "age", "innate", "learned", "currently", "lifestyle", "daily_plan_req")
NODES_MAX = 1 << 31


@dataclass(frozen=True, slots=True)
class Node:
    """A memory as saved: dated by the clock, not yet by step."""

    number: int
    second: float
    kind: str
    subject: str
    text: str
    gist: str
    evidence: bool
    talk: Transcript


@dataclass(frozen=True, slots=True)
class Persona:
    """What the folder of one persona tells."""

    nodes: tuple[Node, ...]
    portrait_tokens: int
    sight: int | None
    has_settings: bool


def nodes_file(folder: Path, name: str) -> Path:
    """Return where the program saves a persona's memories."""
    return folder / name / "bootstrap_memory" / "associative_memory" / "nodes.json"


def read_persona(folder: Path, name: str, midnight: datetime) -> Persona:
    """Read `personas/<name>`; times count from `midnight`.

    Raises
    ------
    TraceError
        Where a file is damaged; a missing `scratch.json` is no error.
    """
    nodes = read_nodes(nodes_file(folder, name), midnight)
    settings = folder / name / "bootstrap_memory" / "scratch.json"
    if not settings.exists():
        return Persona(nodes, PORTRAIT_UNKNOWN, None, has_settings=False)
    scratch = read_object(settings)
    sight = scratch.get("vision_r")
    if sight is not None:
        sight = as_whole(sight, f"{settings}, vision_r", low=0, high=NODES_MAX)
    facts = [scratch.get(fact) or "" for fact in PORTRAIT_FACTS]
    return Persona(nodes, tokens_in_portrait(facts), sight, has_settings=True)


def read_nodes(path: Path, midnight: datetime) -> tuple[Node, ...]:
    """Read an associative memory, in the order in which its entries were made."""
    found = read_object(path)
    talks: dict[str, Transcript] = {}
    for key, entry in found.items():
        if as_object(entry, f"{path}, {key}").get("type") == "chat":
            talks[key] = as_talk(entry.get("filling"), f"{path}, {key}, filling")
    nodes = [_node(entry, f"{path}, {key}", midnight, talks) for key, entry in found.items()]
    nodes.sort(key=lambda node: node.number)
    return tuple(nodes)


def _node(
    entry: dict[str, Any], where: str, midnight: datetime, talks: dict[str, Transcript]
) -> Node:
    kind = as_text(member(entry, "type", where), f"{where}, type")
    if kind not in KINDS:
        raise TraceError(f"{where}: type {kind!r} is none of {', '.join(KINDS)}")
    filling = entry.get("filling")
    if kind == "chat":
        talk = as_talk(filling, f"{where}, filling")
    elif kind == "thought" and isinstance(filling, list) and len(filling) == 1:
        talk = talks.get(filling[0], ()) if isinstance(filling[0], str) else ()
    else:
        talk = ()
    created = as_text(member(entry, "created", where), f"{where}, created")
    text = as_text(member(entry, "description", where), f"{where}, description")
    return Node(
        number=as_whole(member(entry, "node_count", where), where, low=0, high=NODES_MAX),
        second=(iso_time(created, f"{where}, created") - midnight).total_seconds(),
        kind=kind,
        subject=as_text(member(entry, "subject", where), f"{where}, subject"),
        text=text,
        gist=as_text(entry.get("embedding_key") or text, f"{where}, embedding_key"),
        evidence=bool(filling),
        talk=talk,
    )


def dated(nodes: Sequence[Node], times: NDArray[np.float64]) -> tuple[Memory, ...]:
    """Date memories by step, with the clock of the recording."""
    return tuple(
        Memory(
            step=step_at(times, node.second),
            kind=node.kind,
            subject=node.subject,
            text=node.text,
            gist=node.gist,
            # The program asks for no score for such events, and leaves them out of prompts.
            idle=node.kind == "event" and "is idle" in node.text,
            evidence=node.evidence,
            talk=node.talk,
        )
        for node in nodes
    )


def sightings(
    name: str, doings: Sequence[Doing], nodes: Sequence[Node], times: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """Find at which steps the clock stood ahead of a steady one, and by how many steps.

    An agent perceives what it does itself one step after it began. So the memory of its own new
    action tells the time of that step.

    Parameters
    ----------
    times : float64 (n_steps + 1,)
        A steady clock.

    Returns
    -------
    list of (step, steps ahead)
    """
    seconds = float(times[1] - times[0])
    seen: dict[str, list[int]] = {}
    for node in nodes:
        if node.kind == "event" and node.subject == name:
            seen.setdefault(node.text, []).append(round((node.second - times[0]) / seconds))
    found = []
    for doing in doings:
        first = doing.step + 1
        later = [
            t for t in seen.get(f"{name} is {doing.detail or doing.activity}", ()) if t >= first
        ]
        if later:
            found.append((doing.step, min(later) - first))
    return found
