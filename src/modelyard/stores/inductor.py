"""torch.compile's cache, which lies among temporary files unless a variable moves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard.inventory import Platform, Reading, Root, Store
from modelyard.stores.folders import never as recognise
from modelyard.stores.folders import temporary, user_of, whole
from modelyard.stores.places import from_variables
from modelyard.walk.tree import Tree

__all__ = ["STORE", "read", "recognise", "roots"]

STORE = Store(
    "inductor",
    "torch.compile",
    ("TORCHINDUCTOR_CACHE_DIR", "TMPDIR"),
    kinds=("compile cache",),
    recoveries=("re-make",),
)


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The variable, else `torchinductor_<user>` in the folder for temporary files."""
    place = str(temporary(env, platform) / f"torchinductor_{user_of(env, home)}")
    yield from_variables(("TORCHINDUCTOR_CACHE_DIR",), env, home) or Root(place, "default", system=True)


def read(root: Root, tree: Tree) -> Reading:
    """The cache as one artifact: its entries hold absolute paths and make sense only together."""
    return Reading((whole(STORE, root, "cache", "compiled graphs and kernels", "compile cache", "re-make"),))
