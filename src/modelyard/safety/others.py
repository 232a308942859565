"""Files that are no pickles, by their content: which of them can run code when they are loaded, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from os.path import basename, splitext
from typing import Any

from modelyard.formats import safetensors, saved_model
from modelyard.formats.file import BrokenError, File
from modelyard.formats.json_text import decode
from modelyard.formats.onnx_file import sniff as is_onnx
from modelyard.formats.sniffing import Head
from modelyard.formats.zips import directory, opened
from modelyard.problem import Problem
from modelyard.safety.finding import Finding
from modelyard.safety.graph_code import is_exported, scan_exported
from modelyard.safety.graphs import scan_graph, scan_onnx, scan_saved_model
from modelyard.safety.keras import is_hdf5, is_keras, scan_archive, scan_hdf5
from modelyard.safety.mlflow_model import NAME, scan_mlflow
from modelyard.safety.policy import Dangerous, Vetted, lookup
from modelyard.safety.settings import LONGEST, scan_json, scan_text, too_long
from modelyard.safety.templates import is_gguf, scan_gguf, scan_template
from modelyard.safety.values import clipped
from modelyard.safety.yaml_text import scan_yaml

NATIVE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xcf")
ENGINES = (b"ftrt", b"ptrt")
SHELL = re.compile(rb"#!\s*\S*(?:sh|python\d?|perl|ruby|node|env)\b")
PROMISED = {"ONNX": (".onnx",), "GGUF": (".gguf",), "safetensors": (".safetensors",), "HDF5": (".h5", ".hdf5"),
            "Keras": (".keras",), "skops": (".skops",), "npz": (".npz",), "pt2": (".pt2",)}  # fmt: skip
"""Names for which one loader alone is asked: what it cannot read here it may read elsewhere."""
ONE_LOADER = {suffix for promised in PROMISED.values() for suffix in promised}
VERSION = b"\x08"
"""The first byte of a SavedModel and of an ONNX file: a version is the first field of both."""
GRAPHS = (".pb", ".meta", ".pbtxt", ".graphdef")
SCRIPTS = (".sh", ".bat", ".cmd", ".ps1", ".bash", ".vbs")
SETTINGS = (".json", ".yaml", ".yml", ".jinja", ".env", ".toml", ".cfg", ".ini")
ENVIRONMENT = ".env"
WHOLE = (".json", ".jinja")
TAR_PARTS = ("storages", "tensors", "pickle")
"""The members of torch's files of before 0.1.10."""
TOLD_BY_NAME = {*SETTINGS, *SCRIPTS, *GRAPHS, *ONE_LOADER}
TOLD_BY_BYTE = {b"%c" % magic[0] for magic in (*NATIVE, *ENGINES, VERSION, b"#!", b"GGUF")}
"""The first byte of whatever is told by its content here, but for HDF5 and safetensors."""
LOADERS = ("OperatorFuncNode", "MethodNode", "PartialNode", "LossNode_", "ReduceNode")
"""Nodes of skops that call functions (CVE-2025-54412, CVE-2025-54413, CVE-2025-54886)."""


def scan_known(file: File, head: bytes, member: str) -> tuple[str, list[Finding]] | None:
    """The format of a file that is no pickle and no plain archive, and its findings; None for another file."""
    for is_it, title, scan in _BY_CONTENT:
        if is_it(head):
            return title, guarded(scan, file, member)
    name = basename(member.rpartition("!")[2] or file.name)
    return _by_name(file, head, suffix_of(name), name, member)


def telling(name: str) -> str:
    """What of a name decides how a file is read: its suffix, or all of it where libraries ask for the whole name."""
    name = name.lower()
    suffix = suffix_of(name)
    return name if suffix in WHOLE or name in TAR_PARTS or name == NAME else suffix


def suffix_of(name: str) -> str:
    """The suffix by which a file is told; `.env.local` is one of `.env`, where secrets are kept."""
    name = name.lower()
    return ENVIRONMENT if name.startswith(ENVIRONMENT) else splitext(name)[1]


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
    if suffix in SCRIPTS or SHELL.match(head):
        return "script", [Finding("code-file", "suspicious", "a script, which nothing needs to load a model", member)]
    if name.lower() == NAME and file.size <= LONGEST:
        return "MLflow model", scan_mlflow(file.whole(LONGEST), member)
    if suffix in SETTINGS:
        return _settings(file, suffix, name, member)
    versioned = head[:1] == VERSION
    for sniff, scan, title in _GUESSES:
        if (suffix in PROMISED.get(title, ()) or (versioned and sniff(Head(head)))) and (
            found := _read_as(scan, file, member)
        ) is not None:
            return title, found
    if suffix in GRAPHS and (found := _read_as(scan_graph, file, member)) is not None:
        return "TensorFlow graph", found
    if suffix in ONE_LOADER and file.size:
        what = f"its name promises {suffix}, and it is none that can be read"
        return "", [Finding("unsupported", "unknown", what, member)]
    return None


def _read_as(scan: Callable[[File, str], list[Finding] | None], file: File, member: str) -> list[Finding] | None:
    """What a scan finds in a file that may be of another kind altogether."""
    try:
        return scan(file, member)
    except (BrokenError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        what = f"it cannot be read to its end: {clipped(str(error), 200)}"
        return [Finding("broken-file", "unknown", what, member)]


def _settings(file: File, suffix: str, name: str, member: str) -> tuple[str, list[Finding]] | None:
    if file.size > LONGEST:
        return "", too_long(file.head(1 << 16), member or name)
    data = file.whole(LONGEST)
    if suffix == ".json":
        found = scan_json(data, member or name)
    elif suffix in (".yaml", ".yml"):
        found = scan_yaml(data, member)
    elif suffix == ".jinja":
        chat = "chat" in (member or file.name).lower()
        found = scan_template(data.decode("utf-8", "replace"), member, chat)
    else:
        found = list(scan_text(data, member))
    return ("settings" if found else ""), found


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


_GUESSES: tuple[tuple[Callable[[Head], bool], Callable[[File, str], list[Finding] | None], str], ...] = (
    (saved_model.sniff, scan_saved_model, "SavedModel"),
    (is_onnx, scan_onnx, "ONNX"),
)
_BY_CONTENT: tuple[tuple[Callable[[bytes], bool], str, Callable[[File, str], list[Finding]]], ...] = (
    (is_gguf, "GGUF", scan_gguf),
    (is_hdf5, "HDF5", scan_hdf5),
    (lambda head: head[8:9] == b"{" and safetensors.sniff(Head(head)), "safetensors", _scan_safetensors),
)
