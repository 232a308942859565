"""The short way of plain pickles beside the long one: what it answers is what the machine in Python finds."""

from __future__ import annotations

import random
from collections.abc import Callable

from modelyard.formats.file import held
from modelyard.formats.hdf5_objects import beginning
from modelyard.formats.zips import END, is_zip
from modelyard.safety import files
from modelyard.safety.glance import glance
from modelyard.safety.judge import Answer
from modelyard.safety.pickles import scan_streams
from modelyard.safety.plain import Followed, followed
from modelyard.safety.reading import Bytes, Report, unlimited
from modelyard.safety.signs import is_hdf5
from modelyard.safety.stream import Source
from safety.programs import PHRASES, TEXTS, random_program

WEIGHTLESS = {"broken-stream", "unvetted-name", "persistent-id"}
"""What may be found in a stream that breaks off, and is nothing where no pickle was promised."""
VETTED = (
    ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "deque"), ("numpy", "dtype"),
    ("numpy", "ndarray"), ("numpy.core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "scalar"),
    ("_codecs", "encode"), ("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor"), ("builtins", "object"),
    ("__builtin__", "object"), ("builtins", "set"), ("builtins", "list"), ("builtins", "bytearray"),
    ("builtins", "int"), ("decimal", "Decimal"), ("builtins", "getattr"),
    ("datetime", "datetime"), ("datetime", "timezone"), ("fractions", "Fraction"), ("copyreg", "__newobj__"),
    ("numpy.random._pickle", "__randomstate_ctor"), ("numpy.random._mt19937", "MT19937"), ("uuid", "UUID"),
    ("sklearn.linear_model._base", "LinearRegression"), ("sklearn.tree._tree", "Tree"), ("numpy", "float64"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"), ("sklearn.preprocessing._encoders", "OneHotEncoder"),
    ("sklearn.utils._bunch", "Bunch"), ("pandas._libs.internals", "_unpickle_block"), ("numpy", "add"),
    ("torch._utils", "_rebuild_tensor_v2"), ("torch", "FloatStorage"),
)  # fmt: skip
WORDS = (*TEXTS, "latin1", "latin-1", "__setstate__", "dtype", "shape", "f8", "<i4", "O8", "V8", "b", "state", "Mt")


def agreed(source: Source, persistent: Answer | None = None, start: int = 0) -> Followed | None:
    """The answer of the short way, which fails where the long one finds anything else."""
    short = followed(source, persistent, start)
    if short is not None:
        first = scan_streams(source, persistent=persistent, most=1, start=start)
        names, protocols, arrays = first.names, first.protocols, first.arrays
        assert (names, protocols, arrays) == (short.names, {short.protocol}, short.arrays)
        if short.ended:
            assert (first.findings, first.count, first.end, first.broken) == ([], 1, short.end, "")
        else:
            assert first.count == 0 and {each.code for each in first.findings} <= WEIGHTLESS
    return short


def agreed_whole(data: bytes) -> Followed | None:
    """The same of a stream that is all there is."""
    return agreed(Bytes(held("", data, unlimited()))) if data else None


def glanced(name: str, data: bytes) -> str | None:
    """What the first look says of a file, which fails where every other look finds anything else."""
    known = glance(name, data)
    if known is not None:
        report, file = Report(), held(name, data, unlimited())
        files._scan_first(file, data, "", report, 0)
        assert (report.format, report.findings, report.loads) == (known, [], "")
        assert not is_zip(data) and not is_hdf5(data) and beginning(file) is None and END not in data
    return known


def _text(rng: random.Random) -> bytes:
    text = rng.choice(WORDS).encode()
    return rng.choice([
        b"\x8c" + bytes([len(text)]) + text, b"X" + len(text).to_bytes(4, "little") + text, b"V" + text + b"\n",
        b"S'" + text + b"'\n", b"U" + bytes([len(text)]) + text, b"V\\u0061" + text + b"\n",
    ])  # fmt: skip


def _name(rng: random.Random) -> bytes:
    module, name = (each.encode() for each in rng.choice(VETTED))
    old = b"c" + module + b"\n" + name + b"\n"
    return rng.choice([old, b"\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(name)]) + name + b"\x93"])


def _number(rng: random.Random) -> bytes:
    return rng.choice([
        b"K\x03", b"M\x00\x04", b"J\xff\xff\xff\xff", b"J\x00\x00\x00\x7f", b"G" + bytes(8), b"N", b"\x88", b"\x89",
        b"I12\n", b"I01\n", b"L5L\n", b"F1.5\n", b"\x8a\x01\x05", b"\x8a\x0a" + bytes(9) + b"\x01", b"I1_0\n", b"I07\n",
    ])  # fmt: skip


def _value(rng: random.Random, depth: int = 0) -> bytes:
    """The instructions for one value, which mostly fit together."""
    kinds: list[Callable[[random.Random], bytes]] = [
        _text,
        _number,
        _name,
        _kept,
        _recalled,
        lambda rng: b"C\x02" + bytes([rng.randrange(256), 7]),
    ]
    if depth < 3:
        kinds += 2 * [_container(depth), _call(depth), _object(depth)]
    return rng.choice(kinds)(rng)


def _kept(rng: random.Random) -> bytes:
    return _text(rng) + rng.choice([b"\x94", b"q" + bytes([rng.randrange(5)]), b"p2\n"])


def _recalled(rng: random.Random) -> bytes:
    return b"h" + bytes([rng.randrange(5)])


def _container(depth: int) -> Callable[[random.Random], bytes]:
    def write(rng: random.Random) -> bytes:
        inner = [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        whole, memo = b"".join(inner), rng.choice([b"", b"", b"\x94", b"q\x01"])
        pairs = b"".join(_text(rng) + each for each in inner)
        return rng.choice([
            b"(" + whole + b"t", b"(" + whole + b"l", b"]" + memo + b"(" + whole + b"e", b"(" + whole + b"\x91",
            b"\x8f" + memo + b"(" + whole + b"\x90", b"}" + memo + b"(" + pairs + b"u", b"(" + pairs + b"d",
            b"}" + memo + b"(" + 2 * whole + b"u", b")", b"".join(inner[:1] or [b"N"]) + b"\x85",
            b"]" + memo + (inner or [b"N"])[0] + b"a",
            b"}" + memo + _text(rng) + (inner or [b"N"])[0] + b"s",
        ])  # fmt: skip

    return write


def _call(depth: int) -> Callable[[random.Random], bytes]:
    def write(rng: random.Random) -> bytes:
        arguments = b"".join(_value(rng, depth + 1) for _ in range(rng.choice([0, 1, 1, 2, 3])))
        return _name(rng) + b"(" + arguments + b"t" + rng.choice([b"R", b"R", b"\x81"])

    return write


def _object(depth: int) -> Callable[[random.Random], bytes]:
    def write(rng: random.Random) -> bytes:
        made = _call(depth)(rng) + rng.choice([b"", b"\x94", b"q\x03"])
        more = b"".join(_value(rng, depth + 1) for _ in range(rng.randrange(3)))
        return made + rng.choice([_value(rng, depth + 1) + b"b", b"(" + more + b"e", b"(" + more + b"u"])

    return write


def vetted_program(rng: random.Random) -> bytes:
    """A program of names that are vetted, used well and badly."""
    parts = [b"\x80" + bytes([rng.randrange(6)])] if rng.random() < 0.8 else []
    parts += [_value(rng) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.1:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(PHRASES)(rng))
    body = b"".join(parts)
    if rng.random() < 0.2:
        at = rng.randrange(len(body))
        body = body[:at] + bytes([rng.randrange(256)]) + body[at + rng.randrange(2) :]
    if rng.random() < 0.1 and len(parts) > 1:
        rest = b"".join(parts[1:])
        body = parts[0] + b"\x95" + (len(rest) + rng.choice([1, 1, 0, 2, -3])).to_bytes(8, "little", signed=True) + rest
    return body + (b"" if rng.random() < 0.05 else b".")


def any_program(rng: random.Random) -> bytes:
    """A program of either kind."""
    return vetted_program(rng) if rng.random() < 0.7 else random_program(rng)
