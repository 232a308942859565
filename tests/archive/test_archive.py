"""Away and back: on a folder, in memory, in a real S3 server; and everything that may be in the way."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from moto.server import ThreadedMotoServer

import makers
from archive.things import NAME, look, make
from modelyard.api import packing
from modelyard.apply.remote import Remote
from modelyard.apply.shelf import Folder
from reclaiming import holding
from typed import Run
from verify.looking import flip


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real S3 server on the loopback interface."""
    running = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket in it, which the environment leads to as it leads every client of S3."""
    import s3fs

    for name, value in {"ENDPOINT_URL": server, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("cold")
    return "s3://cold/models"


@pytest.fixture
def cold(home: Path) -> Path:
    """A folder on another disk, as far as anybody can tell."""
    place = home.parent / "cold"
    place.mkdir()
    return place


def archive(run: Run, target: object, code: int = 0) -> dict[str, Any]:
    """Archives the checkpoint."""
    answer = run("archive", NAME, str(target), "--yes", "--json")
    assert answer.code == code, answer.err + answer.out
    found: dict[str, Any] = json.loads(answer.out) if answer.out else {"why": answer.err}
    return found


def plan_of(document: dict[str, Any]) -> str:
    """The id of the plan that was made."""
    return str(document["receipt"]["journal_id"])


def recall(run: Run, name: str = NAME, code: int = 0) -> str:
    """Brings it back; what was said."""
    answer = run("recall", name, "--yes")
    assert answer.code == code, answer.err + answer.out
    return answer.out + answer.err


def test_everything_comes_back_as_it_was_from_every_shelf(home: Path, cold: Path, bucket: str, run: Run) -> None:
    folder = make(home)
    before = look(folder)
    for target in (cold, cold.as_uri(), "memory://models", bucket):
        found = archive(run, target)
        assert not folder.exists()
        assert found["stored"] < found["bytes"]
        listed = {each["id"]: each for each in json.loads(run("ls", "--json").out)["artifacts"]}
        assert listed["archived:runs/a/checkpoint-5"]["state"] == "archived"
        recall(run)
        assert look(folder) == before, target
        assert (folder / "sparse").stat().st_blocks * 512 < 1 << 20
        assert not [path for path in folder.parent.iterdir() if path.name.startswith(".modelyard")]


def test_undo_takes_both_back_and_purge_leaves_what_recall_needs(home: Path, cold: Path, run: Run) -> None:
    folder = make(home)
    before = look(folder)
    assert run("undo", plan_of(archive(run, cold))).code == 0
    assert look(folder) == before
    assert not list(folder.parent.glob("*.modelyard-archived"))
    assert run("purge", plan_of(archive(run, cold)), "--yes").code == 0
    answer = run("recall", NAME, "--yes", "--json")
    assert look(folder) == before
    assert run("undo", plan_of(json.loads(answer.out))).code == 0
    assert not folder.exists()
    recall(run)
    assert look(folder) == before


def test_what_is_kept_can_be_read_without_this_program(home: Path, cold: Path, run: Run) -> None:
    import zstandard

    folder = make(home)
    kept = {name: (folder / name).read_bytes() for name in ("model.bin", "optimizer.pt")}
    archive(run, cold)
    packed = next(cold.rglob("optimizer.pt.zst")).read_bytes()
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == kept["optimizer.pt"]
    assert next(cold.rglob("again.bin")).read_bytes() == kept["model.bin"], "random bytes are kept as they are"


def test_without_zstandard_nothing_is_packed(home: Path, cold: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "can_pack", lambda: False)
    folder = make(home)
    before = look(folder)
    found = archive(run, cold)
    assert found["stored"] == found["bytes"]
    recall(run)
    assert look(folder) == before


@pytest.mark.parametrize("victim", ["model", "optimizer.pt.zst", "missing"])
def test_an_archive_that_rots_gives_nothing_back_and_the_stub_stays(
    victim: str, home: Path, cold: Path, run: Run
) -> None:
    folder = make(home)
    archive(run, cold)
    stub = next(folder.parent.glob("*.modelyard-archived"))
    path = next(cold.rglob("again.bin" if victim != "optimizer.pt.zst" else victim))
    good = path.read_bytes()
    path.unlink() if victim == "missing" else flip(path)
    said = recall(run, code=1)
    assert "does not give back" in said or "No such file" in said
    assert not folder.exists()
    assert stub.exists()
    path.write_bytes(good)
    recall(run)
    assert folder.exists()


def test_a_shelf_that_does_not_give_back_what_it_took_changes_nothing(
    home: Path, cold: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(home)
    before = look(folder)
    real = Folder.put

    def losing(self: Folder, name: str, pieces: Iterable[bytes]) -> None:
        real(self, name, pieces)
        if "optimizer" in name:
            flip(next(cold.rglob("optimizer.pt*")))

    monkeypatch.setattr(Folder, "put", losing)
    assert "does not give back" in str(archive(run, cold, code=1)["why"])
    assert look(folder) == before
    assert not list(folder.parent.glob("*.modelyard-archived"))


def test_a_full_target_changes_nothing_here(home: Path, cold: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(home)
    before = look(folder)

    def full(self: Folder, name: str, pieces: Iterable[bytes]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "put", full)
        assert "No space left" in str(archive(run, cold, code=1)["why"])
    assert look(folder) == before
    archive(run, cold)


def test_half_an_object_is_no_object(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line breaks within a file: what is proven is not sent again."""
    folder = make(home)
    before = look(folder)
    MemoryFileSystem.store.clear()
    real, sent = Remote.put, []

    def breaking(self: Remote, name: str, pieces: Iterable[bytes]) -> None:
        sent.append(name)
        if "optimizer" in name and len(sent) < 9:
            raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        real(self, name, pieces)

    monkeypatch.setattr(Remote, "put", breaking)
    monkeypatch.setattr("modelyard.api.archiving.NOTE_EVERY", 0.0)
    archive(run, "memory://models", code=1)
    first = [name for name in sent if name.startswith("files/")]
    sent.extend([""] * 9)
    archive(run, "memory://models")
    second = [name for name in sent[sent.index("") :] if name.startswith("files/")]
    assert set(first[:-1]).isdisjoint(second)
    assert not [name for name in MemoryFileSystem.store if name.endswith("partial.json")]
    recall(run)
    assert look(folder) == before


def test_a_file_that_changes_while_it_is_sent_is_not_archived(
    home: Path, cold: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(home)
    real = Folder.put

    def writing(self: Folder, name: str, pieces: Iterable[bytes]) -> None:
        (folder / "optimizer.pt").write_bytes(b"new")
        real(self, name, pieces)

    monkeypatch.setattr(Folder, "put", writing)
    assert "written to" in str(archive(run, cold, code=1)["why"])
    assert (folder / "optimizer.pt").read_bytes() == b"new"


def test_a_file_that_appears_after_it_was_sent_stays_with_the_whole(
    home: Path, cold: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(home)
    real = Folder.drop

    def adding(self: Folder, name: str) -> None:
        real(self, name)
        (folder / "newer").write_bytes(b"newer")

    monkeypatch.setattr(Folder, "drop", adding)
    archive(run, cold, code=3)
    assert (folder / "newer").read_bytes() == b"newer"
    assert (folder / "model.bin").exists()
    assert not list(folder.parent.glob("*.modelyard-archived"))


def test_what_is_open_is_refused(home: Path, cold: Path, run: Run) -> None:
    folder = make(home)
    with holding(folder / "model.bin"):
        assert "is not archived" in str(archive(run, cold, code=4)["why"])
    assert folder.exists()


def test_what_its_owner_would_miss_is_refused_with_the_way_that_there_is(home: Path, cold: Path, run: Run) -> None:
    makers.hub_repo(home / ".cache/huggingface/hub", "models--acme--tiny", {"a.bin": b"x"})
    models = home / ".ollama/models"
    makers.ollama_model(models, "registry.ollama.ai/library/llama3/8b", [makers.ollama_blob(models, b"GGUF")])
    makers.conda_env(home / "miniconda3/envs/old")
    for name, way in (("acme/tiny", "clean hf --prove"), ("llama3:8b", "manifest"), ("conda:env/old", "env freeze")):
        answer = run("archive", name, str(cold), "--yes")
        assert answer.code == 4
        assert way in answer.err
    make(home)
    for target, why in (
        (cold / "no", "no folder"),
        (home / "runs/a/checkpoint-5/hollow", "inside"),
        ("s3://k:s@b", "password"),
    ):
        assert why in str(archive(run, target, code=4)["why"])
    assert "nobody can be asked" in run("archive", NAME, str(cold)).err
    assert run("archive", NAME, str(cold)).code == 4
    assert not list(cold.iterdir())
    assert run("archive", NAME, str(cold), "--dry-run").code == 0
    assert not list(cold.iterdir())


def test_a_place_that_is_taken_is_never_written_over(home: Path, cold: Path, run: Run) -> None:
    folder = make(home)
    archive(run, cold)
    makers.write(folder / "own", b"somebody's")
    assert "has its place" in recall(run, code=4)
    assert (folder / "own").read_bytes() == b"somebody's"
    assert "nothing archived is called" in recall(run, "checkpoint:none", code=4)


def test_the_folder_may_be_moved_with_its_stub(home: Path, cold: Path, run: Run) -> None:
    folder = make(home)
    before = look(folder)
    archive(run, cold)
    (home / "runs").rename(home / "moved")
    recall(run, str(home / "moved/a/checkpoint-5.modelyard-archived"))
    assert look(home / "moved/a/checkpoint-5") == before


def test_a_model_file_with_several_names_comes_back_with_all_of_them(home: Path, cold: Path, run: Run) -> None:
    one = makers.write(home / "models/tiny.gguf", b"GGUF" + os.urandom(60_000_000))
    (home / "more").mkdir()
    os.link(one, home / "more/same.gguf")
    digest = look(home / "models")[b"tiny.gguf"].content
    name = next(each for each in run("ls", "-q").out.split() if each.startswith("loose:"))
    answer = run("archive", name, str(cold), "--yes")
    assert answer.code == 0, answer.err
    assert not one.exists()
    recall(run, name)
    assert look(home / "models")[b"tiny.gguf"].content == digest
    assert one.samefile(home / "more/same.gguf")
