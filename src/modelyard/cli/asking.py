"""Looks for proofs while a line on the terminal tells how far it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from modelyard import api
from modelyard.cli.looking import ProgressLine, place
from modelyard.cli.options import Request
from modelyard.policies.clean import Evidence, Wish


class AskingLine(ProgressLine):
    """One line on the terminal: how many were asked about, and which one."""

    def asked(self, done: int, count: int, name: str) -> None:
        """Draws the line."""
        self.draw(f"proving {done:,} of {count:,}  {name}")


def prove(request: Request, found: api.Survey, wish: Wish, now: int, age: int) -> Mapping[str, Evidence]:
    """What the sources and copies say of what is wished, no older than `age` nanoseconds.

    The proxies and certificates are those of this shell, whoever's home is looked at.
    """
    from modelyard.api import proving  # late: only who asks needs the network

    line = AskingLine() if request.progress and sys.stderr.isatty() else None
    env, home, _ = place(request)
    try:
        return proving.prove_and_remember(
            found, wish, os.environ, (env, home, api.this_platform()), now, age, line.asked if line else None
        )
    finally:
        if line:
            line.clear()
