"""LLM calls of a step: what is asked, asked again, answered too late, and what goes wrong."""

from __future__ import annotations

import asyncio

import pytest
from test_small_agents import line, run, run_cleanly

from headway.engines.base import Answer, Engine, Message
from headway.engines.scripted import ScriptedEngine
from headway.errors import (
    AnswerError,
    EngineUnavailableError,
    OptionError,
    PromptTooLongError,
    StepFailedError,
    ViewClosedError,
)
from headway.live import Action, OnError

AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


class Asked(Engine):
    """Keeps every request; answers by a function, at once or after some turns of the loop."""

    name = "asked"

    def __init__(self, answer=lambda request: "well", turns=1):
        self.answer, self.turns = answer, turns
        self.requests, self.started, self.closed = [], 0, 0

    async def start(self):
        self.started += 1

    async def complete(self, request):
        self.requests.append(request)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        answer = self.answer(request)
        if isinstance(answer, BaseException):
            raise answer
        return Answer(answer, 3, 2) if isinstance(answer, str) else answer

    async def close(self):
        self.closed += 1


def asks(**options):
    async def step(agent, view):
        answer = await view.llm.chat("How old are you?", **options)
        return Action(state=[answer.text, answer.value])

    return step


def test_a_request_says_whose_it_is_and_what_it_is_for():
    async def step(agent, view):
        await view.llm.chat([("system", "You are old."), ("user", "Hi")], label="talk", stop="\n")
        await asyncio.gather(view.llm.chat("one"), view.llm.chat("two"))

    engine = Asked()
    run(line(step), 2, engine=engine)
    assert [(r.agent, r.step, r.call, r.attempt, r.priority) for r in engine.requests] == [
        ("a0", step, call, 0, step) for step in range(2) for call in range(3)
    ]
    first = engine.requests[0]
    assert first.messages == (Message("system", "You are old."), Message("user", "Hi"))
    assert (first.label, first.stop, first.max_tokens) == ("talk", ("\n",), 256)
    assert len({request.seed for request in engine.requests}) == 6
    assert str(first) == "call 0 (talk) of a0 in step 0"


def test_what_is_sampled_is_keyed_by_the_seed_of_the_run_the_agent_and_the_step():
    def seeds(seed):
        async def step(agent, view):
            await view.llm.chat("the same to all")

        engine = Asked()
        run(line(step, step, seed=seed), 2, engine=engine)
        return {request.seed for request in engine.requests}

    assert seeds(1) == seeds(1)
    assert len(seeds(1) | seeds(2)) == 8


def test_calls_of_a_step_that_ask_the_very_same_are_sampled_apart_and_alike_in_every_run():
    async def step(agent, view):
        await asyncio.gather(view.llm.chat("dice"), view.llm.chat("dice"))
        await view.llm.chat("dice")

    def seeds():
        engine = Asked()
        run(line(step), 1, engine=engine)
        return [request.seed for request in engine.requests]

    assert len(set(seeds())) == 3
    assert seeds() == seeds()


@pytest.mark.parametrize("options", [{}, {"choices": ["well", "ill"]}])
def test_how_much_was_cached_is_counted_and_not_told_to_the_agent(options):
    """It depends on who was faster."""

    async def step(agent, view):
        answer = await view.llm.chat("How are you?", **options)
        return Action(state=[answer.text, answer.cached_tokens])

    engine = Asked(lambda request: Answer("well", 5, 1, cached_tokens=3))
    outcome = run(line(step), 1, engine=engine)
    assert outcome.final["agents"]["a0"]["state"] == ["well", None]
    assert outcome.cached_tokens == 3


def test_prompts_come_in_several_forms():
    same = (Message("user", "Hi"),)
    for prompt in ("Hi", [("user", "Hi")], [["user", "Hi"]], [{"role": "user", "content": "Hi"}],
                   same):  # fmt: skip
        engine = Asked()
        run(line(lambda a, view, p=prompt: view.llm.chat(p)), 1, engine=engine, on_error="skip")
        assert engine.requests[0].messages == same


WRONG = {
    "empty": ("", {}),
    "no messages": ([], {}),
    "empty messages": ([("user", "")], {}),
    "an unknown role": ([("narrator", "Once")], {}),
    "content that is not text": ([("user", 7)], {}),
    "a message of three": ([("user", "a", "b")], {}),
    "a message that is a word": (["Hi"], {}),
    "no tokens": ("Hi", {"max_tokens": 0}),
    "half a token": ("Hi", {"max_tokens": 1.5}),
    "a negative temperature": ("Hi", {"temperature": -1}),
    "a temperature that is no number": ("Hi", {"temperature": float("nan")}),
    "negative repeats": ("Hi", {"repeats": -1}),
    "too many repeats": ("Hi", {"repeats": 100}),
    "a schema and choices": ("Hi", {"schema": AGE, "choices": ["a"]}),
}
RAW = {
    "nothing": (None, {}),
    "a number": (7, {}),
    "a temperature in words": ("Hi", {"temperature": "warm"}),
    "repeats in words": ("Hi", {"repeats": "three"}),
    "choices in one text": ("Hi", {"choices": "yes or no"}),
    "choices that are not text": ("Hi", {"choices": [1, 2]}),
    "a number as the stop": ("Hi", {"stop": 7}),
}


def refuses(prompt, options):
    engine = Asked()
    with pytest.raises(StepFailedError) as told:
        run(line(lambda a, view: view.llm.chat(prompt, **options)), 1, engine=engine)
    assert isinstance(told.value.__cause__, OptionError)
    assert not engine.requests


@pytest.mark.parametrize("what", WRONG)
def test_a_call_that_makes_no_sense_is_refused_before_it_is_made(what):
    refuses(*WRONG[what])


@pytest.mark.parametrize("what", RAW)
def test_a_call_of_wrong_types_is_refused_before_it_is_made(what):
    refuses(*RAW[what])


# Answers that are not what was asked for.


@pytest.mark.parametrize("options", [{"schema": AGE}, {"choices": ["old", "young"]}])
def test_an_answer_that_cannot_be_used_is_asked_for_again_with_another_seed(options):
    good = '{"age": 7}' if "schema" in options else "old"
    engine = Asked(lambda request: good if request.attempt == 2 else "garbage")
    outcome = run(line(asks(**options)), 1, engine=engine)
    assert outcome.final["agents"]["a0"]["state"][1] in ({"age": 7}, "old")
    assert [request.attempt for request in engine.requests] == [0, 1, 2]
    assert len({request.seed for request in engine.requests}) == 3
    assert (outcome.calls, outcome.answers_repeated, outcome.answers_repaired) == (3, 2, 0)
    assert (outcome.prompt_tokens, outcome.output_tokens) == (9, 6)


@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_an_answer_that_never_can_be_used_fails_the_step_with_the_last_one(repeats):
    engine = Asked(lambda request: f"garbage {request.attempt}")
    with pytest.raises(
        StepFailedError, match=f"no usable answer in {repeats + 1} attempts"
    ) as told:
        run(line(asks(schema=AGE, repeats=repeats)), 1, engine=engine)
    error = told.value.__cause__
    assert isinstance(error, AnswerError)
    assert (error.text, error.attempts) == (f"garbage {repeats}", repeats + 1)
    assert len(engine.requests) == repeats + 1


def test_only_answers_that_were_asked_for_again_count_as_repeated():
    engine = Asked(lambda request: "garbage")
    outcome = run(line(asks(schema=AGE, repeats=3)), 1, engine=engine, on_error="skip")
    assert outcome.answers_repeated == 3


def test_an_answer_that_can_be_mended_is_mended_and_counted():
    engine = Asked(lambda request: '```json\n{"age": 7}\n```')
    outcome = run(line(asks(schema=AGE)), 1, engine=engine)
    assert (outcome.answers_repaired, outcome.answers_repeated) == (1, 0)


def test_every_attempt_of_a_step_is_sampled_anew():
    engine = Asked()

    async def step(agent, view):
        await view.llm.chat("Hi")
        raise ValueError("no")

    run(line(step), 1, engine=engine, on_error=OnError("skip", attempts=3))
    assert [request.attempt for request in engine.requests] == [0, 100, 200]
    assert len({request.seed for request in engine.requests}) == 3


def test_an_agent_may_catch_the_failure_of_a_call():
    async def step(agent, view):
        try:
            await view.llm.chat("Hi", choices=["yes"], repeats=0)
        except AnswerError as error:
            return Action(state=error.text)

    outcome = run(line(step), 2, engine=Asked(lambda request: "garbage"))
    assert outcome.final["agents"]["a0"]["state"] == "garbage"
    assert outcome.failures == ()


# The result does not depend on which answer comes first.


def test_chains_of_calls_at_the_same_time_do_not_depend_on_which_answer_comes_first():
    async def step(agent, view):
        async def chain(first):
            text = (await view.llm.chat(first)).text
            return (await view.llm.chat(f"{first} {text}")).text

        return Action(state=await asyncio.gather(chain("left"), chain("right")))

    def result(slow):
        engine = ScriptedEngine(latency=lambda request: 2 if slow in str(request.messages) else 1)
        return run(line(step), 1, engine=engine).final

    assert result("left") == result("right")


# Calls that outlive their step.


def test_a_call_made_when_its_step_has_ended_is_refused():
    late = []

    async def call(llm):
        await asyncio.sleep(0)
        try:
            await llm.chat("late")
        except ViewClosedError as error:
            late.append(str(error))

    tasks = []

    def step(agent, view):
        tasks.append(asyncio.ensure_future(call(view.llm)))

    engine = Asked()

    async def other(agent, view):
        for _ in range(5):
            await asyncio.sleep(0)

    run(line(step, other), 2, engine=engine)
    assert not engine.requests
    assert len(late) == 2
    assert "step 0 was read after" in late[0]


def test_an_answer_that_comes_after_its_step_changes_nothing():
    tasks, answers = [], []

    async def call(agent, llm):
        answers.append(await llm.chat("slow", schema=AGE))

    async def step(agent, view):
        tasks.append(asyncio.ensure_future(call(agent, view.llm)))
        await asyncio.sleep(0)
        return Action(state=view.step)

    async def other(agent, view):
        for _ in range(30):
            await asyncio.sleep(0)

    outcome = run(line(step, other), 2, engine=Asked(lambda request: "garbage", turns=8))
    assert outcome.final["agents"]["a0"] == {
        "clock": 2, "position": [0, 0], "state": 1, "said": None, "inbox": [],
    }  # fmt: skip
    assert answers == []
    assert [task.cancelled() for task in tasks] == [True] * 2


# Engines that fail.

ERRORS = {
    "gone": EngineUnavailableError("the server is down"),
    "too long": PromptTooLongError("900 tokens, the context has 512", tokens=900, limit=512),
    "a bug": ZeroDivisionError("division by zero"),
    "cancelled": asyncio.CancelledError(),
    "generator": GeneratorExit("strange"),
}


@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize("what", ERRORS)
def test_an_engine_that_fails_fails_the_step_that_asked(what, turns):
    error = ERRORS[what]
    engine = Asked(lambda request: error if request.step == 1 else "well", turns=turns)
    outcome = run_cleanly(line(asks()), 3, engine=engine, on_error="skip")
    assert [(f.step, f.error.partition(":")[0]) for f in outcome.failures] == [
        (1, type(error).__name__)
    ]
    assert outcome.calls == 2
    assert (engine.started, engine.closed) == (1, 1)


@pytest.mark.parametrize("answer", [None, 7, {"text": "hi"}])
def test_an_engine_that_answers_nonsense_is_named(answer):
    with pytest.raises(StepFailedError, match=r"engine|Answer"):
        run(line(asks()), 1, engine=Asked(lambda request: answer))


def test_an_engine_that_does_not_start_stops_the_run_and_is_closed():
    class Broken(Asked):
        async def start(self):
            raise EngineUnavailableError("no server")

    engine, simulation = Broken(), line(asks())
    with pytest.raises(EngineUnavailableError, match="no server"):
        run(simulation, 2, engine=engine)
    assert engine.closed == 1
    assert run(simulation, 2, engine=Asked()).finished


def test_an_engine_that_does_not_close_is_told_and_the_state_is_kept():
    class Broken(Asked):
        async def close(self):
            raise RuntimeError("cannot close")

    simulation = line(asks())
    with pytest.raises(RuntimeError, match="cannot close"):
        run(simulation, 2, engine=Broken())
    assert simulation.outcome().finished
    assert run(simulation, 3, engine=Asked()).agent_steps == 3


def test_an_engine_is_closed_once_whatever_happens():
    def fails(agent, view):
        raise ValueError("no")

    for does, error in ((asks(), None), (fails, StepFailedError)):
        engine = Asked()
        try:
            run(line(does), 2, engine=engine)
        except StepFailedError as told:
            assert error is type(told)
        assert (engine.started, engine.closed) == (1, 1)


def test_agents_without_questions_need_no_engine():
    class Never(Engine):
        name = "never"

    assert run(line(lambda a, v: None), 3, engine=Never()).calls == 0
    with pytest.raises(StepFailedError, match="NotImplementedError"):
        run(line(asks()), 1, engine=Never())


# Whoever watches.


def test_on_call_is_told_of_every_answered_call():
    told = []
    engine = Asked(lambda request: "old" if request.attempt else "garbage")
    outcome = run(
        line(asks(choices=["old"])), 2, engine=engine,
        on_call=lambda request, answer: told.append((request.step, request.attempt, answer.text)),
    )  # fmt: skip
    assert told == [(0, 0, "garbage"), (0, 1, "old"), (1, 0, "garbage"), (1, 1, "old")]
    assert outcome.calls == 4


def test_an_error_of_on_call_is_not_the_agents():
    def on_call(request, answer):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(line(asks()), 2, engine=Asked(), on_call=on_call, on_error="skip")
