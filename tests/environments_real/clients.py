"""Runs the real tools, each with a home and an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TOOLS = Path(os.environ.get("MODELYARD_TOOLS", Path(__file__).parents[2] / ".deps" / "tools"))
VERSIONS = {
    path.name.partition("-")[0]: path.name.removesuffix(".dist-info").partition("-")[2]
    for path in TOOLS.glob("lib/python*/site-packages/*.dist-info")
}


@dataclass
class Client:
    """One tool, run with nothing of the tests' own environment."""

    name: str
    home: Path
    wheels: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: object, cwd: Path | None = None, **variables: str) -> str:
        """Its output; its own words when it fails."""
        program = TOOLS / "bin" / self.name
        if not program.exists():
            pytest.fail(f"{self.name} is not in {TOOLS}; run `make deps`, or set MODELYARD_TOOLS to its environment")
        return start([program, *words], self.home, cwd, **(self.variables | variables))


def start(command: list[object], home: Path, cwd: Path | None = None, **variables: str) -> str:
    """Runs a program in a home, and gives its output."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "PIP_REQUIRE_VIRTUALENV": "1"} | variables
    done = subprocess.run(
        list(map(str, command)), env=env, cwd=cwd or home, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def base_python() -> Path:
    """The Python that this one was made from."""
    return Path(sys.base_prefix) / "bin" / f"python{sysconfig.get_python_version()}"
