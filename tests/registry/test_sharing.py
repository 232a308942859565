"""A version that goes to other places and comes back: every digest verified, nothing of another version lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import fsspec.implementations.memory
import numpy as np
import pytest

import modelyard as my
from modelyard.apply.folder import Folder
from modelyard.library import Registry, RegistryError
from modelyard.registry.pulling import receive
from modelyard.registry.remotes.urls import UrlRemote
from registry.forging import forge

KEYS = {"AWS_ACCESS_KEY_ID": "some", "AWS_SECRET_ACCESS_KEY": "thing", "AWS_DEFAULT_REGION": "us-west-2"}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture
def here(tmp_path: Path) -> Registry:
    """A registry with two versions."""
    registry = my.Registry(tmp_path / "here")
    for at in range(2):
        registry.save({"w": np.arange(5000, dtype=np.float32) + at}, "team/net", metrics={"f1": 0.5 + at / 10})
    return registry


@pytest.fixture
def there(tmp_path: Path) -> Registry:
    """An empty registry."""
    return my.Registry(tmp_path / "there")


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, Any]]:
    """A server of S3 with a bucket, as options of its client."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=os.environ | KEYS) as process:
        assert process.stderr is not None
        url = next(line for line in process.stderr if b"http://127.0.0.1" in line).decode().split()[-1]
        options = {"endpoint_url": url, "key": "some", "secret": "thing", "client_kwargs": {"region_name": "us-west-2"}}
        try:
            _wait(url)
            fsspec.filesystem("s3", **options).mkdir("models")
            yield options
        finally:
            process.kill()


def _wait(url: str) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url)
            return
        time.sleep(0.1)


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """An address and the options of its client, of each kind."""
    kind = request.param
    if kind == "s3":
        options = request.getfixturevalue("s3")
        return f"s3://models/{tmp_path.name}", options
    return {
        "folder": str(tmp_path / "shared"),
        "file": f"file://{tmp_path}/shared",
        "memory": f"memory://{tmp_path.name}",
    }[kind], {}


def test_a_version_comes_back_as_it_was(place: tuple[str, dict[str, Any]], here: Registry, there: Registry) -> None:
    address, options = place
    pushed = here.push("team/net@1.0.0", address, **options)
    here.push("team/net", address, **options)
    assert (pushed.verified, "SHA256SUMS" in pushed.files) == ("read back", True)
    assert pushed.address.endswith("/team/net/v1.0.0")
    assert str(there.pull(pushed.address, **options)) == "team/net@1.0.0"
    assert str(there.pull(address, "team/net@^1", **options)) == "team/net@1.1.0"
    for which in ("team/net@1.0.0", "team/net@1.1.0"):
        assert contents(there.path(which)) == contents(here.path(which))
        assert {each.state for each in there.verify(which)} == {"ok"}
    assert there.load("team/net")["w"][0] == 1
    assert here.push("team/net@1.0.0", address, **options) == pushed
    assert str(there.pull(pushed.address, **options)) == "team/net@1.0.0"


def test_another_version_of_that_number_stays(
    place: tuple[str, dict[str, Any]], here: Registry, there: Registry
) -> None:
    address, options = place
    here.push("team/net@1.0.0", address, **options)
    there.save({"w": np.zeros(9)}, "team/net")
    before = contents(there.path("team/net"))
    for work in (
        lambda: there.pull(address, "team/net@1.0.0", **options),
        lambda: there.push("team/net", address, **options),
    ):
        with pytest.raises(RegistryError, match=r"another team/net@1\.0\.0") as caught:
            work()
        assert caught.value.code == "version-exists"
    assert contents(there.path("team/net")) == before
    other = my.Registry(there.root + "-other")
    other.pull(address, "team/net", **options)
    assert contents(other.path("team/net")) == contents(here.path("team/net@1.0.0"))


def test_a_wrong_digest_never_appears(place: tuple[str, dict[str, Any]], here: Registry, there: Registry) -> None:
    address, options = place
    pushed = here.push("team/net@1.0.0", address, **options)
    url = pushed.address if "://" in pushed.address else f"file://{pushed.address}"
    fs, path = fsspec.core.url_to_fs(url, **options)
    data = bytearray(fs.cat_file(f"{path}/model.safetensors"))
    data[-1] ^= 1
    if "file" in fs.protocol:
        Path(path, "model.safetensors").chmod(0o644)
    for changed in (bytes(data), bytes(data[:-9]), bytes(data) + b"more"):
        fs.pipe_file(f"{path}/model.safetensors", changed)
        with pytest.raises(RegistryError) as caught:
            there.pull(address, "team/net", **options)
        assert caught.value.code == "wrong-digest"
        with pytest.raises(RegistryError):
            here.push("team/net@1.0.0", address, **options)
        assert not list(Path(there.root).rglob("v*"))
        assert not list(Path(there.root, "team/net").glob(".modelyard-version-*"))


class Broken(fsspec.implementations.memory.MemoryFileSystem):  # type: ignore[misc]
    """A store whose connection breaks, or that keeps something else, after so many files."""

    protocol, cachable = "broken", False
    left = 99
    lies = False

    def put_file(self, lpath: str, rpath: str, **told: Any) -> None:
        self._count()
        super().put_file(lpath, rpath, **told)
        if self.lies:
            self.pipe_file(rpath, b"x" * len(self.cat_file(rpath)))

    def pipe_file(self, path: str, value: bytes, **told: Any) -> None:
        self._count()
        super().pipe_file(path, value, **told)

    def cat_file(self, path: str, **told: Any) -> bytes:
        self._count()
        return bytes(super().cat_file(path, **told))

    def _count(self) -> None:
        type(self).left -= 1
        if self.left < 0:
            raise ConnectionResetError("connection reset by peer")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> type[Broken]:
    """Such a store, whole for now."""
    fsspec.register_implementation("broken", Broken, clobber=True)
    Broken.store.clear()
    monkeypatch.setattr(Broken, "left", 99)
    monkeypatch.setattr(Broken, "lies", False)
    return Broken


def test_a_push_that_breaks_half_way_is_no_version_and_can_be_repeated(
    here: Registry, there: Registry, broken: type[Broken]
) -> None:
    for count in range(6):
        broken.store.clear()
        broken.left = count
        with pytest.raises(RegistryError, match="connection reset") as caught:
            here.push("team/net", "broken://a")
        broken.left = 99
        assert caught.value.code == "remote"
        if count < 5:
            with pytest.raises(RegistryError):
                there.pull("broken://a", "team/net")
    here.push("team/net", "broken://a")
    there.pull("broken://a", "team/net")
    assert contents(there.path("team/net")) == contents(here.path("team/net"))


def test_a_pull_that_breaks_half_way_leaves_nothing(here: Registry, there: Registry, broken: type[Broken]) -> None:
    here.push("team/net", "broken://a")
    for count in range(3):
        broken.left = count
        with pytest.raises(RegistryError, match="connection reset"):
            there.pull("broken://a/team/net/v1.1.0")
        assert not list(Path(there.root).rglob("*metadata.json"))


def test_a_store_that_keeps_something_else_is_found_out(here: Registry, broken: type[Broken]) -> None:
    broken.lies = True
    with pytest.raises(RegistryError, match="not the file that was sent"):
        here.push("team/net", "broken://a")
    assert not [each for each in broken.store if each.endswith("SHA256SUMS")]


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "metadata.json", "model.safetensors/inside", "a//b"])
def test_metadata_that_name_files_elsewhere_are_refused(here: Registry, there: Registry, path: str) -> None:
    folder = here.path("team/net")
    told = json.loads((folder / "metadata.json").read_text())
    told["files"].append({"path": path, "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()})
    text = json.dumps(told).encode()
    lines = [f"{each['sha256']}  {each['path']}" for each in told["files"]]
    lines.append(f"{hashlib.sha256(text).hexdigest()}  metadata.json")
    evil = Evil({"metadata.json": text, "SHA256SUMS": ("\n".join(lines) + "\n").encode()}, folder)
    before = set(Path(there.root).parent.iterdir())
    with pytest.raises(RegistryError) as caught:
        receive(there.root, evil, None)
    assert caught.value.code in ("damaged-metadata", "damaged-sums")
    assert set(Path(there.root).parent.iterdir()) == before


class Evil:
    """A place that has a file under every name that it tells."""

    address = "evil"

    def __init__(self, own: dict[str, bytes], folder: Path) -> None:
        self.own, self.folder = own, folder

    def read(self, name: str) -> bytes | None:
        return self.own[name]

    def fetch(self, name: str, size: int, made: Folder) -> None:
        path = self.folder / name
        made.write(name, path.read_bytes() if size > 1 else b"x")


@pytest.mark.parametrize("at", ["model.safetensors", "SHA256SUMS"])
@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_of_two_who_push_the_same_number_at_once_one_is_refused_and_the_other_stays(
    kind: str, at: str, request: pytest.FixtureRequest, here: Registry, there: Registry, tmp_path: Path
) -> None:
    options = request.getfixturevalue("s3") if kind == "s3" else {}
    address = f"s3://models/{tmp_path.name}" if kind == "s3" else f"memory://{tmp_path.name}"
    there.save({"w": np.zeros(900)}, "team/net", version="1.1.0")
    usual = UrlRemote._put

    def late(self: UrlRemote, source: Any, name: str, what: Any, which: Any) -> None:
        if name == at:
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(UrlRemote, "_put", usual)
                if source.fs.exists(source.path):
                    source.fs.rm(source.path, recursive=True)
                there.push("team/net", address, **options)
        usual(self, source, name, what, which)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(UrlRemote, "_put", late)
        with pytest.raises(RegistryError) as caught:
            here.push("team/net", address, **options)
    assert caught.value.code == ("version-exists" if at == "SHA256SUMS" else "wrong-digest")
    other = my.Registry(tmp_path / "other")
    other.pull(address, "team/net", **options)
    assert contents(other.path("team/net")) == contents(there.path("team/net"))


def test_a_damaged_version_is_not_pushed(here: Registry, tmp_path: Path) -> None:
    path = here.path("team/net") / "model.safetensors"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    for address in (str(tmp_path / "shared"), "memory://damaged"):
        with pytest.raises(RegistryError) as caught:
            here.push("team/net", address)
        assert caught.value.code == "wrong-digest"
    assert not fsspec.filesystem("memory").exists("/damaged")
    assert not list((tmp_path / "shared").rglob("*.safetensors"))


def test_addresses_that_mean_nothing(here: Registry, there: Registry) -> None:
    for address, code in (("", "bad-address"), ("hf://noorg", "bad-address"), ("nosuch://x", "remote")):
        with pytest.raises(RegistryError) as caught:
            here.push("team/net", address)
        assert caught.value.code == code
    for address, name in (("memory://nothing", None), ("memory://nothing", "net"), (there.root, None)):
        with pytest.raises(RegistryError) as caught:
            here.pull(address, name)
        assert caught.value.code == "no-version"
    pushed = here.push("team/net", "memory://named")
    with pytest.raises(RegistryError, match="keeps its name"):
        there.pull(pushed.address, "other")


def test_forged_sums_are_found_out(here: Registry, there: Registry) -> None:
    forge(here.path("team/net"), "model.safetensors", b"other")
    (here.path("team/net") / "SHA256SUMS").write_text("0" * 64 + "  model.safetensors\n")
    with pytest.raises(RegistryError) as caught:
        there.pull(here.path("team/net"))
    assert caught.value.code == "wrong-digest"
