"""Environments inside caches, and old clients that break what a newer one shares."""

from __future__ import annotations

import os
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint, Severity
from modelyard.doctor.examination import Examination
from modelyard.doctor.packages import Installed
from modelyard.stores.huggingface import SHARED_MARKER
from modelyard.stores.places import expand, user_cache, xdg_cache
from modelyard.units import size

CACHES = ("pypoetry", "poetry", "uv", "rattler", "pixi", "pip")
SHARING = (1, 32)
NEWER = "huggingface_hub>=1.32"
PINNED = "transformers before 5 forbids it: then delete models with a newer client only, as `uvx hf cache rm` does"
SOLVED = "whoever cleans the cache ends what lies there, and it must be solved anew"
WORDS: dict[str, tuple[Severity, str]] = {
    "uv": ("note", "uv makes those of projects again when they are used"),
    "pixi": ("note", "pixi makes them again from the lock file of their project"),
}


def in_caches(examination: Examination) -> Iterator[Complaint]:
    """Live environments where people and programs clean up without asking."""
    caches = _caches(examination)
    groups: dict[int, list[int]] = {}
    for row in examination.environments:
        above = holder = examination.tree.parent(row)
        while holder is not None and holder not in caches:
            holder = examination.tree.parent(holder)
        if holder is not None and above is not None:
            groups.setdefault(above, []).append(row)
    for folder, rows in groups.items():
        yield _kept(examination, examination.path(folder), rows)


def _caches(examination: Examination) -> set[int]:
    env, home = examination.env, examination.home
    paths = [str(xdg_cache(env, home)[0]), str(user_cache(env, home, examination.platform)[0])]
    paths += [expand(env[name], env, home) for name in ("POETRY_CACHE_DIR", "PIXI_CACHE_DIR") if env.get(name)]
    found = {examination.tree.find(os.path.realpath(path)) for path in paths}
    found |= {spot.row for spot in examination.spots if spot.store.name in CACHES}
    return {row for row in found if row is not None}


def _kept(examination: Examination, folder: str, rows: list[int]) -> Complaint:
    tool = _tool(folder)
    severity, after = WORDS.get(tool, ("fault", SOLVED))
    home = examination.home
    data = expand(examination.env.get("XDG_DATA_HOME") or "~/.local/share", examination.env, home)
    command, caution = examination.modelyard("ls", "--kind", "environment"), "shows all environments with their sizes"
    if tool == "poetry":
        command = examination.words("poetry", "config", "virtualenvs.path", f"{data}/pypoetry/virtualenvs")
        caution = "new environments go there; those here stay until `poetry install` in their project made a new one"
    count = f"{len(rows):,} environments lie" if len(rows) > 1 else "an environment lies"
    return Complaint(
        "environment-in-cache",
        severity,
        examination.label(folder),
        f"{count} in {examination.label(folder)}, inside a cache, with {size(examination.allocated(rows))}",
        after,
        command,
        caution,
    )


def _tool(folder: str) -> str:
    parts = folder.split("/")
    if "pypoetry" in parts:
        return "poetry"
    if any(part.startswith("environments-v") for part in parts):
        return "uv"
    return "pixi" if {"pixi", "rattler"} & set(parts) else ""


def old_hub_clients(examination: Examination) -> Iterator[Complaint]:
    """A client before 1.32 beside a hub cache with shared blobs."""
    tree = examination.tree
    hubs = [spot for spot in examination.of_store("hf") if tree.child(spot.row, b"blobs", SHARED_MARKER) is not None]
    old = [each for each in examination.packages if each.name == "huggingface-hub" and each.release < SHARING]
    for each in old if hubs else ():
        place, hub = examination.label(each.environment), examination.label(hubs[0].path)
        yield Complaint(
            "old-hub-client",
            "danger",
            place,
            f"huggingface_hub {each.version} in {place} does not know the blobs that models share in {hub}",
            "when it deletes one revision it takes blobs that other models need",
            *_upgrade(examination, each),
        )


def _upgrade(examination: Examination, each: Installed) -> tuple[str, str]:
    inner = ("Scripts", "python.exe") if examination.platform == "windows" else ("bin", "python")
    python = os.path.join(each.environment, *inner)
    if each.environment == examination.user_packages:
        return examination.words("python3", "-m", "pip", "install", "--user", "--upgrade", NEWER), PINNED
    pips = {other.environment for other in examination.packages if other.name == "pip"}
    command = (python, "-m", "pip", "install") if each.environment in pips else ("uv", "pip", "install", "-p", python)
    return examination.words(*command, "--upgrade", NEWER), PINNED
