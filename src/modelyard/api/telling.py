"""What a tool is told of its new place: the settings to write, the lines to say, and whether that will stand."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as Folder

from msgspec import Struct

from modelyard.api.refusal import Refusal
from modelyard.apply import marks
from modelyard.doctor.assignments import all_assignments
from modelyard.doctor.shell import set_variable
from modelyard.inventory import Platform, Root
from modelyard.policies.moving import Part, Unit, Write, variable
from modelyard.problem import Problem
from modelyard.stores.setting_lines import shell_with
from modelyard.stores.told import Surroundings, written
from modelyard.walk.read import read_setting
from modelyard.walk.text import shown

SYSTEM, USER = "sudo systemctl", "systemctl --user"
LOOK = "docker info -f '{{.DockerRootDir}}'"
SYSTEMD = "sudo systemctl daemon-reload && sudo systemctl restart ollama"


class Told(Struct, frozen=True):
    """`stands`: the tool finds the new place without a link. `lines` are written, `say` are for a person."""

    stands: bool
    why: str
    writes: tuple[Write, ...] = ()
    lines: tuple[str, ...] = ()
    say: tuple[str, ...] = ()
    notes: Sequence[str] = ()
    variables: tuple[tuple[str, str], ...] = ()


def told(
    unit: Unit, parts: Sequence[Part], write_rc: bool, env: Mapping[str, str], home: Folder, platform: Platform
) -> Told:
    """The owner's setting where it has one, else its variable: as a line to say, or to write when that was allowed.

    Refusal where nothing but a setting can tell it, and that is not understood.
    """
    if unit.root is None:
        return Told(False, "nothing names a single artifact")
    target = shown(parts[0].target)
    around = Surroundings(env, home, platform)
    notes: list[str] = []
    if unit.telling.setting:
        found = written(unit.telling.setting, unit.root, target, around)
        if isinstance(found, Problem) and not unit.telling.link:
            raise Refusal(f"{found.path} is left alone: {found.message}", found.hint or "mend it, and run again")
        if isinstance(found, Problem):
            notes.append(f"{found.path} was left alone: {found.message}")
        elif found is not None:
            file = os.fsencode(found.file)
            outside = not found.file.startswith(f"{os.path.realpath(home)}/")
            write = Write(file, found.text, marks.take(file), 0o644 if outside or unit.telling.engine else 0o600)
            why = f"{shown(file)} is where its owner looks first"
            return Told(True, why, (write,), found.lines, tuple(_afterwards(unit, unit.root, found.file)))
    named = variable(unit.telling, unit.root.found_by, target)
    if named is None:
        return Told(False, "nothing else names it", notes=notes)
    return _by_variable(*named, write_rc, around, notes)


def _afterwards(unit: Unit, root: Root, file: str) -> Iterator[str]:
    """What a person types so that a service takes its new place, and to see that it did."""
    if unit.telling.engine:
        yield f"{SYSTEM if root.system else USER} start {unit.store}"
        yield LOOK
    elif file.startswith("/etc/systemd/"):
        yield SYSTEMD


def _by_variable(name: str, value: str, write_rc: bool, around: Surroundings, notes: list[str]) -> Told:
    """The line that sets the variable: said, or written into the start file of the shell when that was allowed."""
    file, line = _shell(name, value, around)
    click = (f"launchctl setenv {name} {shlex.quote(value)}",) if around.platform == "macos" else ()
    if not write_rc or around.platform == "windows":
        note = f"with that line nothing depends on the link; --write-rc puts it into {file}"
        notes = notes if around.platform == "windows" else [*notes, note]
        return Told(False, f"{name} names it and no settings file does", say=(line, *click), notes=notes)
    real = os.path.realpath(file)
    old = read_setting(real)
    if isinstance(old, Problem):
        return Told(False, f"{real} cannot be read", say=(line,), notes=notes)
    write = Write(os.fsencode(real), shell_with(old, name, line), marks.take(os.fsencode(real)), 0o644)
    notes = [*notes, f"shells that are open keep the old place until they read {file} again"]
    return Told(False, f"{name} names it", (write,), (line,), click, notes, ((name, value),))


def _shell(name: str, value: str, around: Surroundings) -> tuple[str, str]:
    """The start file that sets the variable, or of the shell in use, and the line that belongs there."""
    shell = os.path.basename(around.env.get("SHELL", "bash"))
    if shell == "fish":
        return f"{around.config()}/fish/config.fish", f"set -gx {name} {shlex.quote(value)}"
    line = set_variable(name, value, around.platform)
    found, _ = all_assignments({}, around.home, around.platform)
    setting = next((each.file for each in found if each.name == name and each.file), "")
    folder = around.env.get("ZDOTDIR") or str(around.home)
    return setting or (f"{folder}/.zshrc" if shell == "zsh" else f"{around.home}/.bashrc"), line
