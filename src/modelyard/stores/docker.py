"""Docker: what its engine says it holds, and the folders and disk images it lies in while it is silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelyard.inventory import Artifact, Place, Platform, Reading, Root, Store
from modelyard.stores.docker_folders import machine_roots, of_user
from modelyard.stores.engine_places import docker_contexts, endpoint, local, once
from modelyard.stores.engine_reading import at_rest, read_engine
from modelyard.stores.folders import never
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "docker",
    "Docker",
    (
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "config.json currentContext",
        "XDG_RUNTIME_DIR",
        "XDG_DATA_HOME",
        "docker.service --data-root",
        "daemon.json data-root",
    ),
    closed=True,
    kinds=("image", "container", "volume", "other"),
    recoveries=("re-get", "re-make", "none"),
    evidence="the engine's own record of when a build used a part of the cache",
)
DISKS = (".raw", ".qcow2", ".vhdx")
IN_MACHINE = "the disk image"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Place]:
    """The addresses by variable, context and default, then the folders of engines and Desktop's disk."""
    yield from once(_sockets(env, home, platform))
    if platform == "linux":
        yield from machine_roots(env, home)
        yield from of_user(env, home).roots(env, home)
    for path in _desktop(env, home, platform):
        yield Root(str(path), IN_MACHINE, shared=True)


def _sockets(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Place]:
    if env.get("DOCKER_HOST", "").strip():
        yield endpoint(env["DOCKER_HOST"], "DOCKER_HOST", home)
    yield from docker_contexts(env, home)
    if platform == "windows":
        for name in ("docker_engine", "dockerDesktopLinuxEngine"):
            yield Root(f"//./pipe/{name}", "default", system=True, endpoint=True)
        return
    yield local("/var/run/docker.sock", "default", home, system=True)
    if platform == "linux" and env.get("XDG_RUNTIME_DIR"):
        yield local(f"{env['XDG_RUNTIME_DIR']}/docker.sock", "default", home)
    yield local(
        "~/.docker/run/docker.sock" if platform == "macos" else "~/.docker/desktop/docker.sock", "default", home
    )


def _desktop(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Path]:
    """Where Docker Desktop keeps the disk of its virtual machine."""
    if platform == "linux":
        yield home / ".docker" / "desktop" / "vms" / "0" / "data"
    elif platform == "macos":
        yield home / "Library" / "Containers" / "com.docker.docker" / "Data" / "vms" / "0" / "data"
    else:
        base = Path(env.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Docker" / "wsl"
        yield from (base / "disk", base / "data")


recognise = never


def read(root: Root, tree: Tree) -> Reading:
    """What an engine tells; a folder or disk image as a whole while no engine tells what is in it."""
    if root.endpoint:
        return read_engine(STORE, "docker", root, tree)
    assert root.row is not None
    if root.found_by == IN_MACHINE:
        return Reading(tuple(_disk(root, tree)))
    if not tree.child(root.row, b"image") and not tree.child(root.row, b"containers"):
        return Reading()
    name = f"data/{tree.label(root.row)}"
    whole = at_rest(STORE, "docker", root, tree, (root.row,), name, "Docker's folder", machine=False)
    return Reading((whole,) if whole else ())


def _disk(root: Root, tree: Tree) -> Iterator[Artifact]:
    assert root.row is not None
    files = {name: row for name, row in sorted(tree.children(root.row).items()) if name.endswith(_ENDS)}
    for name, row in files.items():
        whole = at_rest(
            STORE, "docker", root, tree, (row,), f"disk/{shown(name)}", "Docker Desktop's disk", machine=True
        )
        if whole:
            yield whole


_ENDS = tuple(end.encode() for end in DISKS)
