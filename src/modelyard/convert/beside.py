"""What goes on beside a conversion, in threads: files are digested, and what was written reaches the medium."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from msgspec import Struct, field

from modelyard.convert.source import Source, held
from modelyard.formats.file import BrokenError

AT_ONCE = 3
"""The source, the copy, and what waits for the medium."""


class Beside(Struct, frozen=True):
    """Work that was begun, and the digests among it by the path of the file."""

    _pool: ThreadPoolExecutor
    _over: Event = field(default_factory=Event)
    _work: list[Future[None]] = field(default_factory=list)
    digests: dict[bytes, str] = field(default_factory=dict)
    """SHA-256 in hex, all of them there after `wait`."""

    def run(self, work: Callable[[], None]) -> None:
        """Begins it as soon as there is a thread for it."""
        self._work.append(self._pool.submit(work))

    def digest(self, sources: Sequence[Source]) -> None:
        """Digests files, one after the other, each opened once more: it reads ahead at a place of its own."""
        self.run(lambda: self._digest(sources))

    def digest_copy(self, path: bytes) -> None:
        """Digests a file that was written."""
        self.run(lambda: self._take(path))

    def wait(self) -> None:
        """Until all of it is done. What went wrong first, as it was raised: BrokenError or OSError."""
        for each in self._work:
            each.result()

    def stop(self) -> None:
        """Lets nothing begin any more, and digests end."""
        self._over.set()
        self._pool.shutdown(cancel_futures=True)

    def _digest(self, sources: Sequence[Source]) -> None:
        for each in sources:
            with same(each) as again:
                self.digests[each.path] = again.digest(self._over.is_set)

    def _take(self, path: bytes) -> None:
        with held(path) as copy:
            self.digests[path] = copy.digest(self._over.is_set)


@contextmanager
def beside() -> Iterator[Beside]:
    """Threads that are gone when it is left, however that is."""
    found = Beside(ThreadPoolExecutor(AT_ONCE, "converting"))
    try:
        yield found
    finally:
        found.stop()


@contextmanager
def same(source: Source) -> Iterator[Source]:
    """A source opened once more, which must be the same file."""
    with held(source.path) as again:
        if (again.seen.st_dev, again.seen.st_ino) != (source.seen.st_dev, source.seen.st_ino):
            raise BrokenError("was replaced while it was read", "changed")
        yield again
