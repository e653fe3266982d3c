"""Running steps: to the end at once where they wait for nothing, in a task of their own otherwise.

An asyncio task for every step costs more than all the rest of the driver. So a coroutine is first
run up to where it waits; most steps have ended by then. One that waits is handed, as it stands, to
a *host*: a task from a pool, which carries on with it. Even the part before is run as if in that
task, so that `asyncio.timeout`, task groups and context variables work as they do in any task.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    #: Told of the end of a step that had to wait: agent, what it returned, or what it raised.
    Done = Callable[[int, Any, BaseException | None], None]

#: Seconds a cancelled step is given to end.
GRACE = 1.0


class _Job:
    """A coroutine that waits, and what it waits for."""

    __slots__ = ("awaited", "cancelled", "coroutine", "dead", "key")

    def __init__(
        self,
        key: int,
        coroutine: Coroutine[Any, Any, Any],
        awaited: Any,  # noqa: ANN401
    ) -> None:
        self.key = key
        self.coroutine = coroutine
        self.awaited = awaited
        self.cancelled = False
        self.dead = False

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, awaited = self.coroutine, self.awaited
        resume: Callable[[Any], Any]
        while True:
            try:
                sent = yield awaited
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                resume, value = coroutine.throw, error
            else:
                resume, value = coroutine.send, sent
            if self.dead:
                return None
            try:
                awaited = resume(value)
            except StopIteration as stop:
                return stop.value

    def kill(self) -> None:
        """End a coroutine that does not heed its cancellation."""
        self.dead = True
        with suppress(BaseException):
            self.coroutine.close()


class _Host:
    """A task that carries on with one job after the other."""

    __slots__ = ("_base", "_steps", "_work", "context", "job", "next", "task")

    def __init__(self, steps: Steps, loop: asyncio.AbstractEventLoop) -> None:
        self._steps = steps
        self._base = copy_context()
        self._work: asyncio.Future[None] = loop.create_future()
        self.context: Context = self._base.copy()
        self.next: _Job | None = None
        self.job: _Job | None = None
        self.task = loop.create_task(self._run(loop), context=self.context)
        self.task.add_done_callback(lambda _: steps._gone(self))

    @property
    def is_fresh(self) -> bool:
        """Whether nothing that a step did to its task or context is left."""
        return (
            not self._work.done()
            and not self.task.cancelling()
            and not self.task.done()
            and self.context == self._base
        )

    def take(self, job: _Job) -> None:
        """Carry on with a job."""
        self.next = job
        if not self._work.done():
            self._work.set_result(None)
        else:
            job.cancelled = True  # the step has cancelled its own task before it first waited

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                await self._work
            except asyncio.CancelledError:
                if self.next is None:
                    raise
                self.next.cancelled = True
            job, self.next = self.next, None
            if job is None:
                return
            self._work = loop.create_future()
            self.job = job
            self._uncancel()
            if job.cancelled:
                self.task.cancel()  # is felt by what the job waits for
            result, error = None, None
            try:
                result = await job
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as caught:
                error = caught
            self.job = None
            self._uncancel()
            if not self._steps._ended(self, job, result, error):
                return

    def _uncancel(self) -> None:
        """Forget cancellations: they were the step's, not the host's."""
        while self.task.cancelling():
            self.task.uncancel()


class Steps:
    """The steps in flight.

    Parameters
    ----------
    done : callable
        Told of every step that had to wait, when it ends: (key, result, None) or (key, None,
        error). A cancelled one ends with `asyncio.CancelledError`.
    """

    def __init__(self, done: Done) -> None:
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._driver = asyncio.current_task()
        self._idle: list[_Host] = []
        self._hosts: dict[int, _Host] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def __len__(self) -> int:
        """Count the steps in flight."""
        return len(self._hosts)

    def begin(self, key: int, coroutine: Coroutine[Any, Any, Any]) -> tuple[bool, Any]:
        """Run a coroutine up to where it waits. For the task that has made this object.

        Returns
        -------
        (bool, any)
            True and its result where it has ended; else False, and `done` will be told.

        Raises
        ------
        BaseException
            Whatever the coroutine raised before it waited.
        """
        host = self._idle.pop() if self._idle else self._new_host()
        driver = self._driver
        if driver is not None:
            asyncio.tasks._leave_task(self._loop, driver)
        asyncio.tasks._enter_task(self._loop, host.task)
        try:
            awaited = host.context.run(coroutine.send, None)
        except StopIteration as stop:
            if not self._give_back(host):
                host.task.cancel()
            return True, stop.value
        except BaseException:
            if not self._give_back(host):
                host.task.cancel()
            raise
        finally:
            asyncio.tasks._leave_task(self._loop, host.task)
            if driver is not None:
                asyncio.tasks._enter_task(self._loop, driver)
        self._hosts[key] = host
        host.take(_Job(key, coroutine, awaited))
        return False, None

    def cancel(self, key: int) -> None:
        """Cancel a step in flight, if it still is; `done` is told when it has ended."""
        host = self._hosts.get(key)
        if host is None:
            return
        if host.next is not None:
            host.next.cancelled = True  # handed over, not yet taken up
        else:
            host.task.cancel()

    def kill(self, key: int) -> None:
        """End a step in flight that does not end although it was cancelled; `done` is not told."""
        host = self._hosts.pop(key, None)
        if host is None:
            return
        job = host.next or host.job
        if job is not None:
            job.kill()
        host.task.cancel()

    async def close(self) -> None:
        """Cancel all steps and wait for their ends; `done` is not told of them."""
        self._closing = True
        for key in list(self._hosts):
            self.cancel(key)
        deadline = self._loop.time() + GRACE
        while self._hosts and self._loop.time() < deadline:
            await asyncio.sleep(0 if self._loop.time() < deadline - GRACE / 2 else 0.001)
        for key in list(self._hosts):
            self.kill(key)
        for host in self._idle:
            host.task.cancel()
        self._idle.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE)

    def _new_host(self) -> _Host:
        host = _Host(self, self._loop)
        self._tasks.add(host.task)
        return host

    def _gone(self, host: _Host) -> None:
        """Have another host take the job of one whose task was cancelled before it began."""
        self._tasks.discard(host.task)
        job, host.next = host.next, None
        if job is not None and not job.dead:
            job.cancelled = True
            self._hosts[job.key] = other = self._new_host()
            other.take(job)

    def _give_back(self, host: _Host) -> bool:
        """Keep a host for another step, if this one has left no traces on it."""
        if host.is_fresh and not self._closing:
            self._idle.append(host)
            return True
        return False

    def _ended(
        self,
        host: _Host,
        job: _Job,
        result: Any,  # noqa: ANN401
        error: BaseException | None,
    ) -> bool:
        """Tell of a step's end; return whether its host is to wait for another one."""
        if self._hosts.get(job.key) is not host:
            return False  # killed
        del self._hosts[job.key]
        kept = self._give_back(host)
        if not self._closing:
            self._done(job.key, result, error)
        return kept
