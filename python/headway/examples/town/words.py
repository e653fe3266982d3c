"""All that is put into words: prompts, and what villagers say and are seen doing.

Written for small models: prompts are short, with what stays the same first, and nothing is asked
for but one sentence, one choice, or a small JSON object. A line of a talk is a reaction, which the
model writes, and then perhaps something new to talk about, which the villager chooses: so even a
weak model does not go in circles, and news travel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headway.examples.town.memory import Memory
    from headway.examples.town.people import Person
    from headway.examples.town.planning import Stop

TOWN = "Wrenfield"

Chat: TypeAlias = "list[tuple[str, str]]"

#: What one does with a thing, by its kind, and for how many steps.
USES = {
    "stove": ("cooking", 18), "oven": ("baking", 24), "bed": ("making the bed", 4),
    "table": ("sitting at a table", 24), "counter": ("working at the counter", 30),
    "desk": ("reading at a desk", 30), "notice board": ("reading the notice board", 6),
    "bench": ("resting on a bench", 24), "piano": ("playing the piano", 24),
    "stall": ("looking at a stall", 10), "well": ("drawing water", 6),
    "easel": ("painting", 30), "lathe": ("turning wood", 30), "anvil": ("forging", 30),
    "blackboard": ("writing on the blackboard", 8), "sickbed": ("making up a sickbed", 12),
    "swing": ("swinging", 10), "haystack": ("turning the hay", 18),
    "flower bed": ("tending the flowers", 18), "lectern": ("practising a speech", 18),
}  # fmt: skip

#: What only those use who live or work where it is.
OWN = ("stove", "oven", "bed", "counter", "blackboard", "sickbed", "anvil", "lathe", "haystack")

STROLLING = ("strolling", 12)

#: Said where the model has nothing to say.
STOCK = (
    "Is that so?", "I see what you mean.", "You don't say!", "Well, well.",
    "That is good to know.", "Who would have thought.",
)  # fmt: skip

#: How something new is brought up, at the beginning and later, and what is asked instead.
OPENINGS = ("I keep thinking about {}.", "Have you heard about {}?", "I have to tell you about {}.")
HOOKS = ("By the way, have you heard about {}?", "As for me, I keep thinking about {}.")
QUESTIONS = (
    "What will come of it?", "Who else knows about it?", "How did it all begin?",
    "What would you do about it?", "Are you sure?", "What does your family say?",
)  # fmt: skip

#: The choices of `meet_prompt`.
TALK, PASS_BY = "I stop and talk.", "I pass by."


def called(area: str) -> str:
    """Return an area as it is called in a sentence."""
    return area.rpartition(":")[2]


def first(name: str) -> str:
    """Return a first name."""
    return name.partition(" ")[0]


def chat(person: Person, text: str, *, wish: str = "Reply with one short sentence.") -> Chat:
    """Return a prompt to a villager."""
    return [
        (
            "system",
            f"You are {person.first_name}, a friendly {person.work} in the small town of {TOWN}. "
            f"You are {person.traits}. {wish}",
        ),
        ("user", text),
    ]


def recalled(memories: Sequence[Memory]) -> str:
    """Return memories as the beginning of a prompt."""
    return "".join(f"{memory.text} " for memory in memories)


def plan_prompt(person: Person, parts: Sequence[str], choices: Sequence[str]) -> Chat:
    """Ask where to spend the rest of the day."""
    return chat(
        person,
        f"You are somebody who {person.habits}. Where do you want to be today: "
        f"{', '.join(choices)}? Give one of them for {', '.join(parts)}.",
        wish="Answer in one line of JSON.",
    )


def meet_prompt(person: Person, other: str, doing: str, memories: Sequence[Memory]) -> Chat:
    """Ask whether to talk to somebody; the choices are `TALK` and `PASS_BY`."""
    relation = person.relations.get(other)
    who = f"your {relation} {first(other)}" if relation else first(other)
    return chat(
        person,
        f"{recalled(memories)}You see {who} {doing}. What do you do?",
    )


def react_prompt(person: Person, heard: str, topics: Sequence[str]) -> Chat:
    """Ask for a reaction to what somebody has said; the last topic may have come up before."""
    if topics and topics[-1] not in heard:
        heard = f"About {topics[-1]}: {heard}"
    return chat(person, heard)


def opinion_prompt(person: Person, partner: str, topics: Sequence[str]) -> Chat:
    """Ask what to make of a talk."""
    about = f"told you about {' and '.join(topics)}" if topics else "had a chat with you"
    return chat(person, f"{first(partner)} {about}. What do you think of that?")


def reflect_prompt(person: Person, memories: Sequence[Memory]) -> Chat:
    """Ask for a conclusion from what happened."""
    told = " ".join(memory.text for memory in memories)
    return chat(person, f"{told} What do you think of your day?")


def plan_told(plan: Sequence[Stop]) -> str:
    """Return a plan as a memory."""
    stops = [f"{called(stop.area)} from {int(stop.hour + 0.5)}" for stop in plan[1:]]
    return f"You plan your day: {', '.join(stops)}."
