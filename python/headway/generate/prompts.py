"""The prompt functions of a villager: how long their prompts and answers are, how they combine.

Names, means and spreads are those of the recorded 10-agent runs of the same town; prompts and
answers are then stretched by one factor each (`PROMPT_STRETCH`, `OUTPUT_STRETCH`), so that the
mean over all calls meets the published one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

#: Bring the means over all calls to the published 642.6 and 21.9 tokens.
PROMPT_STRETCH, OUTPUT_STRETCH = 1.236, 1.189
#: Spread of an answer's length around its mean, as a share of the mean.
OUTPUT_SPREAD = 0.2


class Lengths(NamedTuple):
    """Tokens of one prompt function.

    Attributes
    ----------
    prompt, spread : float
        Mean and standard deviation of the prompt.
    growth : float
        Tokens by which the prompt grows with each repetition inside one chain.
    output : float
        Mean of the answer.
    """

    prompt: float
    spread: float
    growth: float
    output: float


#: Sorted by name: the index of a function is its code in every generated trace.
LENGTHS: dict[str, Lengths] = {
    "act_obj_desc": Lengths(132, 40, 0, 8),
    "act_obj_event_triple": Lengths(180, 4, 0, 5),
    "action_arena": Lengths(289, 21, 0, 6),
    "action_game_object": Lengths(240, 21, 0, 2),
    "action_sector": Lengths(517, 21, 0, 6),
    "chat_poignancy": Lengths(498, 55, 0, 6),
    "daily_plan": Lengths(415, 45, 0, 156),
    "decide_to_react": Lengths(681, 30, 0, 20),
    "decide_to_talk": Lengths(200, 12, 0, 20),
    "event_poignancy": Lengths(471, 56, 0, 6),
    "event_triple": Lengths(196, 20, 0, 5),
    "focal_pt": Lengths(870, 400, 0, 37),
    "hourly_schedule": Lengths(1070, 50, 34, 10),
    "insight_and_guidance": Lengths(840, 200, 0, 112),
    "iterative_convo": Lengths(1560, 300, 58, 52),
    "memo_on_convo": Lengths(685, 140, 0, 25),
    "new_decomp_schedule": Lengths(591, 30, 0, 259),
    "planning_thought_on_convo": Lengths(636, 140, 0, 35),
    "pronunciatio": Lengths(83, 16, 0, 9),
    "revise_identity": Lengths(762, 250, 0, 122),
    "summarize_conversation": Lengths(673, 145, 0, 57),
    "summarize_relationship": Lengths(1380, 330, 0, 54),
    "task_decomp": Lengths(921, 30, 0, 218),
    "thought_poignancy": Lengths(464, 50, 0, 6),
    "wake_up_hour": Lengths(344, 45, 0, 2),
}
FUNCTIONS: tuple[str, ...] = tuple(LENGTHS)

#: A chain is made of pieces in this order, each repeated as often as the chain asks for.
PIECES: dict[str, tuple[str, ...]] = {
    "wake up": ("wake_up_hour",),
    "plan day": ("daily_plan",),
    "revise": ("revise_identity",),
    "schedule": ("hourly_schedule",),
    "perceive": ("event_poignancy",),
    "perceive chat": ("chat_poignancy",),
    "decompose": ("task_decomp",),
    "act": (
        "action_sector",
        "action_arena",
        "action_game_object",
        "pronunciatio",
        "event_triple",
        "act_obj_desc",
        "pronunciatio",
        "act_obj_event_triple",
    ),
    "decide to talk": ("decide_to_talk",),
    "decide to react": ("decide_to_react",),
    "utter": ("summarize_relationship", "iterative_convo"),
    "sum up": ("summarize_conversation",),
    "reschedule": ("new_decomp_schedule",),
    "look back": (
        "planning_thought_on_convo",
        "event_triple",
        "thought_poignancy",
        "memo_on_convo",
        "event_triple",
        "thought_poignancy",
    ),
    "focus": ("focal_pt",),
    "insight": ("insight_and_guidance",),
    "think": ("event_triple", "thought_poignancy"),
}
PIECE_CODE: dict[str, int] = {name: code for code, name in enumerate(PIECES)}
#: Calls in each piece; where each piece starts in the row of all their functions; that row.
PIECE_CALLS = np.array([len(functions) for functions in PIECES.values()], np.int64)
PIECE_BEGINS = np.cumsum(PIECE_CALLS) - PIECE_CALLS
PIECE_FUNCTIONS = np.array(
    [FUNCTIONS.index(f) for functions in PIECES.values() for f in functions], np.int16
)


def draw_tokens(
    function: NDArray[np.int16], repetition: NDArray[np.int64], rng: Generator
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Draw the tokens of prompts and answers; `repetition` counts repeats inside a chain."""
    table = np.array(list(LENGTHS.values()), np.float32)
    prompt, spread, growth, output = (table[:, i] for i in range(4))
    normal = np.clip(rng.standard_normal((2, len(function)), np.float32), -2.5, 2.5)
    prompts = prompt[function] + spread[function] * normal[0]
    prompts += growth[function] * repetition.astype(np.float32)
    answers = output[function] * (1 + np.float32(OUTPUT_SPREAD) * normal[1])
    return (
        np.maximum(np.rint(prompts * np.float32(PROMPT_STRETCH)), 20).astype(np.int32),
        np.maximum(np.rint(answers * np.float32(OUTPUT_STRETCH)), 1).astype(np.int32),
    )
