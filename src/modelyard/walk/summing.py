"""SHA-256 in a second thread, so that whoever reads or writes does not wait for it."""

from __future__ import annotations

import hashlib
from queue import Queue
from threading import Thread

AHEAD = 4
"""Pieces that may wait to be digested."""
SMALL = 1 << 20
"""Bytes that are digested at once."""


class Summed:
    """Digests pieces in their order; each must stay as it is until the digest is asked for."""

    def __init__(self) -> None:
        self._sum, self._queue = hashlib.sha256(), Queue[memoryview | None](AHEAD)
        self._thread: Thread | None = None

    def __enter__(self) -> Summed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, piece: memoryview) -> None:
        """The next bytes."""
        if self._thread is None and len(piece) < SMALL:
            self._sum.update(piece)
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, daemon=True)
            self._thread.start()
        self._queue.put(piece)

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            self._sum.update(piece)
            del piece  # whoever lent it may want to let it go while nothing waits

    def hexdigest(self) -> str:
        """The digest of everything that was added."""
        self.close()
        return self._sum.hexdigest()

    def close(self) -> None:
        """Ends the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
