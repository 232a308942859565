"""Variables and who sets them: this shell's environment, and the files that shells read when they start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from modelyard.inventory import Platform
from modelyard.problem import Problem
from modelyard.walk.read import read_setting

FILES = (".profile", ".bash_profile", ".bash_login", ".bashrc", ".zshenv", ".zprofile", ".zshrc")
LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$")
PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|((?:[^\s;&|"\'\\]|\\.)+)')
NAMED = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Assignment(Struct, frozen=True):
    """A variable with its value; `file` is empty for this shell's environment."""

    name: str
    value: str
    file: str = ""
    line: int = 0


def all_assignments(env: Mapping[str, str], home: Path, platform: Platform) -> tuple[list[Assignment], list[Problem]]:
    """Everything that is set, and the start files that could not be read; of several lines of a file the last."""
    found = [Assignment(name, value) for name, value in env.items()]
    problems = []
    for name in FILES if platform != "windows" else ():
        text = read_setting(f"{home}/{name}")
        if isinstance(text, Problem):
            problems.append(text)
        else:
            found += _lines(text, f"{home}/{name}", env, home)
    return found, problems


def _lines(text: str, file: str, env: Mapping[str, str], home: Path) -> list[Assignment]:
    last: dict[str, Assignment] = {}
    known = {**env, "HOME": str(home)}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := LINE.match(line):
            value = _value(match[2], known)
            if value is not None:
                last[match[1]] = Assignment(match[1], value, file, number)
                known[match[1]] = value
    return list(last.values())


def _value(text: str, known: Mapping[str, str]) -> str | None:
    """What the shell makes of the word behind `=`; None when only running it could tell."""
    parts, at = [], 0
    while match := PIECE.match(text, at):
        double, single, bare = match.groups()
        piece = single
        if single is None:
            piece = _expanded(double if bare is None else bare, known)
            if piece is None:
                return None
            if bare is not None and at == 0 and (bare == "~" or bare.startswith("~/")):
                piece = known["HOME"] + piece[1:]
        parts.append(piece)
        at = match.end()
    return "".join(parts) if not text[at:].lstrip().startswith(('"', "'")) else None


def _expanded(text: str, known: Mapping[str, str]) -> str | None:
    """Variables replaced; None for what is unknown or the output of a command."""
    if "`" in text or "$(" in text:
        return None
    names = [one or other for one, other in NAMED.findall(text)]
    if any(name not in known for name in names) or "${" in NAMED.sub("", text):
        return None
    return re.sub(r"\\(.)", r"\1", NAMED.sub(lambda found: known[found[1] or found[2]], text))
