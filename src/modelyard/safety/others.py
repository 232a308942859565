"""Files that are no pickles, by their content: which of them can run code when they are loaded, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from os.path import basename
from typing import Any

from modelyard.formats import safetensors
from modelyard.formats.file import BrokenError, File
from modelyard.formats.json_text import decode
from modelyard.formats.sniffing import Head
from modelyard.formats.zips import directory, opened
from modelyard.problem import Problem
from modelyard.safety.finding import Finding
from modelyard.safety.late import late
from modelyard.safety.policy import Dangerous, Vetted, lookup
from modelyard.safety.signs import (
    ENGINES,
    GRAPHS,
    LONGEST_SETTINGS,
    MLFLOW,
    NATIVE,
    ONE_LOADER,
    PROMISED,
    SCRIPTS,
    SETTINGS,
    VERSION,
    is_exported,
    is_gguf,
    is_hdf5,
    is_keras,
    suffix_of,
)
from modelyard.safety.values import clipped

Scan = Callable[[File, str], list[Finding]]
scan_archive: Scan = late("keras", "scan_archive")
scan_exported: Scan = late("graph_code", "scan_exported")
scan_gguf: Scan = late("templates", "scan_gguf")
scan_hdf5: Scan = late("keras", "scan_hdf5")
scan_mlflow: Callable[[bytes, str], list[Finding]] = late("mlflow_model", "scan_mlflow")
scan_settings: Callable[[File, str, str, str], tuple[str, list[Finding]]] = late("settings", "scan_settings")
guessed: Callable[[File, bytes, str, str], tuple[str, list[Finding]] | None] = late("graphs", "guessed")
SHELL = re.compile(rb"#!\s*\S*(?:sh|python\d?|perl|ruby|node|env)\b")
LOADERS = ("OperatorFuncNode", "MethodNode", "PartialNode", "LossNode_", "ReduceNode")
"""Nodes of skops that call functions (CVE-2025-54412, CVE-2025-54413, CVE-2025-54886)."""


def scan_known(file: File, head: bytes, member: str) -> tuple[str, list[Finding]] | None:
    """The format of a file that is no pickle and no plain archive, and its findings; None for another file."""
    for is_it, title, scan in _BY_CONTENT:
        if is_it(head):
            return title, guarded(scan, file, member)
    name = basename(member.rpartition("!")[2] or file.name)
    return _by_name(file, head, suffix_of(name), name, member)


def guarded(scan: Callable[[File, str], list[Finding]], file: File, member: str) -> list[Finding]:
    """What a scan of a format finds; a file that is not as the format says is a finding too."""
    try:
        return scan(file, member)
    except (BrokenError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        return [Finding("broken-file", "unknown", f"it cannot be read to its end: {clipped(str(error), 200)}", member)]


def _by_name(file: File, head: bytes, suffix: str, name: str, member: str) -> tuple[str, list[Finding]] | None:
    if head[:4] in ENGINES:
        what = "an engine of TensorRT: code for one GPU, and libraries where it brings its own"
        return "TensorRT", [Finding("native-code", "suspicious", what, member)]
    if head.startswith(NATIVE):
        return "program", [Finding("native-code", "suspicious", "a program or a library of machine code", member)]
    if suffix in SCRIPTS or (head.startswith(b"#!") and SHELL.match(head)):
        return "script", [Finding("code-file", "suspicious", "a script, which nothing needs to load a model", member)]
    if name.lower() == MLFLOW and file.size <= LONGEST_SETTINGS:
        return "MLflow model", scan_mlflow(file.whole(LONGEST_SETTINGS), member)
    if suffix in SETTINGS:
        return scan_settings(file, suffix, name, member)
    if (head[:1] == VERSION or suffix in GRAPHS or suffix in PROMISED["ONNX"]) and (
        found := guessed(file, head, suffix, member)
    ) is not None:
        return found
    if suffix in ONE_LOADER and file.size:
        what = f"its name promises {suffix}, and it is none that can be read"
        return "", [Finding("unsupported", "unknown", what, member)]
    return None


def scan_zipped(file: File, names: tuple[str, ...], member: str) -> tuple[str, list[Finding]] | None:
    """The format of an archive that is more than its members, and what its directions would run."""
    if is_keras(names):
        return "Keras", guarded(scan_archive, file, member)
    if is_exported(names):
        return "PyTorch exported program", guarded(scan_exported, file, member)
    if "schema.json" in names:
        return "skops", guarded(_scan_skops, file, member)
    if "MAR-INF/MANIFEST.json" in names:
        what = "the handler that TorchServe runs is Python code of the archive"
        return "TorchServe archive", [Finding("remote-code", "suspicious", what, member)]
    return None


def _scan_skops(file: File, member: str) -> list[Finding]:
    """Every class and function that a schema names: skops asks before it makes those that it does not trust."""
    inner = directory(file).find("schema.json")
    whole = decode(opened(file, inner).whole(8 << 20), dict[str, Any]) if inner else {}
    place = f"{member}!schema.json" if member else "schema.json"
    findings: dict[Finding, None] = {}
    waiting: list[object] = [whole]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += node.values()
            module, name, loader = node.get("__module__"), node.get("__class__"), node.get("__loader__")
            if isinstance(module, str) and isinstance(name, str):
                known = lookup(module, name)
                shown = clipped(f"{module}.{name}", 120)
                if isinstance(known, Dangerous):
                    findings[Finding("dangerous-name", "dangerous", f"{shown}: {known.does}", place)] = None
                elif not isinstance(known, Vetted):
                    findings[Finding("unvetted-name", "suspicious", shown, place)] = None
                elif loader in LOADERS:
                    findings[Finding("unvetted-call", "suspicious", f"{shown}, by a {loader}", place)] = None
        elif isinstance(node, list):
            waiting += node
    return list(findings)


def _scan_safetensors(file: File, member: str) -> list[Finding]:
    """A header that is not what it says: sizes, gaps, overlaps, names that stand twice."""
    found = safetensors.read(file)
    if isinstance(found, Problem):
        return [Finding("header-lies", "unknown", f"it {found.message}", member)]
    length = int.from_bytes(file.at(0, 8), "little")
    lies = [*found.notes] + ([] if found.complete else ["the file ends before its tensors do"])
    at = 8 + length
    for tensor in found.tensors:
        if tensor.offset != at:
            lies.append(f"{clipped(tensor.name, 80)!r} does not begin where the one before it ends")
            break
        at += tensor.bytes
    if file.at(8, length).count(b'"data_offsets"') > len(found.tensors):
        lies.append("a name stands in its table twice")
    return [Finding("header-lies", "unknown", what, member) for what in lies]


_BY_CONTENT: tuple[tuple[Callable[[bytes], bool], str, Scan], ...] = (
    (is_gguf, "GGUF", scan_gguf),
    (is_hdf5, "HDF5", scan_hdf5),
    (lambda head: head[8:9] == b"{" and safetensors.sniff(Head(head)), "safetensors", _scan_safetensors),
)
