"""Rows of several requests through the model together, within bounds on delay, size and queue."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy
from msgspec import Struct, field

from modelyard.serve.arrays import Arrays

Predict = Callable[[Arrays], Arrays]
Seen = Callable[[int, float], None]
"""Is told the rows and the seconds of each call of the model."""


class BusyError(Exception):
    """The queue is full."""


class LateError(Exception):
    """The model did not answer in time."""


class Bounds(Struct, frozen=True):
    """Rows of one call, seconds that a request waits for company, requests that wait, seconds until one gives up."""

    rows: int = 64
    delay: float = 0.002
    queue: int = 256
    patience: float = 30.0


class _Waiting(Struct):
    """One request in the queue."""

    inputs: Arrays
    rows: int
    answer: asyncio.Future[Arrays]
    since: float = field(default_factory=time.monotonic)

    @property
    def shape(self) -> list[tuple[int, ...]]:
        """What has to be equal in all requests of one call."""
        return [each.shape[1:] for each in self.inputs.values()]


class Batcher:
    """Feeds one model from a queue, a call at a time. `joins` says whether requests may share a call."""

    def __init__(self, predict: Predict, joins: bool, bounds: Bounds, seen: Seen) -> None:
        self._predict, self._joins, self.bounds, self._seen = predict, joins, bounds, seen
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, "model")
        self._task: asyncio.Task[None] | None = None
        self._busy = False
        self._crowded = False
        """Whether others came while the last call went on: who is alone does not wait for company."""

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    def start(self) -> None:
        """Begins to work in the running loop."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Answers what waits, then ends."""
        while self._queue or self._busy:
            await asyncio.sleep(0.01)
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)

    async def predict(self, inputs: Arrays) -> Arrays:
        """The outputs. BusyError when too many wait, LateError when it takes too long."""
        if len(self._queue) >= self.bounds.queue:
            raise BusyError(f"{len(self._queue)} requests wait already")
        rows = min((len(each) for each in inputs.values() if each.ndim), default=1) if self._joins else 1
        waiting = _Waiting(inputs, rows, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._arrived.set()
        try:
            return await asyncio.wait_for(waiting.answer, self.bounds.patience)
        except TimeoutError as error:
            raise LateError(f"no answer within {self.bounds.patience:g} s") from error

    async def _work(self) -> None:
        while True:
            group = await self._group()
            self._busy = True
            if group:
                await self._answer(group)
            self._busy = False
            self._crowded = len(group) > 1 or bool(self._queue)

    async def _group(self) -> list[_Waiting]:
        """The next requests that share a call: as many as fit and are there before the first has waited long enough."""
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        if self._joins and self._crowded and self.bounds.delay > 0:
            await self._company()
        group: list[_Waiting] = []
        rows = 0
        while self._queue and (not group or self._goes_with(group[0], self._queue[0], rows)):
            each = self._queue.popleft()
            if not each.answer.done():  # nobody waits for it any more
                group.append(each)
                rows += each.rows
        return group

    def _goes_with(self, first: _Waiting, other: _Waiting, rows: int) -> bool:
        return self._joins and rows + other.rows <= self.bounds.rows and other.shape == first.shape

    async def _company(self) -> None:
        """Waits until enough rows are there or the first request has waited for its time."""
        until = self._queue[0].since + self.bounds.delay
        while sum(each.rows for each in self._queue) < self.bounds.rows and (left := until - time.monotonic()) > 0:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                return

    async def _answer(self, group: list[_Waiting]) -> None:
        try:
            together = await self._called(_stacked(group))
            answers = _apart(together, [each.rows for each in group]) if self._joins else [together]
        except Exception as error:  # noqa: BLE001 - whatever a model raises is the answer of its request
            if len(group) > 1:  # one of them must not spoil the others
                for each in group:
                    await self._answer([each])
            elif not group[0].answer.done():
                group[0].answer.set_exception(error)
            return
        for each, answer in zip(group, answers, strict=True):
            if not each.answer.done():
                each.answer.set_result(answer)

    async def _called(self, inputs: Arrays) -> Arrays:
        begun = time.perf_counter()
        outputs = await asyncio.get_running_loop().run_in_executor(self._pool, self._predict, inputs)
        self._seen(max((len(each) for each in inputs.values() if each.ndim), default=1), time.perf_counter() - begun)
        return outputs


def _stacked(group: list[_Waiting]) -> Arrays:
    if len(group) == 1:
        return group[0].inputs
    return {name: numpy.concatenate([each.inputs[name] for each in group]) for name in group[0].inputs}


def _apart(outputs: Mapping[str, numpy.ndarray[Any, Any]], rows: list[int]) -> list[Arrays]:
    """Each request's own rows. ValueError when the model gave another number of rows than it got."""
    if any(len(each) != sum(rows) for each in outputs.values()):
        raise ValueError("the model gave another number of rows than it got")
    ends = numpy.cumsum(rows)[:-1]
    parts = {name: numpy.split(array, ends) for name, array in outputs.items()}
    return [{name: pieces[at] for name, pieces in parts.items()} for at in range(len(rows))]
