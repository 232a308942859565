"""CatBoost: a flatbuffer with a length before it, or JSON.

Layout: `catboost/libs/model/flatbuffers/model.fbs`.
"""

from __future__ import annotations

import re

from modelyard.formats.file import File, told
from modelyard.formats.flatbuffers import root
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head

TITLE = "CatBoost"
AS_JSON = re.compile(rb'\s*\{\s*"(?:ctr_data|features_info|model_info)"\s*:')
RELEASE = re.compile(r"(?<![\d.])(\d+\.\d+(?:\.\d+)*)")


def sniff(head: Head) -> bool:
    """Its magic, or the features that its JSON begins with."""
    return head.data[:4] == b"CBM1" or bool(AS_JSON.match(head.data))


@told
def read(file: File) -> Header:
    """Version, number of trees and what the training noted; of JSON only that it is one."""
    if file.head(4) != b"CBM1":
        whole = file.tail(64).rstrip()[-1:] == b"}"
        load = "catboost.CatBoost().load_model(path, format='json')"
        return Header(TITLE, "JSON", complete=whole, framework="CatBoost", loads=(load,))
    length = int.from_bytes(file.at(4, 4), "little")
    complete = 8 + length <= file.size
    core = root(file.part("model", 8, min(length, file.size - 8)))
    facts = {each.text(0, 100): each.text(1, 300) for each in core.tables(2)[:64]}
    trees = core.table(1)
    more = (("trees", f"{len(trees.numbers(2)):,}"),) if trees else ()
    told_version = RELEASE.search(facts.get("catboost_version_info", ""))
    return Header(
        TITLE,
        core.text(0, 60),
        complete=complete,
        framework=f"CatBoost {told_version[1]}" if told_version else "CatBoost",
        metadata=(*more, *((name, value) for name, value in sorted(facts.items()))),
        loads=("catboost.CatBoost().load_model(path)",),
    )
