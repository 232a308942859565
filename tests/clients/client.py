"""Runs real clients, each in a process and a home of its own, without a way to any network but the loopback one."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import distributions
from pathlib import Path

import pytest

DEPS = Path(__file__).parents[2] / ".deps"
CLIENTS = Path(os.environ.get("MODELYARD_CLIENTS") or DEPS / "clients")
PYTHON = CLIENTS / "bin" / "python"
PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = 120  # seconds until a client that hangs fails its test
NOWHERE = "http://127.0.0.1:9"
"""A proxy that nobody serves: whoever wants to leave the machine is refused at once."""
Words = Sequence[object]


@dataclass(frozen=True)
class Package:
    """A client: the program that uses it, the package whose version counts, and its folder if it has its own."""

    program: str
    name: str
    folder: Path | None = None

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def version(self) -> str:
        """Its version, or that it is missing: then its tests fail."""
        places = [self.folder] if self.folder else sorted(CLIENTS.glob("lib/python3*/site-packages"))
        beside = Path(pytest.__file__).parents[1]  # what the tests themselves need, the clients see too
        for found in distributions(name=self.name, path=[str(place) for place in (*places, beside)]):
            return found.version
        return "missing"


def runs(program: str, name: str, folder: Path | None = None) -> pytest.MarkDecorator:
    """For the tests of one client: the version that runs is part of their names."""
    each = [Package(program, name, folder)]
    return pytest.mark.parametrize("client", each, ids=str, indirect=True, scope="module")


@dataclass(frozen=True)
class Client:
    """A client with its home. A call is a verb of its program and what the verb is told."""

    package: Package
    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    def told(self, **settings: object) -> Client:
        """The same client with further variables."""
        return replace(self, settings=self.settings | {name: str(value) for name, value in settings.items()})

    @property
    def temporary(self) -> Path:
        """Where its temporary files go, beside its home."""
        return self.home.parent / "temporary"

    @property
    def env(self) -> dict[str, str]:
        """All the variables it sees."""
        self.temporary.mkdir(exist_ok=True)
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
        return {
            "PATH": f"{CLIENTS / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LOGNAME": "someone",
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(self.package.folder or ""),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
            **proxies,
            **self.settings,
        }

    def call(self, *words: object, cwd: Path | None = None) -> object:
        """One call, and what it gave."""
        return self.calls(words, cwd=cwd)[0]

    def calls(self, *calls: Words, cwd: Path | None = None) -> list[object]:
        """Calls in one process, one after the other, and what each gave."""
        found: list[object] = json.loads(self._finish(self._start(*calls, cwd=cwd)).splitlines()[-1])
        return found

    def shell(self, *words: object, cwd: Path | None = None) -> str:
        """A command of the client, and what it printed."""
        return self._finish(self._command(*words, cwd=cwd))

    def fails(self, *words: object) -> str:
        """One call that ends with an error, and what it said."""
        running = self._start(words)
        out, err = _ended(running)
        assert running.returncode > 0, out
        return err

    def kill(self, until: Callable[[], bool], *words: object) -> None:
        """One call that is killed as soon as something is so."""
        _killed(self._start(words), until)

    def kill_shell(self, until: Callable[[], bool], *words: object) -> None:
        """A command that is killed as soon as something is so."""
        _killed(self._command(*words), until)

    @contextmanager
    def running(self, *words: object) -> Iterator[subprocess.Popen[str]]:
        """One call that goes on until one has seen enough."""
        with self._start(words) as process:
            try:
                yield process
            finally:
                process.kill()

    def _start(self, *calls: Words, cwd: Path | None = None) -> subprocess.Popen[str]:
        told = json.dumps([[str(word) for word in each] for each in calls])
        return self._command(PYTHON, PROGRAMS / "driver.py", self.package.program, told, cwd=cwd)

    def _command(self, *words: object, cwd: Path | None = None) -> subprocess.Popen[str]:
        command, pipe = [str(each) for each in words], subprocess.PIPE
        return subprocess.Popen(command, env=self.env, cwd=cwd or self.home, text=True, stdout=pipe, stderr=pipe)

    def _finish(self, running: subprocess.Popen[str]) -> str:
        out, err = _ended(running)
        assert running.returncode == 0, f"{out}\n{err}"
        return out


def _ended(running: subprocess.Popen[str]) -> tuple[str, str]:
    with running:
        try:
            return running.communicate(timeout=PATIENCE)
        finally:
            running.kill()


def _killed(running: subprocess.Popen[str], until: Callable[[], bool]) -> None:
    with running:
        try:
            deadline = time.monotonic() + PATIENCE
            while not until():
                assert running.poll() is None, "".join(running.communicate())
                assert time.monotonic() < deadline, "what was waited for did not come"
                time.sleep(0.02)
        finally:
            running.kill()
            running.communicate()


def holds(folder: Path, size: int = 1_000_000) -> Callable[[], bool]:
    """Whether the files under a folder have grown to so many bytes; they may be moved while one looks."""

    def grown() -> bool:
        with suppress(FileNotFoundError):
            return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) > size
        return False

    return grown
