"""RamaLama 0.25 fills its store from files and from a server on the loopback interface."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import pytest

import makers
from modelyard.inventory import Artifact
from real.surveys import by_id, survey

START = "import sys; from ramalama.cli import main; sys.argv[0] = 'ramalama'; main()"
TEMPLATE = "tokenizer.chat_template"


def gguf(path: Path, weights: bytes, template: str = "{{ messages }}") -> Path:
    """A model file with a header that RamaLama reads, and no tensors."""

    def text(value: str) -> bytes:
        data = value.encode()
        return struct.pack("<Q", len(data)) + data

    pairs = {"general.architecture": "llama", TEMPLATE: template}
    header = b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs))
    body = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in pairs.items())
    return makers.write(path, header + body + weights)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing; of a slow one half, until it may go on."""

    halfway, go_on = threading.Event(), threading.Event()

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
        """Sends the content."""
        content = source.read()
        if not self.path.endswith("slow.gguf"):
            outputfile.write(content)
            return
        outputfile.write(content[: len(content) // 2])
        outputfile.flush()
        self.halfway.set()
        self.go_on.wait(120)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address below which its files can be had."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def store(home: Path) -> Path:
    """Where RamaLama keeps models in the home of the test."""
    return home / ".local" / "share" / "ramalama"


def start(runners: Path, store: Path, *words: str) -> subprocess.Popen[str]:
    """Begins one call without waiting for its end."""
    env = {"PATH": os.environ["PATH"], "HOME": str(store.parents[2]), "PYTHONPATH": str(runners)}
    command = [sys.executable, "-c", START, "--store", str(store), "--nocontainer", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=env, text=True, stdout=pipe, stderr=pipe, cwd=store.parents[2])


def call(runners: Path, store: Path, *words: str) -> str:
    """What RamaLama prints."""
    with start(runners, store, *words) as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    return out


def found(home: Path) -> dict[str, Artifact]:
    """RamaLama's artifacts in a home."""
    return by_id(survey(home), "ramalama")


def test_it_lists_what_the_program_lists(runners: Path, store: Path, home: Path, served: tuple[Path, str]) -> None:
    gguf(served[0] / "tiny.gguf", b"w" * 200_000)
    own = gguf(home / "own.gguf", b"o" * 100_000)
    call(runners, store, "pull", f"http://{served[1]}/tiny.gguf")
    call(runners, store, "pull", own.as_uri())
    listed = {each["name"]: each["size"] for each in json.loads(call(runners, store, "ls", "--json"))}
    seen = found(home)
    told = {name.removeprefix("ramalama:").removesuffix(":latest"): each for name, each in seen.items()}
    assert {name.replace(":///", "://").removesuffix(":latest") for name in listed} == set(told)
    for name, size in listed.items():
        held = told[name.replace(":///", "://").removesuffix(":latest")]
        assert held.state == "complete"
        assert size <= held.sizes.apparent < size + 10_000  # the tag, the folders and the template beside the model
    assert {each.recovery for name, each in told.items() if name.startswith("file")} == {"none"}
    assert {each.recovery for name, each in told.items() if name.startswith("http")} == {"re-get"}


def test_removing_one_frees_what_was_foretold(runners: Path, store: Path, home: Path, served: tuple[Path, str]) -> None:
    gguf(served[0] / "tiny.gguf", b"w" * 300_000)
    call(runners, store, "pull", f"http://{served[1]}/tiny.gguf")
    (only,) = found(home).values()
    before = survey(home).tree.totals().allocated
    call(runners, store, "rm", json.loads(call(runners, store, "ls", "--json"))[0]["name"])
    after = survey(home).tree.totals().allocated
    assert not found(home)
    assert 0 <= before - after - only.sizes.freed <= 4 * 4096  # the emptied folders went too


def test_what_it_leaves_when_it_is_killed_halfway(
    runners: Path, store: Path, home: Path, served: tuple[Path, str]
) -> None:
    gguf(served[0] / "slow.gguf", b"w" * 4_000_000)
    with start(runners, store, "pull", f"http://{served[1]}/slow.gguf") as running:
        assert Quiet.halfway.wait(60)
        deadline = time.monotonic() + 60
        while not any(each.stat().st_size for each in store.rglob("blobs/*.partial")):
            assert time.monotonic() < deadline, "it wrote nothing of what it was sent"
            time.sleep(0.02)
        running.kill()
    Quiet.go_on.set()
    assert {each.state for each in found(home).values()} == {"dangling", "partial"}
    (half,) = [each for each in found(home).values() if each.state == "partial"]
    assert half.sizes.apparent == sum(each.stat().st_size for each in store.rglob("blobs/*.partial")) > 0
