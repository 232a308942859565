"""Keras models: what their configuration would make and call. Layers are names and settings, until they are code.

From keras/src/saving/serialization_lib.py: a dict with `class_name`, `module` and `registered_name` is looked up and
made; `Lambda` and `__lambda__` hold Python bytecode; `function` names one of any module (CVE-2025-1550).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelyard.formats.file import BrokenError, File
from modelyard.formats.hdf5_objects import Hdf5
from modelyard.formats.hdf5_values import texts
from modelyard.formats.zips import directory, opened
from modelyard.safety.finding import Finding
from modelyard.safety.hdf5_attributes import scan_attributes
from modelyard.safety.policy import Dangerous, lookup
from modelyard.safety.python_json import read_object
from modelyard.safety.values import clipped

VETTED = ("keras", "builtins", "tensorflow.keras", "keras_hub", "keras_nlp", "keras_cv")
LAMBDAS = ("Lambda", "__lambda__", "lambda")
FUNCTIONS = ("function", "builtin_function_or_method")
FETCHES = (
    "get_file",
    "load_model",
    "load_weights",
    "deserialize",
    "plot_model",
    "pickle_utils",
    "file_utils",
    "legacy",
)
"""What Keras itself has that reads files or loads more models (CVE-2025-8747)."""
LOADERS = {
    "TorchModuleWrapper": "loads a pickle out of the configuration",
    "TFSMLayer": "loads a SavedModel from another folder",
}
"""CVE-2025-49655, keras #22035; a vocabulary from any path is CVE-2025-12058."""
HOMES = ("activations", "losses", "metrics", "ops", "initializers", "regularizers", "constraints", "optimizers")
"""Modules of Keras whose functions compute (CVE-2025-9906 calls one of keras.config)."""
MOST = 100_000
CONFIGS = ("model_config", "training_config")
LOOKED = 16 << 20


def scan_archive(file: File, member: str) -> list[Finding]:
    """The configuration of a `.keras` archive."""
    inner = directory(file).find("config.json")
    if inner is None:
        return []
    place = f"{member}!config.json" if member else "config.json"
    return scan_config(opened(file, inner).whole(8 << 20), place)


def scan_hdf5(file: File, member: str) -> list[Finding]:
    """The configuration of a HDF5 model, and links and data that lie in other files (keras CVEs of 2026)."""
    found = Hdf5(file)
    top = found.messages(found.root)
    findings: list[Finding] = []
    told = texts(top, found)
    for name in CONFIGS:
        if name in told:
            findings += scan_config(told[name].encode(), f"{member}!{name}" if member else name)
    if CONFIGS[0] not in told and CONFIGS[0].encode() in file.head(min(file.size, LOOKED)):
        findings.append(
            Finding("broken-file", "unknown", "its configuration is kept in a way that is not read", member)
        )
    waiting, seen = [found.root], {found.root}
    while waiting and len(seen) < MOST:
        messages = found.messages(waiting.pop())
        findings += scan_attributes(messages, found, member)
        for link in found.links(messages):
            if link.file:
                what = f"the group {clipped(link.name, 80)} lies in the file {clipped(link.file, 120)}"
                findings.append(Finding("external-data", "suspicious", what, member))
            if link.address is not None and link.address not in seen:
                seen.add(link.address)
                waiting.append(link.address)
    return list(dict.fromkeys(findings))


def scan_config(data: bytes, place: str) -> list[Finding]:
    """What a configuration would make and call."""
    try:
        whole = read_object(data)
    except BrokenError as error:
        return [Finding("broken-file", "unknown", f"its configuration cannot be read: {error}", place)]
    return judge_config(whole, place)


def judge_config(whole: dict[str, Any], place: str) -> list[Finding]:
    """What a configuration that was read would make and call."""
    findings: dict[Finding, None] = {}
    waiting: list[object] = [whole]
    while waiting:  # a document is no longer than what is read
        each = waiting.pop()
        if isinstance(each, dict):
            findings |= dict.fromkeys(_judge(each, place))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return list(findings)


def _judge(node: dict[str, Any], place: str) -> Iterator[Finding]:
    kind, module = node.get("class_name"), node.get("module")
    if kind in LAMBDAS:
        yield Finding("keras-lambda", "dangerous", "a Lambda layer: Python bytecode out of the file", place)
        return
    if kind in LOADERS:
        yield Finding("dangerous-name", "dangerous", f"a layer {kind}, which {LOADERS[str(kind)]}", place)
    inner = node.get("config")
    if isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str):
        what = f"reads its vocabulary from {clipped(inner['vocabulary'], 120)}"
        yield Finding("external-data", "suspicious", what, place)
    if kind in FUNCTIONS or "fn_module" in node or "fn_name" in node:
        name = node.get("config") if isinstance(node.get("config"), str) else node.get("fn_name", kind)
        home = str(module or node.get("fn_module") or "")
        known = list(_name(home, str(name), place))
        yield from known
        if not known and home.partition(".")[0] == "keras" and not set(home.split(".")) & set(HOMES):
            yield Finding("unvetted-name", "suspicious", clipped(f"calls {home}.{name}", 120), place)
    elif isinstance(module, str) and isinstance(kind, str):
        yield from _name(module, kind, place)
    elif isinstance(kind, str) and isinstance(node.get("registered_name"), str) and ">" in node["registered_name"]:
        what = clipped(node["registered_name"], 120)
        yield Finding("unvetted-name", "suspicious", f"the class {what}, which its maker registers", place)


def _name(module: str, name: str, place: str) -> Iterator[Finding]:
    shown = clipped(f"{module}.{name}", 120)
    top = module.partition(".")[0]
    if isinstance(lookup(module, name), Dangerous) and top != "keras":
        yield Finding("dangerous-name", "dangerous", shown, place)
    elif top == "keras" and any(part in FETCHES for part in (*module.split("."), name)):
        yield Finding("dangerous-name", "dangerous", f"{shown}: loads or fetches another file", place)
    elif module and not any(module == each or module.startswith(f"{each}.") for each in VETTED):
        yield Finding("unvetted-name", "suspicious", shown, place)
