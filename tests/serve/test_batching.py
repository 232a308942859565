"""Rows of several requests through one call: together where they fit, within the bounds, each with its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy

from modelyard.serve.arrays import Arrays
from modelyard.serve.batching import Batcher, Bounds, BusyError, LateError


class Recorder:
    """A model that doubles, and remembers how many rows it was given at a time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls: list[int] = []
        self._seconds = seconds

    def __call__(self, inputs: Arrays) -> Arrays:
        """Twice the input; a negative number is refused."""
        import time

        time.sleep(self._seconds)
        self.calls.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise ValueError("a negative number")
        return {"y": inputs["x"] * 2}


def one(*numbers: float) -> Arrays:
    """A request of so many rows."""
    return {"x": numpy.array(numbers, "f4").reshape(-1, 1)}


def run(
    model: Callable[[Arrays], Arrays], bounds: Bounds, work: Callable[[Batcher], Awaitable[Any]], *, joins: bool = True
) -> Any:
    """Runs some requests against a batcher."""

    async def running() -> Any:
        batcher = Batcher(model, joins, bounds, lambda rows, seconds: None)
        batcher.start()
        try:
            return await work(batcher)
        finally:
            await batcher.stop()

    return asyncio.run(running())


def together(*requests: Arrays) -> Callable[[Batcher], Coroutine[Any, Any, list[Any]]]:
    """All of them at once; what went wrong is among the answers."""

    async def work(batcher: Batcher) -> list[Any]:
        return await asyncio.gather(*(batcher.predict(each) for each in requests), return_exceptions=True)

    return work


def test_requests_share_a_call_and_each_gets_its_own_rows() -> None:
    model = Recorder()
    answers = run(model, Bounds(rows=64, delay=0.05), together(one(1, 2), one(3), one(4, 5, 6)))
    assert [each["y"].ravel().tolist() for each in answers] == [[2, 4], [6], [8, 10, 12]]
    assert model.calls == [6]


def test_who_is_alone_does_not_wait_for_company() -> None:
    async def work(batcher: Batcher) -> list[Arrays]:
        async with asyncio.timeout(5):
            return [await batcher.predict(one(at)) for at in range(3)]

    assert len(run(Recorder(), Bounds(delay=60), work)) == 3


def test_a_call_takes_no_more_rows_than_it_may() -> None:
    model = Recorder()
    run(model, Bounds(rows=4, delay=0.05), together(*(one(1, 2, 3) for _ in range(4))))
    assert model.calls == [3, 3, 3, 3]


def test_a_request_larger_than_a_call_goes_alone() -> None:
    model = Recorder()
    run(model, Bounds(rows=2, delay=0.01), together(one(*range(9)), one(1)))
    assert model.calls == [9, 1]


def test_other_shapes_do_not_share_a_call() -> None:
    model = Recorder()
    wide = {"x": numpy.ones((1, 3), "f4")}
    answers = run(model, Bounds(delay=0.02), together(one(1), wide, one(2)))
    assert [each["y"].shape for each in answers] == [(1, 1), (1, 3), (1, 1)]
    assert model.calls == [1, 1, 1]


def test_a_model_without_free_axes_is_asked_one_at_a_time() -> None:
    model = Recorder()
    run(model, Bounds(delay=0.02), together(one(1), one(2)), joins=False)
    assert model.calls == [1, 1]


def test_one_bad_request_does_not_spoil_the_others() -> None:
    answers = run(Recorder(), Bounds(delay=0.02), together(one(1), one(-1), one(3)))
    assert isinstance(answers[1], ValueError)
    assert [answers[at]["y"].item() for at in (0, 2)] == [2, 6]


def test_a_full_queue_refuses() -> None:
    answers = run(Recorder(0.05), Bounds(rows=1, delay=0, queue=2), together(*(one(at) for at in range(8))))
    refused = [each for each in answers if isinstance(each, BusyError)]
    assert 0 < len(refused) < 8
    assert all(isinstance(each, dict | BusyError) for each in answers)


def test_a_slow_model_is_not_waited_for_without_end() -> None:
    answers = run(Recorder(0.2), Bounds(rows=1, delay=0, patience=0.05), together(one(1), one(2)))
    assert [type(each) for each in answers] == [LateError, LateError]


def test_who_gave_up_is_not_computed() -> None:
    model = Recorder(0.1)
    run(model, Bounds(rows=1, delay=0, patience=0.05), together(one(1), one(2), one(3)))
    assert len(model.calls) < 3


def test_stopping_answers_what_waits() -> None:
    async def work(batcher: Batcher) -> list[Arrays]:
        asked = [asyncio.create_task(batcher.predict(one(at))) for at in range(5)]
        await asyncio.sleep(0)
        await batcher.stop()
        return [await each for each in asked]

    answers = run(Recorder(0.01), Bounds(rows=1, delay=0), work)
    assert [each["y"].item() for each in answers] == [0, 2, 4, 6, 8]


def test_a_model_that_gives_another_number_of_rows_is_told() -> None:
    answers = run(lambda inputs: {"y": numpy.zeros(5)}, Bounds(delay=0.02), together(one(1, 2), one(3)))
    assert [str(each) for each in answers] == ["the model gave another number of rows than it got"] * 2
