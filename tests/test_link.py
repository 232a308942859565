"""`modelyard link`: one tool's model in another without a second copy, where both tolerate it, and taken away again."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir, try_to_load_from_cache

import makers
import weights
from modelyard.api import reclaim
from modelyard.apply.disk import Disk
from typed import Answer, Run
from walk.disks import MIB, free_bytes, fresh_disk

DATA = os.urandom(8 * MIB)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Path]:
    """A home on a disk whose files can share extents."""
    with fresh_disk("xfs", tmp_path) as disk:
        (disk / "home").mkdir()
        yield disk / "home"


def programs(home: Path) -> None:
    """Every tool that can take a model, empty."""
    makers.write(home / ".lmstudio" / "settings.json", "{}")
    makers.write(home / ".lmstudio" / "models" / "a" / "b" / "c.gguf", b"GGUF")
    makers.write(home / ".ollama" / "models" / "manifests" / "x", "")
    makers.write(home / ".cache" / "huggingface" / "hub" / "version.txt", "1")
    makers.write(home / ".cache" / "llama.cpp" / "x.gguf", b"GGUF")
    comfy = home / "ComfyUI"
    for name in (
        "main.py",
        "folder_paths.py",
        "nodes.py",
        "models/vae/put_vae_here",
        "custom_nodes/x.py",
        "comfy/x.py",
    ):
        makers.write(comfy / name, "")


def in_hub(home: Path) -> bytes:
    """A GGUF model in the hub's cache; its content."""
    content = weights.gguf(home / "made", DATA).read_bytes()
    (home / "made").unlink()
    makers.hub_repo(home / ".cache" / "huggingface" / "hub", "models--acme--tiny", {"tiny.Q4_0.gguf": content})
    return content


def linked(run: Run, home: Path, target: str, *words: str) -> Answer:
    """The command about that home."""
    return run("link", "hf:model/acme/tiny", "--into", target, "--home", str(home), "--yes", *words)


PLACES = {
    "lmstudio": ".lmstudio/models/acme/tiny/tiny.Q4_0.gguf",
    "llamacpp": ".cache/llama.cpp/acme_tiny_tiny.Q4_0.gguf",
    "comfyui": "ComfyUI/models/diffusion_models/tiny.Q4_0.gguf",
}


@pytest.mark.parametrize("target", list(PLACES))
def test_a_model_of_the_hub_is_there_in_another_tool_without_a_second_copy(run: Run, there: Path, target: str) -> None:
    programs(there)
    content, free = in_hub(there), free_bytes(there)
    answer = linked(run, there, target, *(("--folder", "diffusion_models") if target == "comfyui" else ()))
    assert answer.code == 0, answer.err
    made = there / PLACES[target]
    assert made.read_bytes() == content
    assert free - free_bytes(there) < MIB
    assert target in run("ls", "--home", str(there)).out
    again = linked(run, there, target, *(("--folder", "diffusion_models") if target == "comfyui" else ()))
    assert again.code == 4
    assert "something is there already" in again.err
    with made.open("r+b") as file:
        file.write(b"????")
    blob = there / ".cache/huggingface/hub/models--acme--tiny/blobs" / hashlib.sha256(content).hexdigest()
    assert blob.read_bytes() == content
    assert "it was changed since, so it stays" in run("undo", "--home", str(there)).out
    made.write_bytes(content)


def test_undo_takes_it_away_again(run: Run, there: Path) -> None:
    programs(there)
    in_hub(there)
    assert linked(run, there, "lmstudio").code == 0
    assert (there / PLACES["lmstudio"]).exists()
    assert run("undo", "--home", str(there)).code == 0
    assert not (there / PLACES["lmstudio"]).exists()


@pytest.mark.parametrize("target", ["lmstudio", "huggingface"])
def test_undo_leaves_no_folder_that_was_not_there(run: Run, there: Path, target: str) -> None:
    programs(there)
    in_hub(there)
    (kept := there / ".lmstudio" / "models" / "mine").mkdir()
    before = below(there)
    answer = linked(run, there, target, "--as", "mine/a")
    assert answer.code == 0
    assert ('"mine/a", gguf_file="tiny.Q4_0.gguf"' in answer.out) == (target == "huggingface")
    assert below(there) != before
    assert run("undo", "--home", str(there)).code == 0
    assert below(there) == before
    assert kept.is_dir()


def test_a_folder_that_got_something_else_stays(run: Run, there: Path) -> None:
    programs(there)
    in_hub(there)
    assert linked(run, there, "lmstudio").code == 0
    mine = makers.write(there / ".lmstudio" / "models" / "acme" / "mine.txt", "mine")
    assert run("undo", "--home", str(there)).code == 0
    assert mine.read_text() == "mine"
    assert list(mine.parent.iterdir()) == [mine]


def below(there: Path) -> set[Path]:
    """Every name in a home but for where modelyard keeps its own."""
    return {path for path in there.rglob("*") if path.relative_to(there).parts[0] not in (".local", ".config")}


class Refusing(Disk):
    """Cannot make the second of two files."""

    def share(self, source: int, start: int, length: int, target: int, at: int) -> None:
        """Fails for it."""
        if b"beta" in os.fsencode(os.readlink(f"/proc/self/fd/{source}")):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().share(source, start, length, target, at)


def test_half_a_model_is_left_nowhere(run: Run, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(there)
    for name in ("alpha", "beta"):
        weights.safetensors(there / f".lmstudio/models/acme/two/{name}.safetensors", {name: ("U8", [8], b"x" * 8)})
    before = below(there)
    monkeypatch.setattr(reclaim, "Disk", Refusing)
    words = ("lmstudio:acme/two", "--into", "huggingface", "--home", str(there), "--yes")
    answer = run("link", *words)
    assert answer.code == 3
    assert "EIO" in answer.out
    assert below(there) == before
    monkeypatch.undo()
    assert run("link", *words).code == 0


def test_the_hubs_own_client_finds_what_was_linked_into_its_cache(run: Run, there: Path) -> None:
    programs(there)
    data = {"w": ("U8", [len(DATA)], DATA)}
    weights.safetensors(there / ".lmstudio" / "models" / "acme" / "small" / "model.safetensors", data)
    makers.write(there / ".lmstudio" / "models" / "acme" / "small" / "config.json", '{"model_type": "llama"}')
    answer = run("link", "lmstudio:acme/small", "--into", "huggingface", "--home", str(there), "--yes")
    assert answer.code == 0, answer.err
    hub = there / ".cache" / "huggingface" / "hub"
    for name in ("model.safetensors", "config.json"):
        found = try_to_load_from_cache("acme/small", name, cache_dir=hub)
        assert isinstance(found, str)
        assert Path(found).read_bytes() == (there / ".lmstudio/models/acme/small" / name).read_bytes()
    assert 'from_pretrained("acme/small", local_files_only=True)' in answer.out
    (repo,) = scan_cache_dir(hub).repos
    assert repo.repo_id == "acme/small"
    assert "hf:model/acme/small" in run("ls", "-q", "--home", str(there)).out
    again = run("link", "lmstudio:acme/small", "--into", "huggingface", "--home", str(there), "--yes")
    assert again.code == 4


class Ollama(ThreadingHTTPServer):
    """A server with the part of Ollama's API that makes a model of a blob (docs/api.md), over a folder of models."""

    daemon_threads = True
    models: Path
    made: dict[str, str]
    log: list[str]


class Handler(BaseHTTPRequestHandler):
    """Its answers."""

    server: Ollama

    def _answer(self, status: int, content: object = None) -> None:
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _handle(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        made, path = self.server.made, self.path
        self.server.log.append(f"{self.command} {path}")
        if path == "/api/tags":
            self._answer(200, {"models": [{"name": each, "model": each, "digest": "d"} for each in made]})
        elif path == "/api/ps":
            self._answer(200, {"models": []})
        elif path.startswith("/api/blobs/"):
            blob = self.server.models / "blobs" / path.rpartition("/")[2].replace(":", "-")
            self._answer(200 if blob.exists() else 404)
        elif path == "/api/create":
            (digest,) = body["files"].values()
            made[body["model"]] = digest.replace(":", "-")
            self._answer(200, {"status": "success"})
        elif path == "/api/show":
            self._answer(200, {"modelfile": f"FROM {self.server.models}/blobs/{made[body['model']]}\n"})
        elif path == "/api/delete":
            (self.server.models / "blobs" / made.pop(body["model"])).unlink()
            self._answer(200)

    do_GET = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815 - the names of the standard library

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(there: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ollama]:
    """A running server."""
    with Ollama(("127.0.0.1", 0), Handler) as made:
        made.models, made.made, made.log = there / ".ollama" / "models", {}, []
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{made.server_address[1]}")
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_ollamas_server_makes_a_model_of_the_file_that_lies_there(run: Run, there: Path, server: Ollama) -> None:
    programs(there)
    content, free = in_hub(there), free_bytes(there)
    answer = linked(run, there, "ollama")
    assert answer.code == 0, answer.err
    digest = hashlib.sha256(content).hexdigest()
    assert server.made == {"tiny:latest": f"sha256-{digest}"}
    assert "ollama run tiny:latest" in answer.out
    assert free - free_bytes(there) < MIB
    assert not [each for each in server.log if each.startswith("POST /api/blobs")]
    taken = linked(run, there, "ollama")
    assert taken.code == 3
    assert "has a model of this name already" in taken.out
    journal = json.loads(run("journal", "--home", str(there), "--json").out)["journals"]
    (made,) = [each["id"] for each in journal if each["id"] in answer.out]
    assert run("undo", "--home", str(there), made).code == 0
    assert server.made == {}
    assert not (there / ".ollama" / "models" / "blobs").exists()


def test_a_server_that_keeps_its_models_elsewhere_makes_none(run: Run, there: Path, server: Ollama) -> None:
    programs(there)
    in_hub(there)
    server.models = there / "elsewhere"
    answer = linked(run, there, "ollama")
    assert answer.code == 3
    assert "keeps its models in another folder" in answer.out
    assert server.made == {}


def test_without_a_server_ollama_gets_nothing(run: Run, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    programs(there)
    in_hub(there)
    answer = linked(run, there, "ollama")
    assert answer.code == 4
    assert "ollama serve" in answer.err
    assert not (there / ".ollama" / "models" / "blobs").exists()


def test_a_blob_that_is_not_what_its_name_says_is_linked_nowhere(run: Run, there: Path, server: Ollama) -> None:
    programs(there)
    content = in_hub(there)
    blob = there / ".cache/huggingface/hub/models--acme--tiny/blobs" / hashlib.sha256(content).hexdigest()
    blob.write_bytes(content[:-1] + b"?")
    answer = linked(run, there, "ollama")
    assert answer.code == 4
    assert "not what its name says" in answer.err
    assert server.made == {}


def test_without_shared_extents_only_files_that_nobody_rewrites_become_hard_links(run: Run, home: Path) -> None:
    programs(home)
    content = in_hub(home)
    assert linked(run, home, "lmstudio").code == 0
    made = home / PLACES["lmstudio"]
    assert made.stat().st_nlink == 2
    assert run("undo").code == 0
    assert not made.exists()
    weights.gguf(home / "work" / "mine.gguf", os.urandom(60 * MIB))
    answer = run("link", "loose:work/mine.gguf", "--into", "lmstudio", "--yes")
    assert answer.code == 4
    assert "whoever made the file may write into it" in answer.err
    assert (
        content
        == (home / ".cache/huggingface/hub/models--acme--tiny/blobs" / hashlib.sha256(content).hexdigest()).read_bytes()
    )


@pytest.mark.parametrize(
    ("item", "target", "why"),
    [
        ("hf:model/acme/tiny", "comfyui", "name one of ComfyUI's folders with --folder"),
        ("lmstudio:acme/small", "llamacpp", "llama.cpp loads gguf, and this is safetensors"),
        ("lmstudio:a/b@c", "huggingface", "it holds neither GGUF nor safetensors files"),
    ],
)
def test_what_has_no_way_is_refused_with_the_reason(run: Run, home: Path, item: str, target: str, why: str) -> None:
    programs(home)
    in_hub(home)
    weights.safetensors(home / ".lmstudio/models/acme/small/model.safetensors", {"w": ("U8", [8], b"x" * 8)})
    answer = run("link", item, "--into", target, "--yes")
    assert answer.code == 4, answer.err
    assert why in answer.err
