"""Homes under examination, and the commands of complaints run for real in them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelyard import api
from modelyard.doctor import complaints, prepare
from modelyard.doctor.complaint import Complaint
from modelyard.doctor.volumes import Volume
from modelyard.inventory import Platform

DAY = 86400


def examine(
    home: Path,
    env: Mapping[str, str] | None = None,
    platform: Platform = "linux",
    mounted: tuple[Volume, ...] | None = (),
    expected: tuple[str, ...] = (),
    roots: Sequence[Path] = (),
) -> list[Complaint]:
    """Everything that is said of a home with these variables and this mount table; None: the machine's own."""
    found = api.survey(env or {}, home, platform, roots, system=False)
    about = prepare(found, found.tree, env or {}, home, platform, time.time_ns(), mounted, expected)
    return complaints(about)


def told(
    code: str,
    home: Path,
    env: Mapping[str, str] | None = None,
    platform: Platform = "linux",
    mounted: tuple[Volume, ...] | None = (),
    expected: tuple[str, ...] = (),
) -> list[Complaint]:
    """What is said under one code."""
    return [each for each in examine(home, env, platform, mounted, expected) if each.code == code]


def only(found: Sequence[Complaint]) -> Complaint:
    """The one complaint."""
    (complaint,) = found
    return complaint


def run(command: str, home: Path, **env: str) -> str:
    """Types a command into bash as it was printed; what it printed itself."""
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        check=False,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **env},
    )
    assert done.returncode == 0, (command, done.stderr)
    return os.fsdecode(done.stdout)


def age(path: Path, days: float) -> Path:
    """Makes a file or folder that old."""
    at = time.time() - days * DAY
    os.utime(path, (at, at), follow_symlinks=False)
    return path


def rc(home: Path, *lines: str, name: str = ".bashrc") -> Path:
    """A start file of a shell with these lines."""
    file = home / name
    file.write_text("\n".join(lines) + "\n")
    return file
