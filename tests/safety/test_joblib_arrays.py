"""Arrays that joblib would skip another way than a scan, so that a payload lies where only one of them looks."""

from __future__ import annotations

import io
from pathlib import Path

import joblib
import numpy as np
import pytest

from modelyard.safety.values import HELD
from safety.judged import scanned
from safety.payloads import name, stacked, stream, system, text

MANY = b"".join(b"J" + n.to_bytes(4, "little") + b"N" for n in range(HELD))
OBJECTS = stacked("numpy", "dtype") + text("O8") + b"\x89\x88\x87R"


def dtype(code: str, size: int = -1, flags: int = 0) -> bytes:
    """A type of elements with a state, as numpy writes it."""
    state = b"(K\x03" + text("|") + b"NNNJ" + size.to_bytes(4, "little", signed=True) + b"K\x01K" + bytes([flags])
    return stacked("numpy", "dtype") + text(code) + b"\x89\x88\x87R" + state + b"tb"


def array(of: bytes, count: int, more: bytes = b"", slots: bool = False) -> bytes:
    """The wrapper that joblib writes before an array's bytes."""
    facts = (text("subclass") + stacked("numpy", "ndarray"), text("shape") + b"K" + bytes([count]) + b"\x85",
             text("order") + text("C"), text("dtype") + of, text("allow_mmap") + b"\x89",
             text("numpy_array_alignment_bytes") + b"N")  # fmt: skip
    state = b"}(" + b"".join(facts) + more + b"u"
    return stacked("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + (b"N" + state + b"\x86" if slots else state)


def hidden(skipped: int, evil: bytes) -> bytes:
    """Instructions that are elements and a byte string to one reader, and the payload to another."""
    return b"\0" * skipped + b"C" + bytes([len(evil) + 2]) + b"xx" + evil


ATTACKS = {
    "elements longer than their name says": (array(dtype("S1", 5), 1) + b"b", 1),
    "objects by a flag": (array(dtype("V8", 8, 63), 1) + b"b", 8),
    "attributes by slots": (array(dtype("S1", 1), 3, slots=True) + b"b", 0),
    "a type told again behind a thousand keys": (
        array(dtype("S1", 1), 1, MANY + text("dtype") + dtype("S1", 5)) + b"b", 1),
    "objects told behind a thousand keys": (array(dtype("V8", 8), 1, MANY + text("dtype") + OBJECTS) + b"b", 8),
}  # fmt: skip


@pytest.mark.parametrize("what", ATTACKS)
def test_arrays_that_readers_skip_differently(tmp_path: Path, what: str) -> None:
    begin, skipped = ATTACKS[what]
    evil = b"0" + system(tmp_path / "marker") + b"."
    assert scanned(tmp_path, stream(begin + hidden(skipped, evil)), "m.joblib").verdict != "safe"


def test_joblib_really_skips_so(tmp_path: Path) -> None:
    """The size in the state counts for it: the bytes behind the array are read as instructions from another place."""
    path = tmp_path / "m.joblib"
    path.write_bytes(stream(array(dtype("S1", 5), 1) + b"b" + hidden(1, b"0" + name("collections", "Counter") + b".")))
    assert joblib.load(path).__name__ == "Counter"


def test_arrays_of_objects_and_records_are_no_finding(tmp_path: Path) -> None:
    for made in (np.array([None, {}], object), np.zeros(2, [("a", "O"), ("b", "i4")]), np.zeros(3, "S5"),
                 np.zeros(2, [("a", "i1"), ("b", "f8")]), np.zeros(2, "M8[s]"), np.array(["ab"])):  # fmt: skip
        out = io.BytesIO()
        joblib.dump({"a": made, "b": [made, 1]}, out)
        assert scanned(tmp_path, out.getvalue(), "m.joblib").findings == ()
