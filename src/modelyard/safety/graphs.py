"""Graphs of operators: ONNX and TensorFlow. Operators of the format compute; some read files, some are code of others.

Layouts: onnx/onnx.proto, docs/ExternalData.md; tensorflow/core/protobuf/saved_model.proto, framework/graph.proto.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from modelyard.formats import onnx_file, saved_model
from modelyard.formats.file import BrokenError, File
from modelyard.formats.header import Header
from modelyard.formats.protobuf import LENGTH, Field, Message
from modelyard.formats.sniffing import Head
from modelyard.problem import Problem
from modelyard.safety.finding import Finding
from modelyard.safety.signs import GRAPHS as GRAPH_NAMES
from modelyard.safety.signs import PROMISED, VERSION
from modelyard.safety.text_graphs import is_text, text_operators
from modelyard.safety.values import clipped

GRAPH, FUNCTIONS = 7, 25
DEEPEST = 12
LONGEST = 16 << 20
"""Bytes of a graph that is read as text."""
KNOWN_DOMAINS = ("com.microsoft", "com.microsoft.nchwc", "ai.onnx.contrib")
"""Built into onnxruntime and its extensions."""
FILES = {
    "ReadFile": "reads any file", "WriteFile": "writes any file", "MatchingFiles": "lists files",
    "PyFunc": "calls Python of the program", "EagerPyFunc": "calls Python of the program",
    "PyFuncStateless": "calls Python of the program", "PrintV2": "writes to any file",
    "Save": "writes any file", "SaveSlices": "writes any file", "DebugIdentity": "sends tensors elsewhere",
    "DebugIdentityV2": "sends tensors elsewhere", "DebugIdentityV3": "sends tensors elsewhere",
    "RegisterDataset": "opens a connection", "RpcCall": "opens a connection", "RpcServer": "opens a connection",
    "DataServiceDataset": "opens a connection", "WriteSummary": "writes files",
    "CreateSummaryFileWriter": "writes files",
    "WholeFileReaderV2": "reads any file", "WholeFileReader": "reads any file",
    "FixedLengthRecordDataset": "reads any file", "TextLineDataset": "reads any file",
    "TFRecordDataset": "reads any file", "LoadDataset": "reads any file",
}  # fmt: skip
READS = ("reads any file", "lists files")


def scan_onnx(file: File, member: str) -> list[Finding] | None:
    """External data outside the folder and operators of other domains; None for what is no ONNX."""
    header = onnx_file.read(file)
    if not isinstance(header, Header):
        return [_unread(header, member)] if header.code in ("too-large", "too-deep") else None
    findings = [found for need in header.needs for found in _outside(file, need.path, member)]
    if len({each.file for each in header.tensors if each.file}) > len(header.needs):
        findings.append(Finding("too-long", "unknown", "it takes data from more files than are looked at", member))
    domains = {domain for domain in _domains(Message(file, 0, file.size)) if domain}
    for domain in sorted(domains - set(onnx_file.STANDARD) - set(KNOWN_DOMAINS))[:32]:
        what = f"operators of {clipped(domain, 120)}, which a library must bring"
        findings.append(Finding("custom-operator", "suspicious", what, member))
    return findings


def _unread(problem: Problem, member: str) -> Finding:
    return Finding("broken-file", "unknown", f"it {problem.message}", member)


def _outside(file: File, path: str, member: str) -> Iterator[Finding]:
    """A file of tensors: outside the folder, or a link that leads there (CVE-2024-27318, CVE-2025-51480)."""
    beside = file.beside(path)
    if beside is None and (file.folder or not path or path.startswith("/") or ".." in path.split("/")):
        yield Finding("external-data", "dangerous", f"reads {clipped(path, 120)}, outside its folder", member)
    elif beside is not None and os.path.islink(beside):
        yield from _link(beside, path, member)


def _link(beside: str, path: str, member: str) -> Iterator[Finding]:
    """Links of the hub's cache lead to its blobs; others are told."""
    if "blobs" not in os.path.realpath(beside).split(os.sep)[-2:]:
        yield Finding("external-data", "suspicious", f"reads {clipped(path, 120)}, which is a link", member)


def _domains(model: Message) -> Iterator[str]:
    for each in model.fields():
        if each.number == GRAPH and each.kind == LENGTH:
            yield from _of_graph(model.inner(each), 1, 0)
        elif each.number == FUNCTIONS and each.kind == LENGTH:
            yield from _of_graph(model.inner(each), 7, 0)


def _of_graph(graph: Message, nodes: int, depth: int) -> Iterator[str]:
    """The domains of its nodes and of the graphs in their attributes."""
    for node in _inner(graph, nodes):
        for part in node.fields():
            if part.number == 7 and part.kind == LENGTH:
                yield node.text(part, 200)
            elif part.number == 5 and part.kind == LENGTH and depth < DEEPEST:
                attribute = node.inner(part)
                for own in attribute.fields():
                    if own.number in (6, 11) and own.kind == LENGTH:
                        yield from _of_graph(attribute.inner(own), 1, depth + 1)


def _inner(message: Message, number: int) -> Iterator[Message]:
    return (message.inner(each) for each in message.fields() if each.number == number and each.kind == LENGTH)


def scan_saved_model(file: File, member: str) -> list[Finding] | None:
    """Operators that reach files, Python or the network; None for what is no SavedModel."""
    if not isinstance(saved_model.read(file), Header):
        return None
    return _judged({name for graph in _graphs(file) for name in _operators(graph)}, member)


def scan_graph(file: File, member: str) -> list[Finding] | None:
    """The same of a frozen graph, and of the graph beside a checkpoint of TensorFlow 1; None for another file."""
    if file.size <= LONGEST and is_text(data := file.whole(LONGEST)):
        used = set(text_operators(data.decode("utf-8", "replace")))
    else:
        whole = Message(file, 0, file.size)
        used = _found(_operators(whole)) | _found(name for inner in _inner(whole, 2) for name in _operators(inner))
    return _judged(used, member) if used else None


def _found(names: Iterator[str]) -> set[str]:
    """The names before the place, if any, where a file is no message: TensorFlow takes one whole or not at all."""
    used: set[str] = set()
    try:
        for name in names:
            used.add(name)
    except BrokenError as error:
        if error.code not in ("damaged", "truncated"):
            raise
    return used


def _judged(used: set[str], member: str) -> list[Finding]:
    findings = []
    for name in sorted(used):
        if does := FILES.get(name, ""):
            severity = "suspicious" if does in READS else "dangerous"
            findings.append(_operation(f"{name} {does}", severity == "dangerous", member))
        elif ">" in name or (not name[:1].isalpha() and name[:1] != "_"):
            findings.append(Finding("custom-operator", "suspicious", clipped(name, 120), member))
    return findings


def _operation(what: str, dangerous: bool, member: str) -> Finding:
    return Finding("graph-operation", "dangerous" if dangerous else "suspicious", what, member)


def _graphs(file: File) -> Iterator[Message]:
    for meta in _inner(Message(file, 0, file.size), 2):
        yield from _inner(meta, 2)


def _operators(graph: Message) -> Iterator[str]:
    for node in _inner(graph, 1):
        yield from _name(node, list(node.fields()))
    for library in _inner(graph, 2):
        for function in _inner(library, 1):
            for node in _inner(function, 3):
                yield from _name(node, list(node.fields()))


def _name(node: Message, fields: list[Field]) -> Iterator[str]:
    names = (node.text(each, 200) for each in fields if each.number == 2 and each.kind == LENGTH)
    return (each for each in names if each.isprintable())  # others are parts of another kind of message


def guessed(file: File, head: bytes, suffix: str, member: str) -> tuple[str, list[Finding]] | None:
    """The title and the findings of a file that may be a graph, by its name or its first byte; None for another one."""
    for sniff, scan, title in _GUESSES:
        may = suffix in PROMISED.get(title, ()) or (head[:1] == VERSION and sniff(Head(head)))
        if may and (found := _read_as(scan, file, member)) is not None:
            return title, found
    found = _read_as(scan_graph, file, member) if suffix in GRAPH_NAMES else None
    return None if found is None else ("TensorFlow graph", found)


def _read_as(scan: Callable[[File, str], list[Finding] | None], file: File, member: str) -> list[Finding] | None:
    """What a scan finds in a file that may be of another kind altogether."""
    try:
        return scan(file, member)
    except (BrokenError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        what = f"it cannot be read to its end: {clipped(str(error), 200)}"
        return [Finding("broken-file", "unknown", what, member)]


_GUESSES: tuple[tuple[Callable[[Head], bool], Callable[[File, str], list[Finding] | None], str], ...] = (
    (saved_model.sniff, scan_saved_model, "SavedModel"),
    (onnx_file.sniff, scan_onnx, "ONNX"),
)
