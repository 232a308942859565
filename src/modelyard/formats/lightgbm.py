"""LightGBM: settings and trees as lines of text.

Layout: `src/boosting/gbdt_model_text.cpp` in github.com/microsoft/LightGBM.
"""

from __future__ import annotations

from modelyard.formats.file import File, told
from modelyard.formats.header import Header
from modelyard.formats.sniffing import Head

TITLE = "LightGBM"
EDGE = 1 << 18
SHOWN = ("num_class", "num_tree_per_iteration", "max_feature_idx", "objective")


def sniff(head: Head) -> bool:
    """Its first lines."""
    return head.data[:20].replace(b"\r", b"").startswith(b"tree\nversion=")


@told
def read(file: File) -> Header:
    """Number of trees, objective and features."""
    text = file.head(EDGE).decode("utf-8", "replace")
    lines = text.partition("\nTree=")[0].splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    trees = len(facts.get("tree_sizes", "").split())
    names = facts.get("feature_names", "").split()
    end = file.tail(EDGE)
    whole = b"end of trees" in end and (b"\nparameters:" not in end or b"\nend of parameters" in end)
    more = (("trees", str(trees)), ("features", f"{len(names):,}"))
    return Header(
        TITLE,
        facts.get("version", ""),
        complete=whole,
        architecture="gbdt",
        framework="LightGBM",
        metadata=(*((name, facts[name][:200]) for name in SHOWN if name in facts), *more),
        loads=("lightgbm.Booster(model_file=path)",),
    )
