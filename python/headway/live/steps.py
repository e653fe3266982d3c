"""Running steps: to the end at once where they wait for nothing, in a task of their own otherwise.

An asyncio task for every step costs more than all the rest of the driver. So a coroutine is first
run up to where it waits; most steps have ended by then. One that waits is handed, as it stands, to
a *host*: a task from a pool, which carries on with it. Even the part before is run as if in that
task, so that `asyncio.timeout`, task groups and context variables work as they do in any task.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    #: Told of the end of a step that had to wait: agent, what it returned, or what it raised.
    Done = Callable[[int, Any, BaseException | None], None]


class _Job:
    """A coroutine that waits, and what it waits for."""

    __slots__ = ("awaited", "cancelled", "coroutine", "key")

    def __init__(self, key: int, coroutine: Coroutine[Any, Any, Any], awaited: Any) -> None:  # noqa: ANN401
        self.key = key
        self.coroutine = coroutine
        self.awaited = awaited
        self.cancelled = False

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, awaited = self.coroutine, self.awaited
        resume: Callable[[Any], Any]
        while True:
            try:
                if self.cancelled:
                    self.cancelled = False
                    raise asyncio.CancelledError
                sent = yield awaited
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                resume, value = coroutine.throw, error
            else:
                resume, value = coroutine.send, sent
            try:
                awaited = resume(value)
            except StopIteration as stop:
                return stop.value


class _Host:
    """A task that carries on with one job after the other."""

    __slots__ = ("context", "job", "task", "work")

    def __init__(self, steps: Steps, loop: asyncio.AbstractEventLoop) -> None:
        self.context: Context = copy_context()
        self.work: asyncio.Future[_Job] = loop.create_future()
        self.job: _Job | None = None
        self.task = loop.create_task(self._run(steps, loop), context=self.context)

    async def _run(self, steps: Steps, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            job = await self.work
            self.work = loop.create_future()
            self.job = job
            result, error = None, None
            try:
                result = await job
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as caught:
                error = caught
                while self.task.cancelling():
                    self.task.uncancel()  # what was cancelled is the step, not the host
            self.job = None
            steps._ended(self, job.key, result, error)


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
        self._idle: list[_Host] = []
        self._hosts: dict[int, _Host] = {}
        self._closing = False

    def __len__(self) -> int:
        """Count the steps in flight."""
        return len(self._hosts)

    def begin(self, key: int, coroutine: Coroutine[Any, Any, Any]) -> tuple[bool, Any]:
        """Run a coroutine up to where it waits.

        Returns
        -------
        (bool, any)
            True and its result where it has ended; else False, and `done` will be told.

        Raises
        ------
        BaseException
            Whatever the coroutine raised before it waited.
        """
        host = self._idle.pop() if self._idle else _Host(self, self._loop)
        driver = asyncio.current_task(self._loop)
        if driver is not None:
            asyncio.tasks._leave_task(self._loop, driver)
        asyncio.tasks._enter_task(self._loop, host.task)
        try:
            awaited = host.context.run(coroutine.send, None)
        except StopIteration as stop:
            self._idle.append(host)
            return True, stop.value
        except BaseException:
            self._idle.append(host)
            raise
        finally:
            asyncio.tasks._leave_task(self._loop, host.task)
            if driver is not None:
                asyncio.tasks._enter_task(self._loop, driver)
        host.work.set_result(_Job(key, coroutine, awaited))
        self._hosts[key] = host
        return False, None

    def cancel(self, key: int) -> None:
        """Cancel a step in flight, if it still is; `done` is told when it has ended."""
        host = self._hosts.get(key)
        if host is None:
            return
        if host.job is None:
            host.work.result().cancelled = True  # handed over, not yet taken up
        else:
            host.task.cancel()

    def abandon(self, key: int) -> None:
        """Forget a step in flight that does not end although it was cancelled."""
        self._hosts.pop(key, None)

    async def close(self) -> None:
        """Cancel all steps and wait for their ends; `done` is not told of them."""
        self._closing = True
        tasks = [host.task for host in (*self._hosts.values(), *self._idle)]
        for key in list(self._hosts):
            self.cancel(key)
        deadline = self._loop.time() + GRACE
        while self._hosts and self._loop.time() < deadline:
            await asyncio.sleep(0.001)
        # Hosts wait for work now, unless a step swallows its cancellation.
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)
        self._idle.clear()
        self._hosts.clear()

    def _ended(self, host: _Host, key: int, result: Any, error: BaseException | None) -> None:  # noqa: ANN401
        if self._hosts.get(key) is not host:
            return  # abandoned; its host is not used again
        del self._hosts[key]
        self._idle.append(host)
        if not self._closing:
            self._done(key, result, error)


#: Seconds a cancelled step is given to end.
GRACE = 1.0
