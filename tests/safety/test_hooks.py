"""Attacks on what the unpickler asks of objects: their own hooks, and what counting or writing out an object calls."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from modelyard.safety.values import HELD
from safety.judged import codes, scanned
from safety.payloads import stacked, stream, text

NAMESPACE = stacked("types", "SimpleNamespace") + b")\x81"
CALLED = stacked("torch.nn.modules.linear", "Linear")
"""A vetted class: harmless when it is made without its __init__, which nobody vetted."""
LOADER = stacked("torch.utils.data.dataloader", "DataLoader") + b")\x81"
SPELLED = stacked("builtins", "str") + b"C\x0c__setstate__" + text("ascii") + b"\x86R"
TABLE = stacked("lightning.fabric.utilities.data", "AttributeDict") + b")\x81"
MANY = b"(" + b"".join(b"J" + n.to_bytes(4, "little") + b"N" for n in range(HELD + 9)) + b"u"
HOOKED = {
    "a hook among the attributes": NAMESPACE + b"}" + text("__setstate__") + CALLED + b"sb" + text("x") + b"b",
    "a hook in the state of slots": NAMESPACE + b"N}" + text("__setstate__") + CALLED + b"s\x86b" + text("x") + b"b",
    "a hook spelled by a call": NAMESPACE + b"}" + SPELLED + CALLED + b"sb",
    "a hook behind a thousand keys": NAMESPACE + b"}" + MANY + text("__setstate__") + CALLED + b"sb",
    "a hook that is an object": NAMESPACE + b"}" + text("__setstate__") + LOADER + b"sb",
    "a hook among items that are attributes": TABLE + text("__setstate__") + CALLED + b"s" + text("x") + b"b",
    "a spelled hook among items": TABLE + SPELLED + CALLED + b"s",
    "an extend of its own": stacked("collections", "UserList") + b")\x81}" + text("extend") + CALLED + b"sb(Ne",
    "an append of its own": stacked("collections", "UserList") + b")\x81}" + text("append") + CALLED + b"sbNa",
    "two states": NAMESPACE + b"}b}b",
}
COUNTED = {
    "a tuple made of an object": stacked("builtins", "tuple") + LOADER + b"\x85\x81",
    "a list made of an object": stacked("builtins", "list") + LOADER + b"\x85R",
    "a text made of an object": stacked("builtins", "str") + LOADER + b"\x85R",
    "a text made of an object in a list": stacked("builtins", "str") + b"](" + LOADER + b"e\x85R",
    "a number made of an object": stacked("builtins", "int") + LOADER + b"\x85\x81",
    "a path made of an object": stacked("pathlib", "PosixPath") + LOADER + b"\x85R",
    "a table made of an object": stacked("pandas.core.frame", "DataFrame") + LOADER + b"\x85R",
    "a table made by name": stacked("pandas.core.frame", "DataFrame") + b")}" + text("data") + LOADER + b"s\x92",
    "an index made of an object": stacked("pandas.core.indexes.base", "_new_Index")
    + stacked("pandas.core.indexes.base", "Index") + b"}" + text("data") + LOADER + b"s\x86R",
    "a tree of points made of an object": stacked("scipy.spatial._ckdtree", "cKDTree") + LOADER + b"\x85R",
    "an object that numpy hands through": stacked("builtins", "str") + stacked("numpy.core.multiarray", "scalar")
    + stacked("numpy", "dtype") + text("O8") + b"\x85R" + LOADER + b"\x86R\x85R",
}  # fmt: skip


@pytest.mark.parametrize("what", HOOKED)
def test_objects_that_bring_their_own_hooks(tmp_path: Path, what: str) -> None:
    told = scanned(tmp_path, stream(HOOKED[what]))
    assert (told.verdict, "hooked-object" in codes(told)) == ("dangerous", True)


@pytest.mark.parametrize("what", COUNTED)
def test_objects_are_not_counted_through_or_written_out(tmp_path: Path, what: str) -> None:
    assert scanned(tmp_path, stream(COUNTED[what])).verdict == "dangerous"


def test_the_hook_is_what_python_calls() -> None:
    """What makes it dangerous: the name in the file is called with the state of the file."""
    data = NAMESPACE + b"}" + text("__setstate__") + stacked("collections", "Counter") + b"sb" + text("aab") + b"b"
    made = pickle.loads(stream(data))
    assert vars(made)["__setstate__"].__name__ == "Counter"


def test_a_vocabulary_with_such_a_word_is_safe(tmp_path: Path) -> None:
    words = {"__setstate__": 1, "extend": 2, "append": 3}
    assert scanned(tmp_path, pickle.dumps(words, 4)).findings == ()
