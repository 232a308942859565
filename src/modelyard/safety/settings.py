"""Settings beside the weights: code that a library would fetch and run, templates, classes by name, secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from modelyard.formats.file import BrokenError, File
from modelyard.formats.json_text import decode
from modelyard.safety.finding import Finding
from modelyard.safety.late import late
from modelyard.safety.policy import Dangerous, lookup
from modelyard.safety.python_json import read_object
from modelyard.safety.signs import LONGEST_SETTINGS
from modelyard.safety.values import clipped

judge_config: Callable[[object, str], list[Finding]] = late("keras", "judge_config")
scan_template: Callable[..., list[Finding]] = late("templates", "scan_template")
scan_yaml: Callable[[bytes, str], list[Finding]] = late("yaml_text", "scan_yaml")
SECRETS = (
    (re.compile(rb"\bhf_[A-Za-z]{30,40}\b"), "a token of the Hugging Face hub"),
    (re.compile(rb"\bAKIA(?!\w{9}EXAMPLE)[0-9A-Z]{16}\b"), "a key of AWS"),
    (re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"), "a token of GitHub"),
    (re.compile(rb"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}\b"), "a key of an AI service"),
    (re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b"), "a key of Google"),
    (re.compile(rb"\bxox[abprs]-[0-9A-Za-z-]{20,}\b"), "a token of Slack"),
    (re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"), "a private key"),
)
PIPELINE, MODULES = "model_index.json", "modules.json"
LIBRARIES = ("diffusers", "transformers", "stable_diffusion", "onnxruntime", "flax", "torch")


def scan_settings(file: File, suffix: str, name: str, member: str) -> tuple[str, list[Finding]]:
    """The format of a file of settings, empty where nothing in it matters, and what it makes libraries do."""
    if file.size > LONGEST_SETTINGS:
        return "", too_long(file.head(1 << 16), member or name)
    data = file.whole(LONGEST_SETTINGS)
    if suffix == ".json":
        found = scan_json(data, member or name)
    elif suffix in (".yaml", ".yml"):
        found = scan_yaml(data, member)
    elif suffix == ".jinja":
        found = scan_template(data.decode("utf-8", "replace"), member, "chat" in (member or file.name).lower())
    else:
        found = list(scan_text(data, member))
    return ("settings" if found else ""), found


def scan_json(data: bytes, place: str) -> list[Finding]:
    """What a JSON file of settings makes a library do."""
    findings = list(scan_text(data, place))
    name = place.rpartition("!")[2].rpartition("/")[2].lower()
    try:
        whole = read_object(data) if name != MODULES else {}
        findings += _modules(data, place) if name == MODULES else ()
    except BrokenError as error:
        return findings + (too_long(data, place) if error.code == "too-large" else [])
    findings += _code(whole, place, name == PIPELINE)
    if isinstance(whole.get("class_name"), str) and "config" in whole:
        findings += judge_config(whole, place)
    template = whole.get("chat_template")
    for text in _templates(template):
        findings += scan_template(text, f"{place}!chat_template" if place else "chat_template")
    return findings


def too_long(begin: bytes, place: str) -> list[Finding]:
    """What is said of settings that are longer than what is read; vocabularies are long, and hold nothing that runs."""
    name = place.rpartition("!")[2].rpartition("/")[2].lower()
    vocabulary = name.endswith(".json") and not any(word in name for word in ("config", "template", "model_index"))
    if vocabulary and b'"class_name"' not in begin[:LONGEST_SETTINGS]:
        return []
    return [Finding("too-long", "unknown", "settings that are longer than what is read", place)]


def _templates(value: object) -> Iterator[str]:
    """One template, or several with names."""
    if isinstance(value, str):
        yield value
    for each in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        inner = each.get("template") if isinstance(each, dict) else each
        if isinstance(inner, str):
            yield inner


def _modules(data: bytes, place: str) -> Iterator[Finding]:
    """The parts of a sentence-transformers model, which are imported by name and asked to `load`."""
    for each in decode(data, list[Any]):
        name = each.get("type") if isinstance(each, dict) else None
        if not isinstance(name, str) or name.startswith("sentence_transformers."):
            continue
        module, _, last = name.rpartition(".")
        known = isinstance(lookup(module, last), Dangerous) or isinstance(lookup(name, "load"), Dangerous)
        what = f"imports {clipped(name, 120)} and calls what it is given there"
        if known:
            yield Finding("dangerous-name", "dangerous", what, place)
        else:
            yield Finding("remote-code", "suspicious", what, place)


def _code(whole: dict[str, Any], place: str, pipeline: bool) -> Iterator[Finding]:
    mapped = whole.get("auto_map")
    for name in dict.fromkeys(_names(mapped)):
        where = "of another repository" if "--" in name else "beside it"
        what = f"trust_remote_code=True runs {clipped(name, 120)} {where}"
        yield Finding("remote-code", "suspicious", what, place)
    for key in ("trust_remote_code", "custom_pipelines", "custom_pipeline"):
        if whole.get(key):
            yield Finding("remote-code", "suspicious", f"{key}: {clipped(str(whole[key]), 120)}", place)
    parent = whole["auto_mapping"].get("parent_library") if isinstance(whole.get("auto_mapping"), dict) else None
    if isinstance(parent, str) and parent.partition(".")[0] not in (*LIBRARIES, "__main__", "timm"):
        yield Finding("remote-code", "suspicious", f"an adapter that imports {clipped(parent, 120)}", place)
    if pipeline or ("_class_name" in whole and "_diffusers_version" in whole):
        yield from _pipeline(whole, place, pipeline)


def _pipeline(whole: dict[str, Any], place: str, sure: bool) -> Iterator[Finding]:
    """The parts of a Diffusers pipeline: a library and a class, or a module of the repository.

    By another name it may be the settings of one part, in which two classes of blocks stand beside each other.
    """
    parts = [(key, each) for key, each in whole.items() if not key.startswith("_")]
    parts.append(("_class_name", whole.get("_class_name")))
    for key, each in parts:
        names = (
            each if isinstance(each, list) and len(each) == 2 and all(isinstance(one, str) for one in each) else None
        )
        if names and names[0] not in LIBRARIES and (sure or not names[0][:1].isupper()):
            what = f"the part {clipped(key, 60)} is code: {clipped('.'.join(names), 120)}"
            yield Finding("remote-code", "suspicious", what, place)


def _names(value: object) -> Iterator[str]:
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,):
        if isinstance(each, str):
            yield each
        elif isinstance(each, list):
            yield from (inner for inner in each if isinstance(inner, str))


def scan_text(data: bytes, place: str) -> Iterator[Finding]:
    """Secrets in any text. What they are is not told."""
    for pattern, what in SECRETS:
        if match := pattern.search(data):
            yield Finding("secret", "suspicious", f"{what} stands in it", place, match.start())
