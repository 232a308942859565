"""Work that goes on behind the caller: one piece at a time, its error kept for the next call, never lost at the end."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Behind:
    """One thread, made when it is needed. The interpreter waits for it when it ends."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._begun: list[tuple[int, Future[object]]] = []
        """What nobody waited for yet, with the process that began it: after a fork the thread is not there."""
        weakref.finalize(self, _last_words, self._begun)

    def start(self, work: Callable[[], object]) -> None:
        """Begins a piece of work; the one before must be over."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "modelyard-checkpoint")
        self._begun.append((os.getpid(), self._pool.submit(work)))

    def wait(self) -> None:
        """Waits for the work that was begun, and raises what it raised, once."""
        while self._begun:
            process, work = self._begun.pop()
            if process == os.getpid():
                work.result()
            else:
                self._pool = None

    def close(self) -> None:
        """Waits, and lets the thread go."""
        try:
            self.wait()
        finally:
            pool, self._pool = self._pool, None
            if pool is not None:
                pool.shutdown()


def _last_words(begun: list[tuple[int, Future[object]]]) -> None:
    """At the end of a program that never asked: the error is told, since nobody is left to raise it to."""
    for process, work in begun:
        error = work.exception() if process == os.getpid() else None
        if error is not None:
            warnings.warn(f"the last checkpoint was not saved: {error}", RuntimeWarning, stacklevel=2)
