"""Code that lies beside weights: one finding a folder, which names the files and what would run them.

A folder is one of a model when a file of it is one, when its settings ask for code of their own, or when it is a
snapshot of a repository or a model of MLflow, with everything below. What is installed as a package is no model: its
sources and scripts are what packages are made of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from modelyard.formats.file import BrokenError
from modelyard.formats.json_text import decode
from modelyard.problem import Problem
from modelyard.safety.finding import Finding, Scanned
from modelyard.safety.path_files import TITLE, is_run, lines_of
from modelyard.safety.values import clipped
from modelyard.walk.read import read_file

CODE = (".py", ".pyw", ".pyc", ".sh", ".bash", ".bat", ".cmd", ".ps1", ".psm1", ".vbs", ".pth", ".ipynb")
NO_MODELS = ("", "settings", "script", "program", "zip", "tar", TITLE)
"""What a scan calls files that no framework loads as a model."""
SNAPSHOT = re.compile(r"^(.*/(?:models|datasets|spaces)--[^/]+/snapshots/[^/]+)(?:/|$)")
INSTALLED = re.compile(r"/(?:site|dist)-packages(?:/|$)|/node_modules(?:/|$)")
ABOVE = ("model_index.json", "modules.json", "config.json")
"""Settings of a folder whose weights lie in the folders below it."""
RUNNERS = {
    "handler.py": "an inference endpoint runs it", "pipeline.py": "custom_pipeline runs it",
    "hubconf.py": "torch.hub.load runs it",
}  # fmt: skip
REMOTE = ("modeling_", "configuration_", "tokenization_", "processing_", "image_processing_")
"""How the names of code begin that transformers runs for trust_remote_code."""
WEIGHTS = (b"PK", b"\x80")
"""How a `.pth` file begins that is one of torch."""
FOLDER = "folder"
"""The format of a line about a folder."""
MOST, CAP = 6, 8 << 20
"""Files that a finding names, and bytes of a notebook that are read."""


def with_code(found: Sequence[Scanned]) -> list[Scanned]:
    """What was found, with one more line for each folder of a model in which code lies, and none for its scripts."""
    roots = _roots(found)
    places: dict[str, str | None] = {}
    code: dict[str, list[str]] = {}
    kept = []
    for each in found:
        folder = os.path.dirname(each.path)
        if folder not in places:
            places[folder] = _root(folder, roots)
        root = places[folder]
        if root is not None and is_code(each):
            code.setdefault(root, []).append(_from(root, each.path))
        elif root is not None or not INSTALLED.search(folder):
            kept.append(each)
            continue
        own = tuple(own for own in each.findings if not _is_script(own))
        kept.append(each if own == each.findings else replace(each, findings=own))
    return kept + [_line(root or ".", names) for root, names in sorted(code.items())]


def _from(root: str, path: str) -> str:
    """The way from a folder to a file in or beside it."""
    inner = path.removeprefix(f"{root}/")
    plain = root and inner != path and not inner.startswith("/") and f"/{inner}".find("/.") < 0
    return inner if plain else os.path.relpath(path, root or ".")


def _roots(found: Sequence[Scanned]) -> set[str]:
    """The folders of models; those of MLflow end with a slash, because what lies below belongs to them."""
    roots: set[str] = set()
    files = {each.path for each in found}
    for each in found:
        if each.format in NO_MODELS and not any(own.code == "remote-code" for own in each.findings):
            continue
        folder = os.path.dirname(each.path)
        if each.format == "MLflow model":
            roots.add(f"{folder}/")
        if folder in roots or INSTALLED.search(folder):
            continue
        roots.add(folder)
        above = os.path.dirname(folder)
        if any(os.path.join(above, name) in files for name in ABOVE):
            roots.add(above)
    return roots


def _root(folder: str, roots: set[str]) -> str | None:
    """The folder of the model that the files of a folder lie beside."""
    if snapshot := SNAPSHOT.match(os.path.abspath(folder)):
        return snapshot[1] if os.path.isabs(folder) else os.path.relpath(snapshot[1])
    if folder in roots:
        return folder
    above = folder
    while above not in ("", "/"):
        if f"{above}/" in roots:
            return above
        above = os.path.dirname(above)
    return None


def is_code(each: Scanned) -> bool:
    """Whether a file is a program that is kept as text: by its name, or by how it begins."""
    suffix = os.path.splitext(each.path)[1].lower()
    if suffix in (".pth", ".ipynb"):
        return _holds_code(each.path, suffix)
    return suffix in CODE or any(_is_script(own) for own in each.findings)


def _is_script(own: Finding) -> bool:
    return own.code == "code-file" and not own.member


def _holds_code(path: str, suffix: str) -> bool:
    """Whether a notebook has cells of code, and whether a `.pth` file has lines that Python would run (site.py)."""
    data = read_file(os.fsencode(path), CAP, follow=True, head=suffix == ".pth")
    if isinstance(data, Problem):
        return suffix == ".ipynb"  # too long or unreadable: nothing else has this name
    if suffix == ".pth":
        return not data.startswith(WEIGHTS) and any(map(is_run, lines_of(data)))
    try:
        cells = decode(data, dict[str, Any]).get("cells")
    except BrokenError:
        return bool(data)
    return any(
        isinstance(cell, dict) and cell.get("cell_type") == "code" and cell.get("source") for cell in cells or ()
    )


def _line(root: str, names: list[str]) -> Scanned:
    told = []
    for name in sorted(names, key=lambda each: (_runner(each) == "", each))[:MOST]:
        runner = _runner(name)
        told.append(f"{clipped(name, 80)} ({runner})" if runner else clipped(name, 80))
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return Scanned(root, FOLDER, (Finding("code-file", "suspicious", f"{', '.join(told)}{more}"),))


def _runner(name: str) -> str:
    """What is known to run a file of this name."""
    base = os.path.basename(name).lower()
    if base.startswith(REMOTE) and base.endswith(".py"):
        return "trust_remote_code=True runs it"
    return (
        "Python runs its lines at every start once it is installed" if base.endswith(".pth") else RUNNERS.get(base, "")
    )
