"""The short way of plain pickles answers what the long way finds, and never where there is something to find."""

from __future__ import annotations

import ast
import io
import pickle
import random
import struct
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from modelyard.safety import torch_files
from modelyard.safety.numpy_files import _told
from modelyard.safety.pickles import STREAMS, Streams, scan_streams
from modelyard.safety.plain import LARGEST, followed
from modelyard.safety.stream import WINDOW, Memory
from modelyard.safety.torch_files import legacy
from safety.judged import scanned
from safety.payloads import call, name, stacked, text
from safety.programs import damaged, seeds
from safety.shortcut import agreed, any_program

ROUNDS, BATCH = 16_000, 2000
DICT = b"ccollections\nOrderedDict\n)R"
ESTIMATOR = b"csklearn.linear_model._base\nLinearRegression\n)\x81"
DTYPE = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR"
OBJECT = b"ccollections\nOrderedDict\n"
NUMBER = name("numpy._core.multiarray", "scalar")
SCALAR = call(NUMBER, DTYPE, b"C\x01a")
REBUILD = name("copyreg", "_reconstructor")
PLAIN = call(name("numpy", "dtype"), b"h\x01")
FOUND: dict[str, bytes] = {
    "a state after a state": ESTIMATOR + b"}b}b",
    "items after a state": DICT + b"}b(K\x01K\x02u",
    "a hook": b"}" + text("__setstate__") + OBJECT + b"s",
    "a hook that is spelled by an escape": b"}V__setstat\\u0065__\n" + OBJECT + b"s",
    "a key that a call spells": ESTIMATOR + b"}" + SCALAR + OBJECT + b"sb",
    "a pickle as bytes": b"C" + bytes([len(b"\x80\x02cos\nsystem\n.")]) + b"\x80\x02cos\nsystem\n.",
    "a pickle as text": b"\x8c\x10\xc2\x80\x02cos\nsystem\n.",
    "a kept encoder": b"(" + name("_codecs", "encode") + b"t",
    "another encoding": call(name("_codecs", "encode"), text("flfgrz"), text("rot13")),
    "a class to be rebuilt with an object": call(REBUILD, OBJECT, name("builtins", "object"), DICT),
    "a class to be rebuilt with a name": call(REBUILD, OBJECT, name("builtins", "object"), OBJECT),
    "another base": call(REBUILD, OBJECT, OBJECT, b"N"),
    "memory": call(name("builtins", "bytearray"), b"J\x00\x00\x00\x7f"),
    "an object among plain values": call(name("numpy", "dtype"), ESTIMATOR),
    "an object in a list that was held before": b"]q\x00(h\x00tq\x010h\x00" + ESTIMATOR + b"a0" + PLAIN,
    "an object in the array of an array": call(name("numpy", "dtype"), call(NUMBER, DTYPE, ESTIMATOR)),
    "a type that is filled": DTYPE + b"K\x01a",
    "a state of a number": b"K\x01}b",
    "a state of a class": OBJECT + b"}b",
    "a state of a number of numpy": SCALAR + b"}b",
    "a call of what a call gave": DICT + b")R",
    "a computed name": DICT + DICT + b"\x93",
    "a function that is only named": call(name("numpy", "add"), b"K\x01"),
    "a number": b"\x82\x01",
    "a far place of the memo": b"Nr\x00\x00\x00\x40",
    "a persistent id": b"Pname\n",
    "an id in binary": b"K\x01Q",
    "a frame that is crossed": b"\x95\x03" + bytes(7) + b"\x8c\x02ab",
    "a frame in a frame": b"\x95\x0c" + bytes(7) + b"\x95\x01" + bytes(7) + b"NNN",
    "a frame that is longer than the file": b"\x95\xff" + bytes(7) + b"N",
    "an unvetted name": b"cown\nThing\n",
    "a buffer": b"\x97",
}  # fmt: skip


@pytest.mark.parametrize("program", FOUND.values(), ids=list(FOUND))
def test_where_the_long_way_finds_something_the_short_one_says_nothing(program: bytes) -> None:
    data = b"\x80\x04" + program + b"."
    long = scan_streams(Memory(data), most=STREAMS - 1)
    assert long.findings
    assert followed(Memory(data)) is None


@pytest.mark.parametrize("start", range(0, ROUNDS, BATCH))
def test_both_ways_agree_on_random_programs(start: int) -> None:
    rng = random.Random(start)
    answers = [agreed(Memory(any_program(rng))) for _ in range(BATCH)]
    assert sum(each is not None and each.ended for each in answers) > BATCH / 10


def _written() -> list[bytes]:
    things: list[object] = [
        {"a": np.arange(12.0).reshape(3, 4), "b": np.array(["a", "bc"]), "c": np.array([(1, 2.0)], "i4,f8")},
        [np.float64(1), np.random.RandomState(1), np.array([{1}, None], object)],
    ]  # fmt: skip
    return seeds() + [pickle.dumps(thing, protocol) for thing in things for protocol in range(6)]


def test_both_ways_agree_on_damaged_pickles() -> None:
    rng, known = random.Random(1), _written()
    for _ in range(6000):
        agreed(Memory(damaged(rng, rng.choice(known), rng.choice(known))))


def test_both_ways_agree_on_every_beginning_and_every_changed_byte() -> None:
    for data in (each for each in _written() if len(each) < 1000):
        for at in range(len(data)):
            agreed(Memory(data[:at]))
            for changed in (data[at] ^ 0x80, data[at] ^ 1, data[at] + 1 & 0xFF):
                agreed(Memory(data[:at] + bytes([changed]) + data[at + 1 :]))


def test_arrays_of_joblib(tmp_path: Path) -> None:
    """The arrays are skipped as they are in the long way, whatever is changed around them."""
    things = {
        "a": np.arange(5.0),
        "b": np.zeros((2, 0)),
        "c": np.array(["ab"]),
        "d": np.zeros(3, "i4,f8"),
        "e": np.arange(6)[::2],
    }
    joblib.dump(things, tmp_path / "a.joblib")
    data = (tmp_path / "a.joblib").read_bytes()
    found = agreed(Memory(data))
    assert found is not None and found.ended and found.arrays == len(things)
    for at in range(len(data)):
        agreed(Memory(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]))
        agreed(Memory(data[:at]))


def test_files_of_before_torch_1_6(monkeypatch: pytest.MonkeyPatch) -> None:
    """The five streams go the short way together or not at all, whatever is changed in them."""
    written = io.BytesIO()
    things = {"weight": torch.arange(6.0).reshape(2, 3), "epoch": 3}
    torch.save(things, written, _use_new_zipfile_serialization=False)
    whole = written.getvalue()
    plain = torch_files._plainly(Memory(whole), torch_files.Storages(legacy=True))
    assert plain is not None and isinstance(plain.values[4], list)
    changed = [whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :] for at in range(len(whole)) for bit in (1, 0x80)]
    changed += [whole[:at] for at in range(1, len(whole), 3)] + [whole + b"more"]
    short = [legacy(Memory(each), "") for each in changed]
    monkeypatch.setattr(torch_files, "_plainly", lambda source, storages: None)
    for each, told in zip(changed, short, strict=True):
        long = legacy(Memory(each), "")
        assert _facts(told) == _facts(long)


def _facts(found: Streams | None) -> object:
    if found is None:
        return None
    return found.findings, found.names, found.count, found.end, found.arrays, found.protocols, found.broken


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (1, 0, 2)])
@pytest.mark.parametrize("kind", ["f4", "U3", "?", "M8[ns]", "i4,f8", "O"])
def test_headers_of_numpy_are_read_as_a_parser_reads_them(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, kind))
    header = (tmp_path / "a.npy").read_bytes()[10:128].partition(b"\n")[0].decode() + "\n"
    told, parsed = _told(header), ast.literal_eval(header)
    assert isinstance(told, dict) and [told["descr"], told["shape"]] == [parsed["descr"], shape]


@pytest.mark.parametrize("protocol", range(6))
def test_what_is_plain_goes_the_short_way(protocol: int) -> None:
    thing = {"a": [1, 2.5, None, True, "é", -(1 << 70)], "b": (b"xy", {1, 2}, frozenset({3})), "c": np.arange(9)}
    found = agreed(Memory(pickle.dumps(thing, protocol)))
    assert found is not None and found.ended and found.protocol == max(0, protocol if protocol > 1 else 0)


def test_places_of_the_memo_are_counted_once() -> None:
    for program in (b"Nq\x00q\x00\x94h\x01.", b"Nq\x02\x94h\x01.", b"Np5\n\x94\x94h\x02.", b"Nq\x07h\x06."):
        assert agreed(Memory(program)) is not None


LENGTHS = [struct.pack("<Q", each) for each in (1 << 63, (1 << 64) - 1, 1 << 32, 1 << 31, 1025)]


@pytest.mark.parametrize("opcode", [b"\x8d", b"\x8e", b"\x96", b"\x95", b"X", b"B", b"T", b"\x8b", b"r", b"j"])
@pytest.mark.parametrize("length", LENGTHS, ids=[each.hex() for each in LENGTHS])
def test_lengths_that_no_file_has(opcode: bytes, length: bytes) -> None:
    wide = opcode in (b"\x8d", b"\x8e", b"\x96", b"\x95")
    for rest in (b"", b".", b"abc."):
        agreed(Memory(b"N" + opcode + length[: 8 if wide else 4] + rest))


def test_deep_and_long_streams_stay_within_bounds() -> None:
    """Marks and containers are counted, not walked; what goes on for too long is left to the long way."""
    deep = b"(" * 200_000 + b"t" * 200_000 + b"."
    assert agreed(Memory(deep)) is not None
    doubled = b"N" + b"2\x86" * 60 + b"."
    assert agreed(Memory(doubled)) is not None
    assert followed(Memory(b"N0" * 600_000 + b"N.")) is None
    shared = b"(" + b"K\x01" * 20_000 + b"tq\x000" + (OBJECT + b"h\x00R0") * 1000 + b"N"
    assert followed(Memory(shared + b".")) is None  # what many calls share is not looked at again each time
    many = b"(" + b"K\x01" * 20_000 + b"t"
    assert followed(Memory(b"cnumpy\ndtype\n" + many + b"\x85R.")) is None  # more than a rule looks at


def test_a_long_file_is_only_read_as_far_as_it_has_to_be(tmp_path: Path) -> None:
    class Counting(Memory):
        most = 0

        def read(self, offset: int, count: int) -> bytes:
            self.most = max(self.most, count)
            return super().read(offset, count)

    words = Counting(b'"words"' * (LARGEST // 7))
    found = followed(words)
    assert found is not None and not found.ended and words.most <= WINDOW
    assert followed(Counting(b"N" * LARGEST + b"N.")) is None
    assert scanned(tmp_path, words.data, "words.txt").format == ""


def test_a_disk_that_fails_is_told_by_the_long_way() -> None:
    class Failing(Memory):
        def read(self, offset: int, count: int) -> bytes:
            raise OSError(5, "it is gone")

    assert followed(Failing(b"N.")) is None


@pytest.mark.parametrize("suffix", ["", ".txt", ".py", ".json", ".pkl", ".bin", ".npz", ".onnx", ".sh", ".pb", ".npy"])
def test_the_first_look_agrees_with_all_others(tmp_path: Path, suffix: str) -> None:
    """Every first byte, before words and before what other formats look for behind it."""
    for first in range(256):
        for rest in (b"", b"ords and words", b"\1\x12\0\n", b"1234567{}", b"os\nsystem\n(tR.", b"\2N."):
            scanned(tmp_path, bytes([first]) + rest, f"a{suffix}")


@pytest.mark.parametrize(
    "magic", [b"GGUF", b"\x89HDF\r\n\x1a\n", b"#!/bin/sh\n", b"\x7fELF", b"MZ", b"ftrt", b"PK\3\4"]
)
def test_a_known_beginning_is_seen_under_any_name(tmp_path: Path, magic: bytes) -> None:
    for called in ("notes.txt", "notes", "a.py"):
        told = scanned(tmp_path, magic + bytes(64), called)
        assert told.format or told.findings


def test_names_of_either_protocol_and_either_way_of_writing() -> None:
    for module, protocol in (("__builtin__", 2), ("builtins", 4)):
        for asked in (name(module, "set"), stacked(module, "set")):
            data = b"\x80" + bytes([protocol]) + asked + b"."
            found = agreed(Memory(data))
            assert found is not None and [each.module for each in found.names] == ["builtins"]
    newline = b"\x80\x04" + text("builtins\nset") + text("x") + b"\x93."
    assert followed(Memory(newline)) is None
