"""The folders of Docker's engines on Linux, the machine's and a user's own, and the settings that name them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from modelyard.inventory import Place, Root
from modelyard.problem import Problem
from modelyard.stores.places import expand
from modelyard.stores.settings import json_settings
from modelyard.walk.read import names_in, read_setting

MACHINE = ""
"""What stands before the paths of the machine; tests give it another place."""
UNITS = tuple(f"{each}/systemd/system" for each in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"))
STARTED = re.compile(r"\s*ExecStart\s*=\s*(.*)")
VARIABLES = re.compile(r"\s*EnvironmentFile\s*=\s*-?(/\S+)")
FOLDER = re.compile(r"""(?:^|[\s"'=])(?:--data-root|--graph|-g)(?:=|\s+)["']?([^\s"']+)""")
SETTINGS = re.compile(r"""--config-file(?:=|\s+)["']?([^\s"']+)""")
DEFAULT = "the engine's own default"
BY_COMMAND = "docker.service --data-root"


class DaemonSettings(msgspec.Struct, rename="kebab"):
    """The part of `daemon.json` that moves an engine's folder; `graph` was its word for that until 17.05."""

    data_root: str = ""
    graph: str = ""


class Daemon(Struct, frozen=True):
    """An engine: its folder and its settings file where nothing else names one, and where its unit is looked for."""

    folder: str
    found_by: str
    settings: str
    units: tuple[str, ...]
    noted: str = ""
    """The file in which it notes its process."""
    system: bool = False

    def command(self) -> str:
        """What its unit starts and with which variables; a later line replaces an earlier one (systemd.service(5))."""
        started, lines = "", []
        for text in self._texts():
            for line in text.replace("\\\n", " ").splitlines():
                if found := STARTED.match(line):
                    started = found[1]
                elif line.lstrip().startswith("Environment="):
                    lines.append(line)
                elif found := VARIABLES.match(line):
                    lines += [each for each in _text(found[1]).splitlines() if not each.lstrip().startswith("#")]
        return "\n".join([started, *lines])

    def _texts(self) -> Iterator[str]:
        """The unit, then what was dropped in beside it, by name, of the same name the first."""
        paths = [path for each in self.units if os.path.isfile(path := f"{each}/docker.service")][:1]
        dropped: dict[str, str] = {}
        for folder in (f"{each}/docker.service.d" for each in self.units):
            for name in names_in(folder):
                if name.endswith(".conf"):
                    dropped.setdefault(name, f"{folder}/{name}")
        for path in (*paths, *(dropped[name] for name in sorted(dropped))):
            yield _text(path)

    def settings_file(self) -> str:
        """The settings file that it reads."""
        found = SETTINGS.search(self.command())
        return found[1] if found else self.settings

    def told(self) -> str:
        """The folder that its command names, which no settings file may name again; empty where it names none."""
        found = FOLDER.search(self.command())
        return found[1] if found else ""

    def running(self) -> int:
        """Its process by the file in which it notes that, 0 where none runs."""
        number = _text(self.noted).strip() if self.noted else ""
        return int(number) if number.isdigit() and _text(f"/proc/{number}/comm").strip() == "dockerd" else 0

    def roots(self, env: Mapping[str, str], home: Path) -> Iterator[Place]:
        """Its folder, by its command, its settings or its default, behind a Problem where those are not understood."""
        settings = json_settings(self.settings_file(), DaemonSettings)
        if isinstance(settings, Problem):
            yield settings
            settings = DaemonSettings()
        named = settings.data_root or settings.graph
        folder, found_by = self.folder, self.found_by
        if command := self.told():
            folder, found_by = expand(command, env, home), BY_COMMAND
        elif named:
            folder, found_by = expand(named, env, home), "daemon.json data-root"
        yield Root(folder, found_by, system=self.system, shared=True)


def _text(path: str) -> str:
    text = read_setting(path)
    return text if isinstance(text, str) else ""


def of_machine() -> Daemon:
    """The engine of the machine, which root runs."""
    units, noted = tuple(f"{MACHINE}{each}" for each in UNITS), f"{MACHINE}/var/run/docker.pid"
    return Daemon(f"{MACHINE}/var/lib/docker", DEFAULT, f"{MACHINE}/etc/docker/daemon.json", units, noted, True)


def of_user(env: Mapping[str, str], home: Path) -> Daemon:
    """The engine of a user, which runs without root."""
    config = expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)
    data = expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)
    units = (f"{config}/systemd/user", f"{data}/systemd/user")
    noted = f"{env['XDG_RUNTIME_DIR']}/docker.pid" if env.get("XDG_RUNTIME_DIR") else ""
    return Daemon(f"{data}/docker", "default", f"{config}/docker/daemon.json", units, noted)


def machine_roots(env: Mapping[str, str], home: Path) -> Iterator[Place]:
    """The folder of the machine's engine where it may be looked into and nothing runs in it.

    A running engine tells itself what it holds, and what lies in its folder changes all the time.
    """
    engine = of_machine()
    for place in engine.roots(env, home):
        if isinstance(place, Problem) or (readable(place.path) and not engine.running()):
            yield place


def left_to_containerd() -> str:
    """Where the machine's containerd keeps what engines leave to it, unless its own settings name another folder."""
    return f"{MACHINE}/var/lib/containerd"


def readable(folder: str) -> bool:
    """Whether a folder may be looked into, or is not there."""
    effective = os.access in os.supports_effective_ids
    return not os.path.isdir(folder) or os.access(folder, os.R_OK | os.X_OK, effective_ids=effective)
