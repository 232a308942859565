"""Runs a real client of the hub in a process of its own, with a cache of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from real.hub_server import Hub, etag_of

PROGRAM = Path(__file__).parent / "programs" / "hub_client.py"
OLD = Path(os.environ.get("MODELYARD_OLD_HUB") or Path(__file__).parents[2] / ".deps" / "hub-0.36")
PATIENCE = 60  # seconds until a client that hangs fails its test


@dataclass(frozen=True)
class Scanned:
    """What the client's own listing says: bytes in all, bytes and refs of each repository, what it left out."""

    size: int
    sizes: dict[str, int]
    refs: dict[str, dict[str, list[str]]]
    warnings: list[str]


SUBSTANTIAL = 100_000  # more than the small files that arrive beside the stalled one


def _size(path: Path) -> int:
    """Bytes of a file that may go away at any moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@dataclass(frozen=True)
class Client:
    """A client of one version, for one server and one HF_HOME."""

    hub: Hub
    folder: Path
    old: bool = False
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def cache(self) -> Path:
        """Where its repositories are."""
        return self.folder / "hub"

    @property
    def env(self) -> dict[str, str]:
        """All the variables it sees."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "HF_HOME": str(self.folder),
            "HF_ENDPOINT": self.hub.url,
            "XET_STORE": self.hub.chunk_store,
            "PYTHONPATH": str(OLD) if self.old else "",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **dict(self.settings),
        }

    @property
    def offline(self) -> Client:
        """The same client without its server."""
        return replace(self, settings=(*self.settings, ("HF_HUB_OFFLINE", "1")))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begins one call without waiting for its end."""
        command = [sys.executable, str(PROGRAM), *words]
        return subprocess.Popen(command, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def cli(self, *words: str) -> str:
        """A command of its own program, and all that it printed."""
        command = [sys.executable, "-m", "huggingface_hub.cli.hf", "cache", *words]
        done = subprocess.run(command, env=self.env, text=True, capture_output=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def call(self, *words: str) -> str:
        """One call, and what it printed."""
        with self.start(*words) as running:
            out, err = running.communicate(timeout=PATIENCE)
        assert running.returncode == 0, err
        return out.splitlines()[-1]

    def download(self, address: str, revision: str = "main", *files: str) -> Path:
        """A revision, or some of its files, into the cache; gives the folder of the repository."""
        self.call("snapshot", address, revision, *files)
        return self.cache / address.replace("/", "--")

    def break_off(self, address: str) -> Path:
        """A download that is killed when half of the stalled files is there, and the others have their names."""
        self.hub.halfway.clear()
        with self.start("snapshot", address, "main") as running:
            assert self.hub.halfway.wait(PATIENCE)
            folder = self.cache / address.replace("/", "--")
            repository = self.hub.repositories[address]
            commit = repository.refs["main"]
            self._await(folder, {folder / "snapshots" / commit / name for name in repository.commits[commit]})
            running.kill()
        return folder

    def _await(self, folder: Path, names: set[Path]) -> None:
        wanted = {path for path in names if path.name not in self.hub.stalled}
        deadline = time.monotonic() + PATIENCE
        while not all(path.is_symlink() for path in wanted) or not any(
            _size(each) > SUBSTANTIAL for each in folder.glob("blobs/*.incomplete")
        ):
            assert time.monotonic() < deadline, "the client wrote nothing of what it was sent"
            time.sleep(0.02)

    def delete(self, *commits: str) -> None:
        """Deletes revisions the client's way."""
        self.call("delete", *commits)

    def scan(self) -> Scanned:
        """The client's own listing of its cache."""
        seen = json.loads(self.call("scan"))
        repos = seen["repos"].items()
        return Scanned(
            seen["size"],
            {name: repo["size"] for name, repo in repos},
            {name: repo["revisions"] for name, repo in repos},
            seen["warnings"],
        )

    def keep_in_xet(self, files: dict[str, bytes]) -> None:
        """Puts contents into the chunk store, from where new clients fetch them."""
        paths = {f"{self.hub.chunks}-{number}": content for number, content in enumerate(files.values())}
        for path, content in paths.items():
            Path(path).write_bytes(content)
        hashes: dict[str, str] = json.loads(self.call("upload", *paths))
        for name, (path, content) in zip(files, paths.items(), strict=True):
            self.hub.xet[etag_of(name, content)] = hashes[path]
            Path(path).unlink()
