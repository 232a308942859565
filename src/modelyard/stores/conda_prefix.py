"""One conda prefix, whoever manages it: its Python, its project, its packages, and whether it still runs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from modelyard.inventory import State
from modelyard.problem import Problem
from modelyard.stores.environment import Facts, absence, packages
from modelyard.stores.json import parsed
from modelyard.stores.projects import Project, around, at
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

CAP = 65536
PYTHON = re.compile(rb"python-(\d+\.[^-]+)-[^-]+\.json$")
CUDA = re.compile(rb"(cuda-|cudatoolkit|cudnn|libcu|libnv|nccl|pytorch-cuda|tensorrt)[^/]*\.json$")
SHOWN = 5


class Pixi(msgspec.Struct):
    """pixi's note in an environment: the manifest that it was made for."""

    manifest_path: str = ""


class Prefix(Struct, frozen=True):
    """What is known of a prefix, to be made an artifact by its store."""

    detail: str
    state: State
    facts: Facts
    problems: tuple[Problem, ...]
    project: Project | None


def describe(tree: Tree, row: int, meta: int) -> Prefix:
    """Everything about one prefix but its name. No package's own JSON is read: there are hundreds."""
    names = tree.children(meta)
    count = sum(name.endswith(b".json") for name in names)
    pixi = ", managed by pixi" if b"pixi" in names else ""
    frozen = ", protected" if b"frozen" in names else ""
    version = next((shown(found[1]) for name in names if (found := PYTHON.match(name))), "")
    missing = _missing(tree, row, version)
    project, problem = _project(tree, row, names)
    words = f"{count} package{'' if count == 1 else 's'}{pixi}{frozen}"
    words += ", its Python is gone" if missing else ""
    words += f", of {shown(project.path)}{project.gone}" if project and not project.there else ""
    facts = [("Interpreter", f"Python {version}" if version else "")]
    facts += [("Runs", f"no: {missing}" if missing else "its Python is there; it was not started" if version else "")]
    facts += [project.fact()] if project else []
    facts += [("Moved", _moved(tree, row, names)), *packages(tree, row).facts(), ("CUDA packages", _cuda(names))]
    state: State = "dangling" if missing else "orphan" if project and project.there is False else "complete"
    kept = tuple((label, text) for label, text in facts if text)
    return Prefix(words, state, kept, () if problem is None else (problem,), project)


def _missing(tree: Tree, row: int, version: str) -> str | None:
    """Why a prefix that has the package of Python has no Python that could run."""
    if not version:
        return None
    python = tree.child(row, b"bin", b"python") or tree.child(row, b"python.exe")
    return "there is no Python in it" if python is None else absence(tree.path(python))


def _project(tree: Tree, row: int, names: Mapping[bytes, int]) -> tuple[Project | None, Problem | None]:
    """The folder of the manifest that pixi noted; else what lies around the prefix."""
    note = names.get(b"pixi")
    text = tree.read(note, CAP) if note is not None else b"{}"
    if isinstance(text, Problem):
        return None, text
    found = parsed(text, Pixi)
    if isinstance(found, ValueError):
        assert note is not None
        return None, Problem(shown(tree.path(note)), "strange-note", f"pixi's note is not understood: {found}")
    if "\0" not in found.manifest_path and found.manifest_path.startswith("/"):
        manifest = os.fsencode(found.manifest_path)
        project = at(os.path.dirname(manifest), "noted by pixi")
        lost = project.there and absence(manifest)
        return (Project(manifest, False, "noted by pixi") if lost else project), None
    holder = tree.parent(row)
    return (around(tree, row) if holder is not None and tree.name(holder) != b"envs" else None), None


def _moved(tree: Tree, row: int, names: Mapping[bytes, int]) -> str:
    """Where pixi made the environment, when that is elsewhere: pixi then makes it anew."""
    note = names.get(b"pixi_env_prefix")
    text = tree.read(note, CAP) if note is not None else b""
    made = b"" if isinstance(text, Problem) else text.strip().removesuffix(b"/conda-meta")
    return f"made at {shown(made)}; pixi will make it anew" if made and made != tree.path(row) else ""


def _cuda(names: Mapping[bytes, int]) -> str:
    """The conda packages that bring CUDA, by their names."""
    found = sorted(" ".join(shown(name).rsplit("-", 2)[:2]) for name in names if CUDA.match(name))
    return ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
