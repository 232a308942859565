"""pip: the cache of today and the one of pip 23.2, and packages that carry real weights."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from clients.archives import source, wheel
from clients.client import DEPS, PYTHON, Client, Package, runs
from clients.looking import look
from clients.loopback import Web
from typed import Run
from verify.looking import cut, flip, told

pytestmark = runs("pip", "pip")
OLD = Package("pip", "pip", DEPS / "pip-23.2")
CACHE = Path(".cache/pip")


def serve(web: Web) -> None:
    """An index with a wheel and with a package that is built on the spot."""
    for name, content in (wheel("tiny", "1.0", {"tiny/weights.bin": b"w" * 90_000}), source("built", "2.0")):
        project = name.partition("-")[0]
        web.files[f"/files/{name}"] = content
        web.headers[f"/files/{name}"] = {"Cache-Control": "max-age=31536000, immutable", "ETag": f'"{name}"'}
        web.files[f"/simple/{project}/"] = f'<a href="{web.url}/files/{name}">{name}</a>'.encode()
        web.headers[f"/simple/{project}/"] = {"Content-Type": "text/html"}


def install(client: Client, web: Web, target: str, *packages: str) -> None:
    """Installs into a folder. pip keeps nothing that came without TLS unless its host is trusted."""
    index = ("--index-url", f"{web.url}/simple", "--trusted-host", "127.0.0.1")
    options = ("-q", "--no-build-isolation", "--target", client.temporary / target)
    client.shell(PYTHON, "-m", "pip", "install", *options, *index, *packages)


@pytest.fixture(scope="module")
def filled(client: Client, web: Web) -> Client:
    """What both versions leave in one cache."""
    serve(web)
    install(client, web, "new", "tiny", "built")
    install(Client(OLD, client.home), web, "old", "tiny")
    return client


def test_downloads_of_both_versions_and_the_wheel_that_was_built_here(filled: Client) -> None:
    assert OLD.version == "23.2.1"
    seen = look(filled.home, "pip")
    wheel_id = "wheel/built-2.0-py3-none-any"
    assert seen.states == {
        "http": ("package cache", "complete", "re-get"),
        "http-old": ("package cache", "complete", "re-get"),
        wheel_id: ("package cache", "complete", "re-make"),
    }
    assert {path.name for path in seen.files(wheel_id)} == {"built-2.0-py3-none-any.whl", "origin.json"}
    assert "23.3 and later never reads" in seen.artifacts["http-old"].detail
    assert not seen.unclaimed


def test_pip_itself_names_the_wheels_and_the_place(filled: Client) -> None:
    seen = look(filled.home, "pip")
    listed = filled.shell(PYTHON, "-m", "pip", "cache", "list", "--format", "abspath").split()
    assert {Path(path) for path in listed} == {
        path for path in seen.files("wheel/built-2.0-py3-none-any") if path.suffix == ".whl"
    }
    assert filled.shell(PYTHON, "-m", "pip", "cache", "dir").strip() in seen.roots


def test_after_a_look_the_wheel_comes_from_the_cache(filled: Client, web: Web) -> None:
    look(filled.home, "pip")
    before = len(web.asked)
    install(filled, web, "again", "tiny")
    assert not [path for path in web.asked[before:] if path.endswith(".whl")]


def test_half_entries_are_orphans_that_pip_fetches_again(fresh: Client, web: Web, filled: Client) -> None:
    install(fresh, web, "one", "tiny")
    for half in (fresh.home / CACHE / "http-v2").rglob("*.body"):
        half.with_suffix("").unlink()
    seen = look(fresh.home, "pip")
    assert seen.artifacts["http#orphan"].state == "orphan"
    assert seen.artifacts["http#orphan"].sizes.freed > 90_000
    before = len(web.asked)
    install(fresh, web, "two", "tiny")
    assert [path for path in web.asked[before:] if path.endswith(".whl")]


def test_the_variable_and_the_settings_move_the_cache(fresh: Client, web: Web, filled: Client) -> None:
    place = fresh.home / "volume"
    install(fresh.told(PIP_CACHE_DIR=place), web, "one", "tiny")
    assert look(fresh.home, "pip", PIP_CACHE_DIR=place).roots == {str(place): "PIP_CACHE_DIR"}
    fresh.shell(PYTHON, "-m", "pip", "config", "--user", "set", "global.cache-dir", place)
    settings = fresh.home / ".config" / "pip" / "pip.conf"
    assert look(fresh.home, "pip").roots == {str(place): str(settings)}


def test_a_package_that_carries_weights_is_counted_with_its_environment(fresh: Client) -> None:
    """silero-vad's models lie in its package: removing them would break the environment."""
    environment = fresh.home / "env"
    fresh.shell(PYTHON, "-m", "venv", "--without-pip", environment)
    carried = next(PYTHON.parents[1].glob("lib/*/site-packages/silero_vad"))
    packages = next((environment / "lib").glob("python*/site-packages"))
    subprocess.run(["cp", "-r", carried, packages], check=True)
    weights = {path.name: path.stat().st_size for path in packages.rglob("*") if path.suffix in (".jit", ".onnx")}
    assert sum(weights.values()) > 4_000_000
    seen = look(fresh.home, "venv")
    assert list(seen.artifacts) == ["env"]
    assert seen.artifacts["env"].sizes.freed > sum(weights.values())


def test_what_pip_keeps_is_verified_and_a_broken_entry_is_fetched_again(
    fresh: Client, web: Web, filled: Client, run: Run
) -> None:
    shutil.copytree(filled.home, fresh.home, dirs_exist_ok=True)
    assert told(run, "pip", code=0) == {}
    body = max((fresh.home / CACHE / "http-v2").rglob("*.body"), key=lambda path: path.stat().st_size)
    built = next((fresh.home / CACHE / "wheels").rglob("*.whl"))
    flip(body)
    cut(built)
    assert told(run, "pip", code=5) == {body.name: "corrupt", built.name: "truncated"}
    assert run("verify", "pip", "--repair", "--yes").code == 0
    assert not body.exists()
    assert not body.with_suffix("").exists()
    before = len(web.asked)
    install(fresh, web, "two", "tiny")
    assert [path for path in web.asked[before:] if path.endswith(".whl")]
    assert told(run, "pip", code=0) == {}
