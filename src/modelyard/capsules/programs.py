"""Runs the programs that build environments: pip, conda, git; each bounded in time and with what it needs alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from modelyard.problem import Problem
from modelyard.walk.text import shown

LONGEST = 3600.0
"""Seconds after which an installer is stopped."""
TOLD = 12
"""Lines of a failing program's own words."""
DIVERTING = (
    "PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT",
    "PIP_USER", "PIP_PYTHON", "PIP_DRY_RUN", "PIP_REQUIREMENT", "PIP_EDITABLE", "PIP_CONSTRAINT", "PIP_REQUIRE_HASHES",
    "PIP_REPORT", "GIT_", "__PYVENV_LAUNCHER__",
)  # fmt: skip
"""Variables that would lead a program elsewhere."""


class Failed(Exception):  # noqa: N818 - carries a Problem out of nested steps
    """A step that failed, and its Problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def surroundings(env: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that would lead a program elsewhere."""
    return {name: value for name, value in env.items() if not name.startswith(DIVERTING)}


def run(command: Sequence[str], env: Mapping[str, str], cwd: str, seconds: float = LONGEST) -> str:
    """The output of a program. Failed where it is not there, fails, or takes too long."""
    name = os.path.basename(command[0])
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(Problem(command[0], "too-slow", f"{name} was stopped after {seconds:.0f} seconds")) from error
    except OSError as error:
        words = f"{name} cannot be started: {os.strerror(error.errno or 0)}"
        raise Failed(Problem(command[0], "no-program", words)) from error
    if done.returncode:
        words = last_words(done.stderr or done.stdout)
        raise Failed(Problem(command[0], "failed", f"{name} failed with {done.returncode}: {words}"))
    return done.stdout.decode("utf-8", "replace")


def last_words(text: bytes) -> str:
    """The end of what a program wrote."""
    lines = [shown(line.strip()) for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-TOLD:])
