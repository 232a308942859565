"""NVIDIA NeMo, `.nemo`: a tar archive of a YAML configuration and the weights.

Layout: `nemo/core/connectors/save_restore_connector.py`.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from modelyard.formats.file import BrokenError, File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head
from modelyard.formats.tars import Entry, entries
from modelyard.problem import Problem

TITLE = "NeMo"
FACTS = re.compile(r"(?m)^(target|nemo_version|name): *['\"]?([\w.+-]{1,200})")
LONGEST = 1 << 20


def sniff(head: Head) -> bool:
    """The configuration and the weights."""
    names = {name.removeprefix("./") for name in head.names}
    return "model_config.yaml" in names


@told
def read(file: File) -> Header:
    """The tensors of the checkpoint inside, with offsets in the archive."""
    listed, whole = entries(file)
    members = {each.name.removeprefix("./"): each for each in listed}
    config = members["model_config.yaml"]
    size = min(config.size, LONGEST, file.size - config.offset)
    facts = dict(FACTS.findall(file.at(config.offset, size).decode("utf-8", "replace")))
    weights = next((each for name, each in members.items() if name.endswith(".ckpt")), None)
    inside = _weights(file, weights) if weights else Header("")
    notes = inside.notes if weights else ("its weights are no single checkpoint",)
    start = weights.offset if weights else 0
    tensors = tuple(
        replace(
            each, member=weights.name if weights else "", offset=None if each.offset is None else start + each.offset
        )
        for each in inside.tensors
    )
    return Header(
        TITLE,
        tensors=tensors,
        complete=(whole and inside.complete) or file.cut,
        architecture=facts.get("target", "").rpartition(".")[2],
        framework=f"NeMo {facts.get('nemo_version', '')}".strip(),
        metadata=(*facts.items(), ("members", f"{len(listed):,}")),
        loads=("nemo.core.ModelPT.restore_from(path)",),
        notes=notes,
    )


def _weights(file: File, entry: Entry) -> Header:
    if entry.offset + entry.size > file.size:
        if file.cut:
            return Header("", notes=("its weights lie beyond what was unpacked",))
        raise BrokenError("ends within its weights", "truncated")
    found = file.part(entry.name, entry.offset, entry.size).header()
    if isinstance(found, Problem):
        raise BrokenError(f"has weights that cannot be read: {found.message}", found.code)
    return found
