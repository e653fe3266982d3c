"""The villager: what one step of a person in the town is.

Most steps call no model: walking, using a thing, waiting for an answer, sleeping. Those are plain
methods. A step that asks the model is a coroutine, and changes the villager's mind only after its
answers: a step that was broken off can be executed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from headway import Action, Agent
from headway.errors import AnswerError
from headway.examples.town import words
from headway.examples.town.memory import Memories, Memory, recall, remember
from headway.examples.town.planning import (
    CHOICES,
    Stop,
    day_schema,
    hour_of,
    parts_left,
    plan_day,
    stop_at,
)
from headway.examples.town.talking import (
    EARSHOT,
    LONGEST,
    SHORTEST,
    Talk,
    Turn,
    clean,
    listen,
    reaction,
    wants_to_talk,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from headway import View
    from headway.examples.town.atlas import Atlas, Thing
    from headway.examples.town.people import Person
    from headway.live import Neighbour

#: What a step returns.
Result: TypeAlias = "Action | Awaitable[Action | None] | None"

#: Importance of memories, 1 to 10, and how much of it together makes one reflect.
SEEN, SEEN_CLOSE, OVERHEARD, READ, USED, PLANNED, TOLD, INSIGHT = 1, 2, 2, 4, 1, 3, 6, 8
REFLECT_AT = 24

#: Steps before one notices the same person again, and thinks again of talking to them.
NOTICE_AGAIN, TALK_AGAIN = 60, 120

#: Steps one keeps to oneself after a talk.
REST = 12

#: Chance in one step to think of talking to somebody near, and of writing on a board one has read.
EAGERNESS, POSTING = 0.25, 0.5


@dataclass(frozen=True)
class Task:
    """What one is about to do at a stop of the plan: stand there, perhaps use a thing.

    `asked` tells whether one has asked for the thing, so that one may hold it; `until` is the step
    the task ends at, None before it has begun.
    """

    area: str
    tile: tuple[int, int]
    thing: Thing | None = None
    asked: bool = False
    until: int | None = None


@dataclass
class Mind:
    """All that changes in a villager. Its parts are immutable, or copied in `Villager.snapshot`."""

    asleep: bool = False
    plan: tuple[Stop, ...] = ()
    task: Task | None = None
    doing: str = ""
    talk: Talk | None = None
    talked: Talk | None = None  # ended, not yet thought over
    quiet_until: int = 0
    memories: Memories = ()
    weight: int = 0
    perceived: int = -1  # the last step
    near: tuple[str, ...] = ()
    noticed: dict[str, int] = field(default_factory=dict)
    considered: dict[str, int] = field(default_factory=dict)
    news: dict[str, str] = field(default_factory=dict)  # a topic, and who told it

    def remember(self, step: int, text: str, importance: int) -> None:
        """Add a memory."""
        self.memories = remember(self.memories, Memory(step, text, importance))
        self.weight += importance


class Villager(Agent):
    """A person of the town.

    Its public state is `{"doing": ..., "with": ..., "about": ...}`: what others see it do, whom it
    talks with, and what it has just brought up. Everything else it knows is its own.
    """

    def __init__(
        self, person: Person, atlas: Atlas, position: tuple[int, int], *, asleep: bool = False
    ) -> None:
        doing = "asleep" if asleep else "at work"
        super().__init__(person.name, position, state={"doing": doing, "with": None, "about": None})
        self.person = person
        self.atlas = atlas
        self.mind = Mind(asleep=asleep, doing=doing)

    def snapshot(self) -> Mind:
        """Return a copy of all that changes, so that steps can be taken back."""
        mind = self.mind
        return replace(
            mind,
            noticed=dict(mind.noticed),
            considered=dict(mind.considered),
            news=dict(mind.news),
        )

    def restore(self, snapshot: Mind) -> None:
        """Go back to a snapshot."""
        self.mind = replace(snapshot)
        self.mind = self.snapshot()

    def step(self, view: View) -> Result:
        """Live for ten seconds."""
        mind, person = self.mind, self.person
        hour = hour_of(view.time)
        if not person.wake <= hour < person.sleep:
            return None if mind.asleep else self._go_to_bed(view)
        if mind.asleep:
            mind.asleep, mind.plan = False, ()
        near = self._perceive(view)
        if mind.talk is not None:
            return self._talk_on(view, mind.talk, near)
        for other in near:
            if wants_to_talk(self.name, other):
                return self._take_up(view, other)
        return self._think(view, hour, near)

    def _think(self, view: View, hour: float, near: list[Neighbour]) -> Result:
        """Do what is next for somebody who is not in a talk."""
        mind = self.mind
        if not mind.plan:
            return self._plan(view, hour)
        if mind.talked is not None:
            return self._think_over(view, mind.talked)
        if mind.weight >= REFLECT_AT:
            return self._reflect(view)
        partner = self._somebody(view, near)
        if partner is not None:
            return self._consider(view, partner)
        return self._go_on(view)

    # What one perceives.

    def _perceive(self, view: View) -> list[Neighbour]:
        """Return who is in the same building, or the same street; remember who is new."""
        neighbours, mind, step = view.neighbours, self.mind, view.step
        if not neighbours:
            mind.near = ()
            return []
        building, space = view.areas[:1], view.space
        near = [other for other in neighbours if space.areas(other.position)[:1] == building]
        if mind.perceived == step:
            return near  # the step was broken off, and is executed again
        mind.perceived = step
        for other in near:
            last = mind.noticed.get(other.name, -NOTICE_AGAIN)
            if other.name not in mind.near and step - last >= NOTICE_AGAIN:
                where = f" at the {building[0]}" if building else ""
                close = other.name in self.person.relations
                text = f"You saw {other.name} {other.state['doing']}{where}."
                mind.remember(step, text, SEEN_CLOSE if close else SEEN)
            mind.noticed[other.name] = step
            said = other.said
            if said is not None and self.name not in said.to and other.distance <= EARSHOT:
                mind.remember(step, f"You overheard {other.name} say: {said.text}", OVERHEARD)
        mind.near = tuple(other.name for other in near)
        return near

    # Talking.

    def _somebody(self, view: View, near: list[Neighbour]) -> Neighbour | None:
        """Return somebody one might talk to now."""
        mind, step = self.mind, view.step
        if step < mind.quiet_until:
            return None
        for other in near:
            if (
                other.distance <= EARSHOT
                and other.state["with"] is None
                and other.state["doing"] != "asleep"
                and step - mind.considered.get(other.name, -TALK_AGAIN) >= TALK_AGAIN
                and view.random.random() < EAGERNESS
            ):
                return other
        return None

    async def _consider(self, view: View, other: Neighbour) -> Action | None:
        """Decide whether to talk to somebody, and if so, begin."""
        mind, name = self.mind, other.name
        memories = recall(mind.memories, name, view.step, 1)
        prompt = words.meet_prompt(self.person, name, other.state["doing"], memories)
        choices = (words.TALK, words.PASS_BY)
        try:
            answer = await view.llm.chat(prompt, choices=choices, max_tokens=24, label="decide")
            talks = answer.value == words.TALK
        except AnswerError:
            talks = False
        mind.considered[name] = view.step
        if not talks:
            return self._go_on(view)
        topic = view.random.choice(self._topics(name, ())[:2])
        line = f"Hello {words.first(name)}! {view.random.choice(words.OPENINGS).format(topic)}"
        talk = Talk(name, view.random.randint(SHORTEST, LONGEST))
        return self._say(view, talk, line, topic)

    def _take_up(self, view: View, other: Neighbour) -> Awaitable[Action]:
        """Answer somebody who has begun to talk."""
        limit = view.random.randint(SHORTEST, LONGEST)
        talk, _ = listen(Talk(other.name, limit), self.name, other, view.step)
        return self._answer(view, talk)

    def _talk_on(self, view: View, talk: Talk, near: list[Neighbour]) -> Result:
        """Listen, and answer if it is one's turn."""
        other = next((other for other in near if other.name == talk.partner), None)
        talk, turn = listen(talk, self.name, other, view.step)
        if turn is Turn.SPEAK:
            return self._answer(view, talk)
        self.mind.talk = talk
        if turn is Turn.WAIT:
            return None
        self._end(talk, view.step)
        return self._go_on(view)

    async def _answer(self, view: View, talk: Talk) -> Action:
        """Say the next line of a talk: a reaction, and something new, a question or a goodbye."""
        prompt = words.react_prompt(self.person, talk.lines[-1][1], talk.topics)
        answer = await view.llm.chat(
            prompt, max_tokens=28, temperature=0.5, stop="\n", label="talk"
        )
        chance = view.random
        line, topic = reaction(answer.text, talk, self.name, chance.choice(words.STOCK)), None
        if talk.is_last:
            return self._say(view, talk, f"{line} Goodbye, {words.first(talk.partner)}!", None)
        topics = self._topics(talk.partner, talk.topics)
        if topics and len(talk.lines) % 2:
            topic = topics[0]
            more = chance.choice(words.HOOKS).format(topic)
        else:
            asked = " ".join(text for _, text in talk.lines)
            more = chance.choice([each for each in words.QUESTIONS if each not in asked])
        return self._say(view, talk, f"{line} {more}", topic)

    def _topics(self, partner: str, before: tuple[str, ...]) -> list[str]:
        """Return what one could tell somebody: one's own, then news from others, latest first."""
        news = [topic for topic, source in self.mind.news.items() if source != partner]
        return [topic for topic in (self.person.mind, *reversed(news)) if topic not in before]

    def _say(self, view: View, talk: Talk, line: str, topic: str | None) -> Action:
        """Say a line; the last one ends the talk."""
        last = talk.is_last
        talk = replace(talk.with_line(self.name, line, topic), spoke=view.step)
        if last:
            self._end(talk, view.step)
        else:
            self.mind.talk = talk
        return Action(say=line, to=talk.partner, state=self._shown(topic))

    def _end(self, talk: Talk, step: int) -> None:
        """Leave a talk; there is something to think over if both have spoken."""
        mind = self.mind
        mind.talk = None
        mind.quiet_until = step + REST
        mind.considered[talk.partner] = step
        if any(speaker == talk.partner for speaker, _ in talk.lines):
            mind.talked = talk

    # Thinking.

    async def _plan(self, view: View, hour: float) -> Action | None:
        """Plan the rest of the day."""
        person, mind = self.person, self.mind
        parts = parts_left(hour)
        wishes: dict[str, str] = {}
        if parts:
            prompt = words.plan_prompt(person, parts, CHOICES)
            schema = day_schema(parts)
            try:
                answer = await view.llm.chat(prompt, schema=schema, max_tokens=80, label="plan")
                wishes = answer.value
            except AnswerError:
                pass  # the usual day then
        mind.plan = plan_day(person, wishes, view.random)
        mind.remember(view.step, words.plan_told(mind.plan), PLANNED)
        return self._go_on(view)

    async def _think_over(self, view: View, talk: Talk) -> Action | None:
        """Keep of a talk what was new, and what one thinks of it."""
        mind = self.mind
        known = {self.person.mind, *mind.news}
        topics = [topic for topic in talk.topics if topic not in known]
        prompt = words.opinion_prompt(self.person, talk.partner, topics)
        answer = await view.llm.chat(prompt, max_tokens=28, stop="\n", label="remember")
        what = f"told you about {' and '.join(topics)}" if topics else "had a chat with you"
        opinion = clean(answer.text, "")
        mind.remember(view.step, f"{talk.partner} {what}. {opinion}".strip(), TOLD)
        mind.news.update(dict.fromkeys(topics, talk.partner))
        mind.talked = None
        return self._go_on(view)

    async def _reflect(self, view: View) -> Action | None:
        """Draw a conclusion from what has happened lately."""
        mind = self.mind
        memories = recall(mind.memories, self.person.mind, view.step, 3)
        prompt = words.reflect_prompt(self.person, memories)
        answer = await view.llm.chat(prompt, max_tokens=32, stop="\n", label="reflect")
        mind.remember(view.step, clean(answer.text, "It is an ordinary day."), INSIGHT)
        mind.weight = 0
        return self._go_on(view)

    # Doing.

    def _shown(self, topic: str | None = None) -> dict[str, Any]:
        """Return the public state."""
        talk = self.mind.talk
        partner = None if talk is None else talk.partner
        return {"doing": self.mind.doing, "with": partner, "about": topic}

    def _go_to_bed(self, view: View) -> Action | None:
        """Walk home and fall asleep."""
        mind, home = self.mind, self.person.home
        if mind.talk is not None:
            self._end(mind.talk, view.step)
        mind.talked = None
        task, write = mind.task, self._let_go()
        if task is None or task.area != home or task.thing is None or task.thing.kind != "bed":
            bed = view.random.choice(self.atlas.beds(home))
            task = mind.task = Task(home, bed.tile, bed)
        if view.position == task.tile:
            mind.asleep, mind.task = True, None
            return self._act(view, None, write, "asleep")
        return self._act(view, view.toward(task.tile), write, "going home to bed")

    def _go_on(self, view: View) -> Action | None:
        """Do what the plan says."""
        mind, step = self.mind, view.step
        area = stop_at(mind.plan, hour_of(view.time)).area if mind.plan else self.person.workplace
        write: dict[str, Any] = {}
        task = mind.task
        if task is None or task.area != area or (task.until is not None and step >= task.until):
            write = self._let_go()
            task = mind.task = self._next_task(view, area)
        if view.position != task.tile:
            inside = self.atlas.space.area(area).contains(view.position)
            doing = words.STROLLING[0] if inside else f"walking to the {words.called(area)}"
            return self._act(view, view.toward(task.tile), write, doing)
        return self._use(view, task, write)

    def _next_task(self, view: View, area: str) -> Task:
        """Choose something to do in an area."""
        person, chance = self.person, view.random
        things = self.atlas.usable(area, own=area in {person.home, person.workplace})
        if things and chance.random() < 0.7:
            thing = chance.choice(things)
            return Task(area, thing.tile, thing)
        return Task(area, chance.choice(self.atlas.tiles(area)))

    def _use(self, view: View, task: Task, write: dict[str, Any]) -> Action | None:
        """Be where the task is, and do it."""
        mind, thing, step = self.mind, task.thing, view.step
        if task.until is not None or (thing is not None and thing.name in write):
            return self._act(view, None, write, mind.doing)  # goes on, or gives it back before
        doing, steps = words.USES[thing.kind] if thing is not None else words.STROLLING
        if thing is None or not thing.rule:
            mind.task = replace(task, until=step + steps)
        elif thing.rule == "claim":
            holder = view.place(thing.name).state
            if holder is None:
                # Others may ask in this very step; who got it is seen in the next one.
                mind.task = replace(task, asked=True)
                return self._act(view, None, {**write, thing.name: True}, mind.doing)
            if holder == self.name:
                mind.task = replace(task, asked=True, until=step + steps)
            else:
                mind.remember(step, f"{holder} was using the {thing.kind}.", USED)
                mind.task = Task(task.area, task.tile, until=step + words.STROLLING[1])
                doing = f"waiting for the {thing.kind}"
        else:
            mind.task = replace(task, until=step + steps)
            write = {**write, **self._read_and_write(view, thing)}
        return self._act(view, None, write, doing)

    def _read_and_write(self, view: View, thing: Thing) -> dict[str, Any]:
        """Remember what a notice board says, and perhaps put up something else."""
        mind = self.mind
        notice = view.place(thing.name).state
        if notice is not None and notice["by"] != self.name:
            text, by = notice["text"], notice["by"]
            mind.remember(view.step, f"{by} has written on the {thing.kind} about {text}.", READ)
            if text not in mind.news:
                mind.news[text] = by
        if view.random.random() < POSTING:
            return {thing.name: {"text": self.person.mind, "by": self.name}}
        return {}

    def _let_go(self) -> dict[str, Any]:
        """Give back what one holds, if one does."""
        task = self.mind.task
        if task is None or not task.asked or task.thing is None:
            return {}
        self.mind.task = replace(task, asked=False)
        return {task.thing.name: False}

    def _act(
        self, view: View, move: tuple[int, int] | None, write: dict[str, Any], doing: str
    ) -> Action | None:
        """Return the action, or None if nothing changes."""
        self.mind.doing = doing
        action = Action(move=move, write=write)
        shown = self._shown()
        if shown != view.state:
            action.state = shown
        elif move is None and not write:
            return None
        return action
