"""Which stores let one file be another name of a file elsewhere: typed data, each row with its reason.

Shared extents need nobody's leave: each file stays its own. A hard link does: whoever writes into one name writes into
both, and owner, rights and times become those of one file. So only stores whose files are named by their content and
replaced, never rewritten, may have one. Facts: what the owning tools do with a finished file (their sources, as told
in the adapters).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct


class Tolerance(Struct, frozen=True):
    """Whether files of a store may be hard links, which of them, and why."""

    links: bool
    why: str
    only: str = ""
    """What the paths of those files look like; the others are small notes that their tool rewrites."""


def _no(why: str) -> Tolerance:
    return Tolerance(False, why)


BLOB = r"/blobs/(sha256[-:/])?[0-9a-f]{64}$"
STORES: Mapping[str, Tolerance] = {
    "hf": Tolerance(True, "blobs are named by their content, written aside and renamed", BLOB),
    "ollama": Tolerance(True, "blobs are named by their content, written aside and renamed", BLOB),
    "ramalama": Tolerance(True, "blobs are named by their content and only ever unlinked", BLOB),
    "docker-models": Tolerance(True, "blobs are named by their content; the runner itself links them", BLOB),
    "dvc": Tolerance(
        True,
        "the cache is named by its content, read-only, and DVC links it itself (cache.type)",
        r"/[0-9a-f]{2}/[0-9a-f]{30}$",
    ),
    "whisper": _no("it writes a download over the file of that name"),
    "keras": _no("it writes a download over the file of that name"),
    "textgen": _no("it resumes a download in the file itself"),
    "koboldcpp": _no("it resumes a download in the file itself"),
    "lmstudio": _no("its users replace files in its folders, and it resumes downloads there"),
    "comfyui": _no("its users replace files in its folders"),
    "automatic1111": _no("its users replace files in its folders"),
    "forge": _no("its users replace files in its folders"),
    "checkpoint": _no("a resumed training may write into its files"),
    "conda": _no("an edit in one environment would change the package cache and every other environment"),
    "uv": _no("an edit in one environment would change the cache and every other environment"),
    "venv": _no("an edit in one environment would change the other"),
    "loose": _no("whoever made the file may write into it"),
}
ANY = _no("its tool may write into the file, and would change the other one with it")
NOBODY = _no("anybody may write into it")


def tolerance(store: str) -> Tolerance:
    """What is known of a store; that it tolerates nothing where nothing is known."""
    return STORES.get(store, ANY) if store else NOBODY


def refused(store: str, path: str) -> str:
    """Why the file of a store must not be a hard link, empty when it may."""
    found = tolerance(store)
    if not found.links:
        return found.why
    return "" if re.search(found.only, path) else "it is none of the files that are named by their content"
