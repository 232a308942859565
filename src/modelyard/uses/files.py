"""Files that tie an artifact to others: Jupyter kernels of an environment, and adapters that need their base model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from modelyard.inventory import Artifact, Platform, Use
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.stores.places import expand
from modelyard.uses import ADAPTER
from modelyard.uses.calls import handles
from modelyard.walk.claims import Claims
from modelyard.walk.read import read_file
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

CAP = 1 << 20
PROJECTS = (b"pyproject.toml", b"setup.py", b"requirements.txt", b"Pipfile", b"environment.yml", b"pixi.toml", b".git")


class KernelSpec(msgspec.Struct):
    """The part of a kernel.json that tells which program it starts."""

    argv: list[str] = []
    display_name: str = ""


class AdapterConfig(msgspec.Struct):
    """The part of an adapter_config.json that names the model it changes."""

    base_model_name_or_path: str = ""


def kernel_folders(env: Mapping[str, str], home: Path, platform: Platform) -> Iterator[Path]:
    """Where Jupyter looks for kernels of a user (`jupyter --paths`)."""
    if env.get("JUPYTER_DATA_DIR"):
        yield Path(expand(env["JUPYTER_DATA_DIR"], env, home)) / "kernels"
    if platform == "macos":
        yield home / "Library" / "Jupyter" / "kernels"
    elif platform == "windows":
        yield Path(env.get("APPDATA") or home / "AppData" / "Roaming") / "jupyter" / "kernels"
    yield Path(expand(env.get("XDG_DATA_HOME") or "~/.local/share", env, home)) / "jupyter" / "kernels"


def kernels(tree: Tree, folders: Iterator[Path]) -> Iterator[tuple[int, str]]:
    """The row of the program that each kernel starts, and the kernel's file."""
    for folder in folders:
        row = tree.find(folder)
        for each in tree.children(row).values() if row is not None else ():
            spec = tree.child(each, b"kernel.json")
            text = tree.read(spec, CAP) if spec is not None else b""
            found = text if isinstance(text, Problem) else parsed(text or b"{}", KernelSpec)
            program = tree.find(found.argv[0]) if isinstance(found, KernelSpec) and _absolute(found) else None
            if spec is not None and program is not None:
                yield program, tree.label(spec)


def _absolute(spec: KernelSpec) -> bool:
    return bool(spec.argv) and os.path.isabs(spec.argv[0]) and "\0" not in spec.argv[0]


def kernel_users(number: int, found: list[tuple[int, str]], claims: Claims) -> Iterator[Use]:
    """The kernels that start a program of an artifact."""
    for program, label in found:
        if number in claims.owners_of(program):
            yield Use("kernel", label, "a Jupyter kernel that starts its Python", "high")


def adapters(tree: Tree) -> Iterator[tuple[int, str]]:
    """The row of each adapter's description, and the base model that it names."""
    for row in tree.marks().get(ADAPTER, ()):
        text = read_file(tree.path(row), CAP, follow=True)  # in the hub's snapshots it is a link to its blob
        found = text if isinstance(text, Problem) else parsed(text, AdapterConfig)
        if isinstance(found, AdapterConfig) and found.base_model_name_or_path:
            yield row, found.base_model_name_or_path


def adapter_users(
    artifact: Artifact, number: int, found: list[tuple[int, str]], tree: Tree, claims: Claims
) -> Iterator[Use]:
    """The adapters that are nothing without this model."""
    names = set(handles(artifact))
    for row, base in found:
        folder = tree.parent(row)
        place = tree.find(base) if os.path.isabs(base) and "\0" not in base else None
        meant = base in names and artifact.kind == "model"
        if meant or (place is not None and number in claims.owners_of(place) and number not in claims.owners_of(row)):
            label = tree.label(row if folder is None else folder)
            yield Use("adapter", label, f"an adapter whose base model is {base}", "high")


def project_users(artifact: Artifact, tree: Tree) -> Iterator[Use]:
    """The project in whose folder an environment lies."""
    holder = tree.parent(artifact.blobs[0]) if artifact.kind == "environment" and artifact.blobs else None
    names = tree.children(holder) if holder is not None else {}
    found = [name for name in PROJECTS if name in names]
    if holder is not None and found and len(artifact.blobs) == 1:
        yield Use("project", tree.label(holder), f"it lies beside {shown(found[0])}", "medium")
