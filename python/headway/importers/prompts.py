"""How long the program's prompts and answers are: fixed sizes, and tokens of texts.

Sizes are in tokens of a vocabulary of 131 thousand words. They were fitted to published recordings
of single calls (a set of 2,307 prompts of five functions, a raw log of some 1,000 calls, an
evaluation set of about 20 calls a function) and to an earlier, tokenizer-exact inference for three
towns of 3, 10 and 25 agents; `docs/importing.md` tells how well they hold.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headway.importers.recording import Transcript


class Prompt(NamedTuple):
    """Sizes of one prompt function.

    `fixed` tokens of template and unvarying parts; `portrait`: whether the agent's description of
    itself comes on top; `answer` tokens of a usual answer.
    """

    fixed: int
    portrait: bool
    answer: int
    source: str


#: Texts that vary (an action, a memory, a conversation) are added by whoever makes the call.
PROMPTS: dict[str, Prompt] = {
    # A new day.
    "wake_up_hour": Prompt(10, True, 2, "template of 10; raw log, 23 calls: 194 in, 3 out"),
    "daily_plan": Prompt(82, True, 156, "template of 67; raw log, 49 calls: 266 in, 159 out"),
    "hourly_schedule": Prompt(551, True, 10, "grows by 34 an hour; evaluation set: 581 in, 8 out"),
    # A new action: eight calls in a chain.
    "action_sector": Prompt(495, False, 6, "set of prompts, 247 calls: 520 in; raw log: 7 out"),
    "action_arena": Prompt(267, False, 6, "set of prompts, 247 calls: 271 in; raw log: 6 out"),
    "action_game_object": Prompt(218, False, 1, "raw log, 15 calls: 226 in, 1 out"),
    "pronunciatio": Prompt(68, False, 9, "raw log, 20 calls: 76 in, 10 out"),
    "event_triple": Prompt(175, False, 5, "template of 174; raw log, 48 calls: 179 in, 4 out"),
    "act_obj_desc": Prompt(87, False, 8, "template of 63; raw log, 27 calls: 104 in, 7 out"),
    "act_obj_event_triple": Prompt(180, False, 5, "the template of event_triple"),
    "task_decomp": Prompt(921, False, 218, "raw log, 37 calls: median 921 in; 230 out"),
    # Perceiving and reflecting.
    "event_poignancy": Prompt(106, True, 6, "template of 84; evaluation set: 282 in, 6 out"),
    "chat_poignancy": Prompt(110, True, 6, "template of 85; evaluation set: 299 in, 6 out"),
    "thought_poignancy": Prompt(107, True, 6, "the template of event_poignancy"),
    "focal_pt": Prompt(98, False, 37, "template of 27, and the events; evaluation set: 37 out"),
    "insight_and_guidance": Prompt(113, False, 112, "template of 35; evaluation set: 113 out"),
    # Meeting others.
    "decide_to_talk": Prompt(200, False, 20, "template of 90; most answers are cut at 20"),
    "decide_to_react": Prompt(681, False, 20, "template of 511; answers are cut at 20"),
    "summarize_relationship": Prompt(109, False, 54, "template of 29; evaluation set: 54 out"),
    "iterative_convo": Prompt(266, True, 15, "template of 123; the answer wraps the words said"),
    "summarize_conversation": Prompt(62, False, 2, "template of 19; the answer is the summary"),
    "new_decomp_schedule": Prompt(591, False, 259, "evaluation set, 10 calls: 606 in, 259 out"),
    "planning_thought_on_convo": Prompt(26, False, 1, "template of 32; the answer is the thought"),
    "memo_on_convo": Prompt(75, False, 1, "template of 31; the answer is the thought"),
}

#: The four calls in which an agent revises who it is, from the second day on: (fixed part, whether
#: the portrait is added, answer). The first two read many memories and always fill their limit.
REVISE_IDENTITY = (
    Prompt(1000, False, 120, "retrieved memories, cut at 1000"),
    Prompt(1000, False, 120, "retrieved memories, cut at 1000"),
    Prompt(325, True, 150, "portrait, and the two answers before"),
    Prompt(55, True, 100, "portrait"),
)

#: Each hour that is already planned lengthens the prompt for the next one.
TOKENS_PER_PLANNED_HOUR = 34
#: The prompt that asks for the emoji of an object holds little more than the template.
OBJECT_PRONUNCIATIO = 75

#: Thoughts about a conversation are saved with words before them that are not the model's.
PLANNING_PREFIX = 10
MEMO_PREFIX = 5

#: Memories a prompt lists at most.
MEMORIES_IN_INSIGHT = 30
MEMORIES_IN_RELATIONSHIP = 50
MEMORIES_IN_FIRST_WORDS = 30
MEMORIES_IN_LATER_WORDS = 45
#: The mean length of a listed memory is that of the newest ones.
MEMORIES_IN_MEAN = 400

#: Words, digits and signs become tokens at this rate.
TOKENS_PER_PIECE = 1.04
PIECE = re.compile(r"[A-Za-z]+|\d|[^\sA-Za-z\d]")

#: Labels and sentences around the facts of a portrait, and its names repeated.
PORTRAIT_FIXED = 64
#: Portraits hold more rare words than other texts.
TOKENS_PER_PORTRAIT_PIECE = 1.083
#: Where an agent's settings were not saved: the mean of 38 agents.
PORTRAIT_UNKNOWN = 220


def tokens_in(text: str) -> float:
    """Estimate the tokens of a text: one for each word, digit and sign, and a little more."""
    return TOKENS_PER_PIECE * len(PIECE.findall(text))


def tokens_in_talk(talk: Transcript) -> float:
    """Estimate the tokens of a conversation written out as `name: "words"` lines."""
    return sum(tokens_in(name) + tokens_in(words) + 1 for name, words in talk)


def tokens_in_portrait(facts: Iterable[object]) -> int:
    """Estimate the tokens of an agent's description of itself from the facts it lists."""
    pieces = sum(len(PIECE.findall(str(fact))) for fact in facts)
    return round(PORTRAIT_FIXED + TOKENS_PER_PORTRAIT_PIECE * pieces)
