"""Docker's places; what an engine says is tested in `containers`."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

import makers
from modelyard import api
from modelyard.inventory import Root
from modelyard.problem import Problem
from modelyard.stores import docker
from modelyard.stores.engine_places import endpoint


def make(home: Path) -> None:
    """An engine without root that does not run, and Docker Desktop's sparse disk."""
    data = home / ".local" / "share" / "docker"
    makers.write(data / "image" / "overlay2" / "repositories.json", "{}")
    makers.write(data / "overlay2" / "abc" / "diff" / "opt" / "model.bin", b"m" * 9000)
    disk = makers.write(home / ".docker" / "desktop" / "vms" / "0" / "data" / "Docker.raw", b"d" * 8192)
    os.truncate(disk, 1 << 26)
    context(home, "desktop-linux", f"unix://{home}/.docker/desktop/docker.sock")
    makers.write(home / ".docker" / "config.json", '{"currentContext": "desktop-linux", "auths": {}}')


def context(home: Path, name: str, host: str) -> Path:
    """A context as `docker context create` writes it."""
    folder = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    settings = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    return makers.write(folder / "meta.json", json.dumps(settings))


def sockets(home: Path, **env: str) -> list[Root]:
    """The addresses, in order."""
    return [root for root in makers.named(docker, home, "linux", **env) if root.endpoint]


def test_precedence_of_what_moves_it(home: Path) -> None:
    make(home)
    found = [(root.path.replace(str(home), "~"), root.found_by.replace(str(home), "~")) for root in sockets(home)]
    assert found == [
        ("~/.docker/desktop/docker.sock", "~/.docker/config.json currentContext"),
        ("/var/run/docker.sock", "default"),
    ]
    context(home, "mine", "unix:///srv/d.sock")
    moved = sockets(home, DOCKER_HOST="unix:///v.sock", DOCKER_CONTEXT="mine", XDG_RUNTIME_DIR="/run/user/7")
    assert [(root.path, root.found_by) for root in moved][:3] == [
        ("/v.sock", "DOCKER_HOST"),
        ("/srv/d.sock", "DOCKER_CONTEXT"),
        (f"{home}/.docker/desktop/docker.sock", "context desktop-linux"),
    ]
    assert moved[-1].path == "/run/user/7/docker.sock"
    (home / "other").mkdir()
    (home / ".docker" / "config.json").rename(home / "other" / "config.json")
    first = next(iter(docker.roots({"DOCKER_CONFIG": "~/other"}, home, "linux")))
    assert isinstance(first, Problem), "the settings name a context that is not beside them"


def test_places_on_every_platform(home: Path) -> None:
    found = {
        platform: [path for path, _ in makers.places(docker, home, platform)]
        for platform in ("linux", "macos", "windows")
    }
    assert found["linux"][-2:] == ["~/.local/share/docker", "~/.docker/desktop/vms/0/data"]
    assert found["macos"] == [
        "/var/run/docker.sock",
        "~/.docker/run/docker.sock",
        "~/Library/Containers/com.docker.docker/Data/vms/0/data",
    ]
    assert found["windows"] == [
        "//./pipe/docker_engine",
        "//./pipe/dockerDesktopLinuxEngine",
        "~/AppData/Local/Docker/wsl/disk",
        "~/AppData/Local/Docker/wsl/data",
    ]


@pytest.mark.parametrize(
    ("address", "path", "remote"),
    [
        ("unix:///run/d.sock", "/run/d.sock", False),
        ("npipe:////./pipe/docker_engine", "//./pipe/docker_engine", False),
        ("/run/d.sock", "/run/d.sock", False),
        ("tcp://10.0.0.5:2376", "tcp://10.0.0.5:2376", True),
        ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375", True),
        ("ssh://me@box", "ssh://me@box", True),
        ("box:2375", "box:2375", True),
        ("unix:", "unix:", True),
    ],
)
def test_only_a_socket_or_pipe_is_surely_on_this_machine(home: Path, address: str, path: str, remote: bool) -> None:
    found = endpoint(address, "DOCKER_HOST", home)
    assert (found.path, found.remote, found.endpoint) == (path, remote, True)


def test_a_context_that_is_not_there_is_a_problem(home: Path) -> None:
    found = [place for place in docker.roots({"DOCKER_CONTEXT": "gone"}, home, "linux") if isinstance(place, Problem)]
    assert [(each.code, each.hint) for each in found] == [("unknown-context", "docker context ls")]


def test_links_to_one_socket_are_one_place(home: Path) -> None:
    makers.write(home / "real.sock", b"")
    (home / "link.sock").symlink_to(home / "real.sock")
    context(home, "mine", f"unix://{home}/real.sock")
    found = sockets(home, DOCKER_HOST=f"unix://{home}/link.sock", DOCKER_CONTEXT="mine")
    assert [root.path for root in found if root.path.startswith(str(home))][:1] == [f"{home}/link.sock"]
    assert f"{home}/real.sock" not in [root.path for root in found]


def test_the_folder_moves_with_the_daemon_settings(home: Path) -> None:
    makers.write(home / ".config" / "docker" / "daemon.json", '{"data-root": "/big/docker"}')
    assert ("/big/docker", "daemon.json data-root") in makers.places(docker, home)
    assert ("/x/docker", "default") in makers.places(docker, home, XDG_DATA_HOME="/x", XDG_CONFIG_HOME="/none")


def test_a_silent_engine_is_one_thing_and_its_disk_is_what_it_takes(home: Path) -> None:
    """The disk of a virtual machine says a terabyte and takes what was written."""
    make(home)
    found = api.survey({}, home, "linux", system=False)
    sizes = {each.id: each for each in found.artifacts}
    assert set(sizes) == {"docker:data/.local/share/docker", "docker:disk/Docker.raw"}
    assert sizes["docker:disk/Docker.raw"].sizes.apparent == 1 << 26
    assert sizes["docker:disk/Docker.raw"].sizes.allocated == 8192
    assert all(each.recovery == "none" and "not running" in each.detail for each in sizes.values())


def test_a_folder_called_docker_that_is_none(home: Path) -> None:
    makers.write(home / ".local" / "share" / "docker" / "notes.txt", "mine")
    assert not makers.artifacts(home)


def test_what_lies_in_the_engines_own_folder_belongs_to_no_other_store(home: Path) -> None:
    make(home)
    base = home / ".local/share/docker/overlay2/abc/diff"
    makers.write(base / "app/.venv/pyvenv.cfg", "home = /usr/bin\n")
    makers.hub_repo(base / "root/hub", "models--acme--tiny", {"config.json": b"{}"})
    makers.write(home / "project/.venv/pyvenv.cfg", "home = /usr/bin\n")
    found = makers.artifacts(home)
    assert {each.store for each in found.values()} == {"docker", "venv"}
    assert [name for name in found if name.startswith("venv:")] == ["venv:project/.venv"]
