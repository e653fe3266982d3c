"""Which LLM calls a recorded town must have made: inferred, for the recording holds none.

The rules are those of `docs/importing.md`, in the order in which an agent goes through its step:
perceive, plan the day, plan the next action, meet somebody, reflect. What passes for proof is
named in the basis of each call: a saved memory, a saved conversation, or the rule alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from headway.importers import prompts
from headway.importers.meetings import Meetings
from headway.importers.remembered import Remembered
from headway.trace.model import Calls

if TYPE_CHECKING:
    from headway.importers.prompts import Prompt
    from headway.importers.recording import Doing, Memory, Recording

DAY = 86_400
HOUR = 3_600

#: What a trace with inferred calls says about itself.
NOTES = (
    "LLM calls are inferred from actions, conversations and memories, not recorded; token counts "
    "are estimates",
    "not in the calls: retries and failed parses, embedding requests, repeats of an identical "
    "action, calls of changed prompts or pipelines",
)

#: After a conversation each agent has two thoughts: which function, and what is saved before it.
THOUGHTS_ON_TALK = (
    ("planning_thought_on_convo", prompts.PLANNING_PREFIX),
    ("memo_on_convo", prompts.MEMO_PREFIX),
)
#: An agent that does anything before this hour is still up from the evening before.
EARLIEST_WAKING_HOUR = 3
#: Taken where a day is recorded without anybody getting up.
USUAL_WAKING_HOUR = 7
#: An hour's tasks are worked out this long before they begin.
TASKS_AHEAD = 3_600


@dataclass
class CallColumns:
    """Calls in the order in which they are made, column by column."""

    step: list[int] = field(default_factory=list)
    agent: list[int] = field(default_factory=list)
    function: list[str] = field(default_factory=list)
    prompt_tokens: list[int] = field(default_factory=list)
    output_tokens: list[int] = field(default_factory=list)
    partner: list[int] = field(default_factory=list)
    basis: list[str] = field(default_factory=list)

    def calls(self) -> Calls:
        """Return them as a table."""
        return Calls.from_columns(
            step=self.step,
            agent=self.agent,
            function=self.function,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            partner=self.partner,
            basis=self.basis,
        )


@dataclass
class Chain:
    """The calls of one agent in one step, one made after the other."""

    columns: CallColumns
    step: int
    agent: int
    portrait: int

    def call(
        self,
        function: str,
        *,
        text: float = 0.0,
        answer: float = 0.0,
        partner: int = -1,
        basis: str = "inferred",
        prompt: Prompt | None = None,
        portrait: int | None = None,
    ) -> None:
        """Append a call; `text` and `answer` are tokens beyond the function's usual ones."""
        size = prompt or prompts.PROMPTS[function]
        own = self.portrait if portrait is None else portrait
        c = self.columns
        c.step.append(self.step)
        c.agent.append(self.agent)
        c.function.append(function)
        c.prompt_tokens.append(max(1, round(size.fixed + own * size.portrait + text)))
        c.output_tokens.append(max(1, round(size.answer + answer)))
        c.partner.append(partner)
        c.basis.append(basis)


def infer_calls(recording: Recording) -> Calls:
    """Infer the calls of all agents.

    Parameters
    ----------
    recording : Recording
        With memories; without them no call is inferred.

    Returns
    -------
    Calls
        Sorted by (step, agent); the basis of each is `memory-node`, `chat-text` or `inferred`.
    """
    columns = CallColumns()
    if recording.memories is not None:
        meetings = Meetings(recording)
        remembered = tuple(Remembered(m) for m in recording.memories)
        for agent in range(len(recording.names)):
            _agent_calls(recording, agent, meetings, remembered, columns)
    return columns.calls()


def _agent_calls(
    recording: Recording,
    agent: int,
    meetings: Meetings,
    remembered: tuple[Remembered, ...],
    columns: CallColumns,
) -> None:
    """Append the calls of one agent, step by step."""
    doings = recording.doings[agent]
    actions = {d.step: d for d in doings if d.is_action and d.activity}
    made: dict[int, list[Memory]] = defaultdict(list)
    for memory in remembered[agent].memories:
        if memory.step >= 0:
            made[memory.step].append(memory)
    waking = waking_hours(recording, agent)
    tasks = task_steps(recording, doings)
    talks = meetings.talks_begun_by(agent)
    reflected = -1
    steps = {*actions, *made, *waking, *tasks, *talks}
    for step in sorted(s for s in steps if s < recording.n_steps):
        chain = Chain(columns, step, agent, recording.portrait_tokens[agent])
        here = made.get(step, [])
        _perceive(chain, here)
        if step in waking:
            _plan_day(chain, waking[step], first=step == 0)
        for _ in range(tasks.get(step, 0)):
            chain.call("task_decomp")
        if step in actions:
            _plan_action(chain, actions[step])
        if step in talks:
            _converse(chain, *talks[step], recording, remembered)
        else:
            _decide(chain, meetings, here)
        # A thought without evidence at the start of a day is its plan, or was given beforehand.
        thoughts = [m for m in here if m.kind == "thought" and (m.evidence or step not in waking)]
        if any(not m.about_talk for m in thoughts):
            _reflect(chain, remembered[agent], since=reflected)
            reflected = step
        _think(chain, thoughts)


def waking_hours(recording: Recording, agent: int) -> dict[int, int]:
    """Return the first step of each day, and the hour at which the agent gets up that day."""
    times = recording.times[:-1]
    hours: dict[int, int] = {}
    for day in sorted({int(t) // DAY for t in times}):
        first, end = (int(t) for t in times.searchsorted([day * DAY, (day + 1) * DAY]))
        up = (
            int(times[d.step]) % DAY // HOUR
            for d in recording.doings[agent]
            if first <= d.step < end and d.is_action and "sleep" not in d.activity
        )
        hours[first] = next((h for h in up if h >= EARLIEST_WAKING_HOUR), USUAL_WAKING_HOUR)
    return hours


def task_steps(recording: Recording, doings: tuple[Doing, ...]) -> dict[int, int]:
    """Return the steps in which an agent splits coming hours into tasks, and how many of them.

    An hour that was split shows details. It is split at the first new action within an hour
    before it begins.
    """
    times = recording.times
    actions = [d for d in doings if d.is_action and d.activity]
    began = [float(times[d.step]) for d in actions]
    steps: dict[int, int] = defaultdict(int)
    for _, run in groupby(actions, key=lambda d: d.activity):
        hour = list(run)
        if any(d.detail for d in hour):
            at = bisect_left(began, float(times[hour[0].step]) - TASKS_AHEAD)
            steps[actions[at].step] += 1
    return steps


def _perceive(chain: Chain, made: list[Memory]) -> None:
    """Score what was newly perceived, and the conversation that goes on."""
    for memory in made:
        if memory.kind in {"event", "chat"} and not memory.idle:
            chain.call(
                f"{memory.kind}_poignancy",
                text=prompts.tokens_in(memory.text),
                basis="memory-node",
            )


def _plan_day(chain: Chain, waking_hour: int, *, first: bool) -> None:
    """Get up: plan the day, or from the second day on revise who one is, then hour by hour."""
    chain.call("wake_up_hour")
    if first:
        chain.call("daily_plan")
    else:
        for prompt in prompts.REVISE_IDENTITY:
            chain.call("revise_identity", prompt=prompt)
    for hour in range(24 - waking_hour):
        planned = prompts.TOKENS_PER_PLANNED_HOUR * (waking_hour + hour)
        chain.call("hourly_schedule", text=planned)


def _plan_action(chain: Chain, action: Doing) -> None:
    """Work out a new action: its place from large to small, its emoji, and what it does there."""
    text = prompts.tokens_in(action.text)
    chain.call("action_sector", text=text)
    chain.call("action_arena", text=text)
    chain.call("action_game_object", text=text)
    chain.call("pronunciatio", text=text)
    chain.call("event_triple", text=text)
    chain.call("act_obj_desc", text=2 * text)
    chain.call(
        "pronunciatio", text=prompts.OBJECT_PRONUNCIATIO - prompts.PROMPTS["pronunciatio"].fixed
    )
    chain.call("act_obj_event_triple")


def _decide(chain: Chain, meetings: Meetings, made: list[Memory]) -> None:
    """Decide about the first agent newly noticed: talk (no, it turns out), then react."""
    other = meetings.noticed(chain.agent, made)
    if other >= 0 and meetings.may_talk(chain.step, chain.agent, other):
        chain.call("decide_to_talk", partner=other)
        if meetings.may_react(chain.step, chain.agent, other):
            chain.call("decide_to_react", partner=other)


def _converse(
    chain: Chain,
    other: int,
    doing: Doing,
    recording: Recording,
    remembered: tuple[Remembered, ...],
) -> None:
    """Hold a whole conversation within one step of the agent that began it."""
    chain.call("decide_to_talk", partner=other)
    said = 0.0
    for turn, (name, words) in enumerate(doing.talk):
        speaker = chain.agent if name == recording.names[chain.agent] else other
        mind, portrait = remembered[speaker], recording.portrait_tokens[speaker]
        listed = mind.listed(prompts.MEMORIES_IN_RELATIONSHIP, before=chain.step)
        chain.call("summarize_relationship", text=listed, partner=other, basis="chat-text")
        most = prompts.MEMORIES_IN_LATER_WORDS if turn else prompts.MEMORIES_IN_FIRST_WORDS
        chain.call(
            "iterative_convo",
            text=mind.listed(most, before=chain.step) + said,
            answer=prompts.tokens_in(words),
            partner=other,
            basis="chat-text",
            portrait=portrait,
        )
        said += prompts.tokens_in_talk(((name, words),))
    chain.call(
        "summarize_conversation",
        text=said,
        answer=prompts.tokens_in(doing.activity),
        partner=other,
        basis="chat-text",
    )
    # The rest of the day of both is planned anew, within the same step.
    for _ in range(2):
        chain.call("new_decomp_schedule", partner=other, basis="chat-text")


def _reflect(chain: Chain, mind: Remembered, *, since: int) -> None:
    """Look back on what was perceived since the last time, for insights into three questions."""
    perceived = mind.events(after=since, until=chain.step)
    chain.call("focal_pt", text=perceived, basis="memory-node")
    listed = mind.listed(prompts.MEMORIES_IN_INSIGHT, before=chain.step + 1)
    for _ in range(3):
        chain.call("insight_and_guidance", text=listed, basis="memory-node")


def _think(chain: Chain, thoughts: list[Memory]) -> None:
    """Keep insights, then thoughts about a conversation that has ended: what to plan, a memo."""
    about_talk = 0
    for thought in sorted(thoughts, key=lambda m: m.about_talk):
        text = prompts.tokens_in(thought.text)
        if thought.about_talk:
            function, prefix = THOUGHTS_ON_TALK[about_talk % 2]
            chain.call(
                function,
                text=prompts.tokens_in_talk(thought.talk),
                answer=text - prefix,
                basis="memory-node",
            )
            about_talk += 1
        chain.call("event_triple", text=text, basis="memory-node")
        chain.call("thought_poignancy", text=text, basis="memory-node")
