"""Podman: what its service says it holds, and the folder and machines it lies in while no service runs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.engine_places import endpoint, local, once
from modelyard.stores.engine_reading import at_rest, read_engine
from modelyard.stores.folders import child, never
from modelyard.stores.places import expand
from modelyard.stores.settings import HINT, json_settings
from modelyard.walk.read import read_setting
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "podman",
    "Podman",
    (
        "CONTAINER_HOST",
        "podman-connections.json Connection",
        "XDG_RUNTIME_DIR",
        "storage.conf storage.graphroot",
        "XDG_DATA_HOME",
    ),
    closed=True,
    kinds=("image", "container", "volume", "other"),
    recoveries=("re-get", "none"),
    evidence="nothing: Podman keeps no record of use",
)
MACHINES = "virtual machines"
DISKS = (b".raw", b".qcow2", b".vhdx")


class Connection(msgspec.Struct, rename={"uri": "URI"}):
    """An engine that Podman was told of."""

    uri: str = ""


class Connections(msgspec.Struct, rename="pascal"):
    """The engines by name and which is used."""

    default: str = ""
    connections: dict[str, Connection] = {}


class ConnectionSettings(msgspec.Struct, rename="pascal"):
    """`podman-connections.json`"""

    connection: Connections = msgspec.field(default_factory=Connections)


class Storage(msgspec.Struct):
    """The part of `storage.conf` that moves the folder."""

    graphroot: str = ""


class StorageSettings(msgspec.Struct):
    """`storage.conf`"""

    storage: Storage = msgspec.field(default_factory=Storage)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The addresses by variable, settings and default, then the folder of a user's own Podman and the machines."""
    yield from once(_sockets(env, home, platform))
    data = Path(expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)) / "containers"
    if platform == "linux":
        yield from _storage(env, home, data)
    yield Root(str(data / "podman" / "machine"), MACHINES, shared=True)


def _sockets(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Place]:
    if env.get("CONTAINER_HOST", "").strip():
        yield endpoint(env["CONTAINER_HOST"], "CONTAINER_HOST", home)
    config = expand(env.get("XDG_CONFIG_HOME") or "~/.config", env, home)
    settings = json_settings(f"{config}/containers/podman-connections.json", ConnectionSettings)
    if isinstance(settings, Problem):
        yield settings
    else:
        for name, each in settings.connection.connections.items():
            yield endpoint(each.uri, f"context {shown(name)}", home)
    if "podman" in env.get("DOCKER_HOST", ""):
        yield endpoint(env["DOCKER_HOST"], "DOCKER_HOST", home)
    if platform == "windows":
        yield Root("//./pipe/podman-machine-default", "default", system=True, endpoint=True)
    elif platform == "macos":
        yield local("~/.local/share/containers/podman/machine/podman.sock", "default", home)
    else:
        yield local("/run/podman/podman.sock", "default", home, system=True)
        if env.get("XDG_RUNTIME_DIR"):
            yield local(f"{env['XDG_RUNTIME_DIR']}/podman/podman.sock", "default", home)


def _storage(env: Mapping[str, str], home: Path, data: Path) -> Iterator[Place]:
    path = f"{expand(env.get('XDG_CONFIG_HOME') or '~/.config', env, home)}/containers/storage.conf"
    text = read_setting(path)
    try:
        moved = text if isinstance(text, Problem) else msgspec.convert(tomllib.loads(text), StorageSettings).storage
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        moved = Problem(path, "unreadable-settings", f"a settings file that is not understood as TOML: {words}", HINT)
    if isinstance(moved, Problem):
        yield moved
    if isinstance(moved, Storage) and moved.graphroot:
        yield Root(expand(moved.graphroot, {"HOME": str(home), **env}, home), "storage.conf graphroot", shared=True)
    else:
        yield Root(str(data / "storage"), "default", shared=True)


recognise = never


def read(root: Root, tree: Tree) -> Reading:
    """What the service tells; the folder and the machines' disks as a whole while no service tells what is in them."""
    if root.endpoint:
        return read_engine(STORE, "podman", root, tree, borrowed=root.found_by == "DOCKER_HOST")
    assert root.row is not None
    if root.found_by == MACHINES:
        return Reading(tuple(_machines(root, tree)))
    if not any(name.endswith((b"-images", b"-layers")) or name == b"libpod" for name in tree.children(root.row)):
        return Reading()
    name = f"data/{tree.label(root.row)}"
    whole = at_rest(STORE, "podman", root, tree, (root.row,), name, "Podman's folder", machine=False)
    return Reading((whole,) if whole else ())


def _machines(root: Root, tree: Tree) -> Iterator[Artifact]:
    """The disk of each virtual machine, and the images of systems that were downloaded for them."""
    assert root.row is not None
    for provider, folder in sorted(tree.children(root.row).items()):
        for name, row in sorted(tree.children(folder).items()):
            label = f"{shown(provider)}/"
            if name == b"cache":
                yield child(STORE, root, tree, row, "other", "re-get", label)
            elif name.endswith(DISKS):
                title, path = "disk of a virtual machine", f"machine/{label}{shown(name)}"
                whole = at_rest(STORE, "podman", root, tree, (row,), path, title, machine=True)
                yield from (whole,) if whole else ()
