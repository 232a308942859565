"""XGBoost: a tree of settings and trees as JSON or as its binary twin, UBJSON.

Layout: `doc/model.schema` in github.com/dmlc/xgboost; ubjson.org.
"""

from __future__ import annotations

import re

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head

TITLE = "XGBoost"
EDGE = 1 << 18
"""Bytes of beginning and end in which the settings stand; the trees lie between."""
WORDS = ("num_trees", "num_parallel_tree", "num_class", "num_feature", "num_target", "base_score")
TEXT = r'"%s":\s*"([^"]{1,60})"'
START = re.compile(rb'\s*\{\s*"learner"\s*:|\{L\0{7}\x07learner\{|\{[iU]\x07learner\{')


def sniff(head: Head) -> bool:
    """A document that begins with the learner, or the binary form before version 1."""
    return bool(START.match(head.data)) or head.data[:4] == b"binf"


@told
def read(file: File) -> Header:
    """Number of trees, features and classes, objective and version."""
    if file.head(4) == b"binf":
        return Header(TITLE, "binary", framework="XGBoost before 3.1", loads=("xgboost.Booster(model_file=path)",))
    text = file.head(EDGE) + b"\0" + file.tail(EDGE)
    as_json = file.head(64).lstrip()[1:2] in (b'"', b" ", b"\n", b"\r", b"\t")
    facts = _json_facts(text) if as_json else _binary_facts(text)
    ended = file.tail(64).rstrip(b" \r\n\0")[-1:] == b"}"
    version = facts.pop("version", "")
    return Header(
        TITLE,
        "JSON" if as_json else "UBJSON",
        complete=ended,
        architecture=facts.get("booster", ""),
        framework=f"XGBoost {version}".strip(),
        metadata=tuple(facts.items()),
        loads=("xgboost.Booster(model_file=path)",),
    )


def _json_facts(data: bytes) -> dict[str, str]:
    text = data.decode("utf-8", "replace")
    found = {word: each[1] for word in WORDS if (each := re.search(TEXT % word, text))}
    objective = re.search(r'"objective":\s*\{[^{}]*"name":\s*"([\w:]{1,60})"', text)
    booster = re.search(r'"name":\s*"(gbtree|gblinear|dart)"', text)
    version = re.findall(r'"version":\s*\[(\d{1,5}),\s*(\d{1,5}),\s*(\d{1,5})\]', text)
    return _joined(
        found,
        objective[1] if objective else "",
        booster[1] if booster else "",
        ".".join(version[-1:][0]) if version else "",
    )


def _binary_facts(data: bytes) -> dict[str, str]:
    found = {}
    for word in WORDS:
        each = re.search(rb"(?s)" + word.encode() + rb"SL(.{8})", data)
        if each:
            length = int.from_bytes(each[1], "big")
            found[word] = data[each.end() : each.end() + min(length, 60)].decode("ascii", "replace")
    objective = re.search(rb"objective\{L.{8}nameSL.{7}(.)", data, re.DOTALL)
    name = data[objective.end() : objective.end() + objective[1][0]].decode("ascii", "replace") if objective else ""
    booster = re.search(rb"(?s)nameSL.{8}(gbtree|gblinear|dart)", data)
    version = re.search(rb"(?s)version\[#L.{8}((?:i.|I..|U.|l....|L.{8}){3})\}?", data)
    numbers = re.findall(rb"(?s)[iU](.)|I(..)|l(....)|L(.{8})", version[1]) if version else []
    text = ".".join(str(int.from_bytes(b"".join(each), "big")) for each in numbers)
    return _joined(found, name, booster[1].decode() if booster else "", text)


def _joined(found: dict[str, str], objective: str, booster: str, version: str) -> dict[str, str]:
    more = {"objective": objective, "booster": booster, "version": version}
    return found | {name: value for name, value in more.items() if value}
