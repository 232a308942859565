"""uv's cache: what it keeps, what environments share with it, and what an older one left."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.archives import source, wheel
from clients.client import CLIENTS, PYTHON, Client, runs
from clients.looking import look
from clients.loopback import Web
from typed import Run
from verify.looking import flip, told

pytestmark = runs("uv", "uv")
UV = CLIENTS / "bin" / "uv"
CACHE = Path(".cache/uv")


def serve(web: Web) -> None:
    """An index with a wheel and with a package that is built on the spot."""
    for name, content in (wheel("tiny", "1.0", {"tiny/weights.bin": b"w" * 90_000}), source("built", "2.0")):
        project = name.partition("-")[0]
        web.files[f"/files/{name}"] = content
        web.files[f"/simple/{project}/"] = f'<a href="{web.url}/files/{name}">{name}</a>'.encode()
        web.headers[f"/simple/{project}/"] = {"Content-Type": "text/html"}


def environment(client: Client, web: Web, name: str, *packages: str) -> Path:
    """An environment with packages of the index; it sees the setuptools that builds need."""
    place = client.home / name
    client.shell(UV, "venv", "-q", "--python", PYTHON, place)
    index = ("--default-index", f"{web.url}/simple")
    client.shell(UV, "pip", "install", "-q", "--python", place, *index, *packages)
    return place


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """A cache that an environment shares its files with."""
    serve(web)
    environment(client, web, "env", "tiny")
    return client


def test_buckets_and_the_environment_are_found(filled: Client) -> None:
    seen = look(filled.home, "uv", "venv")
    assert {name.rpartition("-v")[0] for name in seen.artifacts} >= {"archive", "simple", "wheels"}
    assert {each.state for each in seen.artifacts.values()} == {"complete"}
    assert {each.kind for each in seen.artifacts.values()} == {"package cache"}
    assert seen.roots == {filled.shell(UV, "cache", "dir").strip(): "default"}
    assert seen.unclaimed == {"CACHEDIR.TAG", ".gitignore", ".lock"}
    assert [each.id for each in seen.survey.artifacts if each.store == "venv"] == ["venv:env"]


def test_what_the_environment_shares_stays_when_the_cache_goes(filled: Client) -> None:
    shared = next((filled.home / "env").rglob("weights.bin"))
    assert shared.stat().st_nlink == 2
    seen = look(filled.home, "uv", "venv")
    archive = next(each for name, each in seen.artifacts.items() if name.startswith("archive-v"))
    assert archive.sizes.freed < 90_000 < archive.sizes.allocated
    both = [archive.id, "venv:env"]
    assert seen.survey.freed(both).freed > 90_000 + sum(seen.survey.freed([each]).freed for each in both)


def test_after_a_look_uv_installs_from_the_cache(filled: Client, web: Web) -> None:
    look(filled.home, "uv", "venv")
    place = filled.temporary / "offline"
    filled.shell(UV, "venv", "-q", "--python", PYTHON, place)
    words = ("--offline", "--python", place, "--default-index", f"{web.url}/simple", "tiny")
    filled.shell(UV, "pip", "install", "-q", *words)
    assert next(place.rglob("weights.bin")).stat().st_size == 90_000


def test_buckets_of_an_older_uv_are_dead_and_pruned_by_uv_itself(fresh: Client, web: Web, filled: Client) -> None:
    environment(fresh, web, "env", "tiny")
    bucket = next((fresh.home / CACHE).glob("simple-v*"))
    old = bucket.with_name("simple-v1")
    (old / "pypi").mkdir(parents=True)
    (old / "pypi" / "tiny.rkyv").write_bytes(b"o" * 9000)
    seen = look(fresh.home, "uv", "venv")
    assert {name for name, each in seen.artifacts.items() if each.state == "orphan"} == {"simple-v1"}
    fresh.shell(UV, "cache", "prune")
    assert not old.exists()
    assert bucket.is_dir()


def test_the_variable_moves_the_cache(fresh: Client, web: Web, filled: Client) -> None:
    place = fresh.home / "volume"
    environment(fresh.told(UV_CACHE_DIR=place), web, "env", "tiny")
    assert look(fresh.home, "uv", "venv", UV_CACHE_DIR=place).roots == {str(place): "UV_CACHE_DIR"}
    assert look(fresh.home, "uv", "venv").roots == {str(place): "recognised by archive-v*"}


def test_archives_and_environments_are_verified_and_a_broken_archive_comes_again(
    fresh: Client, web: Web, filled: Client, run: Run
) -> None:
    place = environment(fresh, web, "env", "tiny")
    assert told(run, code=0) == {}
    victim = next(place.rglob("weights.bin"))
    assert victim.stat().st_nlink == 2
    flip(victim)
    names = [line for line in run("verify").out.splitlines() if line.startswith("corrupt")]
    assert len(names) == 2, "one file, and both names of it are told"
    assert run("verify", "uv", "--repair", "--yes").code == 0
    again = environment(fresh, web, "again", "tiny")
    assert next(again.rglob("weights.bin")).read_bytes() == b"w" * 90_000
    assert told(run, "uv", code=0) == {}
    assert told(run, "venv", code=5) == {"weights.bin": "corrupt"}
