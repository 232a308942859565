"""The NVIDIA driver's cache of kernels that it compiled for this card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import never as recognise
from modelyard.stores.folders import whole
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "nvidia",
    "NVIDIA driver",
    ("CUDA_CACHE_PATH",),
    kinds=("compile cache",),
    recoveries=("re-make",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """`CUDA_CACHE_PATH`, else the driver's own folder."""
    default = home / ".nv" / "ComputeCache"
    if platform == "windows":
        default = Path(env.get("APPDATA") or home / "AppData" / "Roaming") / "NVIDIA" / "ComputeCache"
    yield from_variables(("CUDA_CACHE_PATH",), env, home) or Root(str(default), "default")
    if platform == "linux":
        yield Root(str(home / ".nv" / "GLCache"), "default")


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a folder; the driver keeps it below a limit of its own."""
    name = "GLCache" if root.path.endswith("GLCache") else "ComputeCache"
    return Reading((whole(STORE, root, name, name, "compile cache", "re-make", "the driver limits it by itself"),))
