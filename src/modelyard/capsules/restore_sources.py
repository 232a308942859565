"""Brings back code that was edited in place: a clone at its commit with its patch, or the files of the capsule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from modelyard.apply.whole import place
from modelyard.capsules import wheels
from modelyard.capsules.addresses import fetchable
from modelyard.capsules.capsule import Package, Sources
from modelyard.capsules.programs import Failed
from modelyard.problem import Problem

if TYPE_CHECKING:
    from modelyard.capsules.restore import Work

SAFE = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=", "-c", "protocol.ext.allow=never", "-c",
    "submodule.recurse=false", "-c", "core.pager=cat",
)  # fmt: skip
QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}


def restore_sources(work: Work, edited: list[Package]) -> list[tuple[Package, bytes]]:
    """The sources in `src` of the environment, and the wheels that lead there. Failed where git fails."""
    made: list[tuple[Package, bytes]] = []
    for source in work.capsule.sources:
        folder = os.path.join(work.prefix, "src", source.name)
        if source.tree:
            _written(work, source, folder)
        else:
            _cloned(work, source, folder)
        work.notes += [f"{source.name}: left out of the capsule: {each}" for each in source.left_out]
        made += _leading_there(work, source, folder, edited)
    return made


def _written(work: Work, source: Sources, folder: str) -> None:
    for path, data, runs in work.opened.below(source.tree):
        place(work.disk, os.fsencode(os.path.join(folder, path)), data, runs=runs)


def _cloned(work: Work, source: Sources, folder: str) -> None:
    """A clone without hooks; git applies no patch outside of its folder."""
    if not source.commit or not fetchable(source.remote):
        raise Failed(Problem(source.folder, "no-sources", f"nothing says where {source.name} could be cloned from"))
    git = ("/usr/bin/env", *(f"{name}={value}" for name, value in QUIET.items()), "git", *SAFE)
    work.run(
        *git, "clone", "--quiet", "--no-checkout", "--template=", "--no-recurse-submodules", "--", source.remote, folder
    )
    work.run(*git, "-C", folder, "checkout", "--quiet", "--detach", source.commit)
    if source.patch:
        path = f"{work.folder}/{source.name}.patch"
        place(work.disk, os.fsencode(path), work.opened.member(source.patch))
        work.run(*git, "-C", folder, "apply", "--whitespace=nowarn", path)


def _leading_there(work: Work, source: Sources, folder: str, edited: list[Package]) -> list[tuple[Package, bytes]]:
    """The wheels of what is edited in these sources, with the new folder in place of the old one."""
    made = []
    for each in edited:
        if each.repository != source.name:
            continue
        if not each.wheel:
            work.notes.append(f"{each.name}: run `pip install --no-deps -e {folder}`, it was installed in an old way")
            continue
        inside = os.path.relpath(each.folder, source.folder) if each.folder.startswith(source.folder) else "."
        wheel = wheels.moved(
            work.opened.member(each.wheel), source.folder, folder, os.path.normpath(f"{folder}/{inside}")
        )
        made.append((msgspec.structs.replace(each, hashes=[f"sha256:{wheels.sha256(wheel)}"]), wheel))
    return made
