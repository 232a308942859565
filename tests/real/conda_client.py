"""Builds conda packages and installs environments from them, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "conda_stack.py"
ENVIRONMENTS = {"first": "trainer ==1.0", "twin": "trainer ==1.0", "newer": "trainer ==2.0"}


def drive(folder: Path, *words: object) -> str:
    """Runs the installer with a home of its own, and gives what it printed."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "RATTLER_CACHE_DIR": str(folder / "rattler")}
    done = subprocess.run([sys.executable, PROGRAM, *map(str, words)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def install(channel: Path, packages: Path, **wanted: tuple[Path, str]) -> None:
    """Environments by name: where, and with what in them."""
    drive(channel.parent, "install", channel, packages, *(f"{place}={spec}" for place, spec in wanted.values()))


def doctor(channel: Path, *prefixes: Path) -> str:
    """What is wrong with environments, by what their own records say of every file; empty when nothing is."""
    return drive(channel.parent, "doctor", *prefixes)
