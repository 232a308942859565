"""A Python on this machine that an environment can be made from: the same implementation, major and minor version."""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelyard.capsules.capsule import Capsule
from modelyard.capsules.programs import Failed, run
from modelyard.problem import Problem

ASK = "import platform; print(platform.python_implementation(), platform.python_version())"
PATIENCE = 30.0


def fitting(capsule: Capsule, env: Mapping[str, str], home: Path) -> tuple[str, str] | Problem:
    """The path of the first Python that fits, the exact version before others, and its version; a Problem without."""
    minor = ".".join(capsule.python.split(".")[:2])
    other: tuple[str, str] | None = None
    for path in dict.fromkeys(_candidates(capsule, minor, env, home)):
        implementation, version = _asked(path, env)
        if implementation == capsule.implementation and version == capsule.python:
            return path, version
        if implementation == capsule.implementation and version.startswith(minor + "."):
            other = other or (path, version)
    if other:
        return other
    words = f"no {capsule.implementation} {minor or 'of any version'} is on this machine"
    return Problem("", "no-python", words, f"`uv python install {minor}` or your system's packages bring one")


def _candidates(capsule: Capsule, minor: str, env: Mapping[str, str], home: Path) -> Iterator[str]:
    """Where Pythons are: the one that it was made from, on PATH, this one, and those of uv, pyenv and the system."""
    word = "pypy" if capsule.implementation == "PyPy" else "python"
    names = (f"{word}{minor}", f"{word}3", word)
    if os.path.isabs(capsule.interpreter):
        yield from _there(f"{capsule.interpreter}/{name}" for name in names)
    for name in names:
        if found := shutil.which(name, path=env.get("PATH")):
            yield os.path.realpath(found)
    yield from _there([getattr(sys, "_base_executable", sys.executable)])
    data = env.get("XDG_DATA_HOME") or f"{home}/.local/share"
    uv = env.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python"
    pyenv = env.get("PYENV_ROOT") or f"{home}/.pyenv"
    for pattern in (f"{uv}/*-{minor}*", f"{pyenv}/versions/*{minor}*", "/usr", "/usr/local", "/opt/python*"):
        for folder in sorted(glob.glob(pattern), reverse=True):
            yield from _there(f"{folder}/bin/{name}" for name in names)


def _there(paths: Iterator[str] | list[str]) -> Iterator[str]:
    yield from (os.path.realpath(path) for path in paths if path and os.access(path, os.X_OK) and os.path.isfile(path))


def _asked(path: str, env: Mapping[str, str]) -> tuple[str, str]:
    """Implementation and version, by asking it."""
    try:
        words = run([path, "-I", "-c", ASK], env, "/", PATIENCE).split()
    except Failed:
        return "", ""
    return (words[0], words[1]) if len(words) == 2 else ("", "")
