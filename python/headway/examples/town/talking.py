"""Conversations: whose turn it is, when they end, and what passes as a line.

Nobody runs a conversation. Each of the two keeps a `Talk` of its own and decides by what it sees
and hears: words said in step t are heard in step t + 1, and the answer to them in t + 2. An agent's
public state tells whom it talks `with`, and what `about`; a goodbye is words after which one is
`with` nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from headway.examples.town.memory import words

if TYPE_CHECKING:
    from headway.live import Neighbour

#: How near one must stand to begin to talk. Well within sight, as the other may be walking on.
EARSHOT = 2

#: After so many steps without an answer one gives up; the answer to step t is heard in t + 2.
PATIENCE = 2

#: A talk has at least and at most so many lines.
SHORTEST, LONGEST = 4, 6


class Turn(Enum):
    """What somebody in a talk does next."""

    SPEAK = "speak"
    WAIT = "wait"
    END = "end"


@dataclass(frozen=True)
class Talk:
    """One's own view of a conversation.

    Attributes
    ----------
    partner : str
    lines : tuple of (speaker, text)
    topics : tuple of str
        What has been talked about.
    limit : int
        Say goodbye with the line of this number.
    spoke : int
        The step of one's own last line.
    """

    partner: str
    limit: int
    lines: tuple[tuple[str, str], ...] = ()
    topics: tuple[str, ...] = ()
    spoke: int = -1

    def with_line(self, speaker: str, text: str, topic: str | None) -> Talk:
        """Add a line, and what it has brought up."""
        topics = self.topics if topic is None else (*self.topics, topic)
        return replace(self, lines=(*self.lines, (speaker, text)), topics=topics)

    @property
    def is_last(self) -> bool:
        """Whether the next line is to be a goodbye."""
        return len(self.lines) + 1 >= self.limit


def words_to(name: str, other: Neighbour) -> str | None:
    """Return what somebody has just said to `name`."""
    said = other.said
    return said.text if said is not None and name in said.to else None


def wants_to_talk(name: str, other: Neighbour) -> bool:
    """Tell whether somebody has just begun, or goes on, to talk with `name`."""
    return words_to(name, other) is not None and other.state["with"] == name


def listen(talk: Talk, name: str, other: Neighbour | None, step: int) -> tuple[Talk, Turn]:
    """Hear what the other has said, and tell whose turn it is."""
    if other is None:
        return talk, Turn.END
    partner, text = other.state["with"], words_to(name, other)
    if text is not None:
        both_spoke = talk.spoke == step - 1
        talk = talk.with_line(other.name, text, other.state["about"])
        if partner != name:
            return talk, Turn.END  # that was a goodbye
        if both_spoke and other.name < name:
            return talk, Turn.WAIT  # both began at once: one of them has to go on
        return talk, Turn.SPEAK
    gone = partner not in {None, name} or (partner is None and len(talk.lines) > 1)
    if gone or step - talk.spoke >= PATIENCE:
        return talk, Turn.END
    return talk, Turn.WAIT


_LABEL = re.compile(r"^[A-Za-z .'-]{1,40}?(?: says| said| answers| replies)?\s*:\s*")
_STAGE = re.compile(r"\([^)]*\)|\*[^*]*\*|\[[^\]]*\]")
_QUOTES = re.compile(r"[\"“”«»`]|\s'|'\s|^'|'$")
_SENTENCE = re.compile(r"[^.!?]*[.!?]+")

#: What a small model says when it has forgotten that it is a person.
_FORGOTTEN = re.compile(r"rewrit|revis|rephras|sentence|paragraph|concise|language model|villager")

#: Longest line, in characters, and the least words it needs.
LINE_LIMIT, LEAST_WORDS = 140, 3

#: Whose words are so much those of what it answers to is an echo.
ECHO = 0.7


def clean(text: str, otherwise: str) -> str:
    """Return the first sentence of a model's text, plain; `otherwise` if there is none."""
    text = _STAGE.sub(" ", text.strip()).strip().split("\n", 1)[0]
    text = " ".join(_QUOTES.sub(" ", _LABEL.sub("", text)).split())
    sentence = _SENTENCE.match(text)
    if sentence is not None:
        text = sentence[0].strip()
        if len(text) > LINE_LIMIT:
            return otherwise
    elif text:
        # Cut off at the most tokens: leave out the last word, which may be half of one.
        text = text[:LINE_LIMIT].rsplit(" ", 1)[0].rstrip(" ,;:-") + "."
    if len(text.split()) < LEAST_WORDS or _FORGOTTEN.search(text.lower()):
        return otherwise
    return text[0].upper() + text[1:]


def reaction(text: str, talk: Talk, name: str, otherwise: str) -> str:
    """Return what a model has said in a talk as a reaction to its last line."""
    line = clean(text, otherwise)
    line = re.sub(rf"\b{name.partition(' ')[0]}\b", talk.partner.partition(" ")[0], line)
    said = words(line)
    for _, earlier in talk.lines[-3:]:
        heard = words(earlier)
        if said and sum(word in heard for word in said) >= ECHO * len(said):
            return otherwise
    return line
