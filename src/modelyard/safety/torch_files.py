"""PyTorch's files: the archive of today, the five streams of before 1.6, and what `torch.load` makes of them."""

from __future__ import annotations

from collections.abc import Iterable

from modelyard.formats.zips import Directory
from modelyard.safety.finding import Finding
from modelyard.safety.pickles import Streams, scan_streams
from modelyard.safety.plain import followed
from modelyard.safety.policy import Name, weights_only_names
from modelyard.safety.stream import Part, Source
from modelyard.safety.values import Reference, Value, is_plain, items_of

MAGIC = 0x1950A86A20F9469CFC6C
FIRST = b"\x80\2\x8a\n" + MAGIC.to_bytes(10, "little") + b"."
"""The first stream, as torch writes it."""
BEGINNING = 64
"""Bytes in which the magic number stands."""
LEGACY_STREAMS = 5
"""The magic number, the protocol, the system, the object, the keys of the storages."""
RECORDS = (
    "version", "byteorder", "constants.pkl", "data.pkl", ".format_version", ".storage_alignment", "archive_format",
    ".data/serialization_id", ".data/version", "attributes.pkl", "bytecode.pkl", "mobile_debug_handles.pkl",
    "traced_inputs.pkl",
)  # fmt: skip
SIZES = {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1,
         "Bool": 1, "ComplexDouble": 16, "ComplexFloat": 8, "QInt8": 1, "QUInt8": 1, "QInt32": 4, "QUInt4x2": 1,
         "QUInt2x4": 1, "Untyped": 1}  # fmt: skip
ONLY_PROTOCOL = 2
"""What weights_only reads: the instructions of later protocols are refused."""


class Storages:
    """Answers persistent ids as torch does, and remembers which storages they name."""

    def __init__(self, legacy: bool = False) -> None:
        self._legacy = legacy
        self.sizes: dict[str, int] = {}
        """Bytes of each storage by its key."""

    def __call__(self, about: Value) -> tuple[str, Value]:
        """What is wrong with a persistent id, and what it stands for: a storage, or a class with its source text."""
        if isinstance(about, tuple) and len(about) == 4 and about[0] == "module" and self._legacy:
            return ("", about[1]) if isinstance(about[1], Reference) else ("it names no class", None)
        return self._storage(about), None

    def _storage(self, about: Value) -> str:
        if not isinstance(about, tuple) or len(about) not in (5, 6) or about[0] != "storage":
            return "torch knows none of this kind"
        kind, key, location, count = about[1:5]
        if not isinstance(kind, Reference) or not kind.name.endswith("Storage") or not kind.module.startswith("torch"):
            return "it names no kind of storage"
        if not isinstance(key, str) or not isinstance(location, str) or type(count) is not int or count < 0:
            return "it does not say which storage"
        if len(about) == 6 and not (about[5] is None or all(map(is_plain, items_of(about[5])))):
            return "its view makes no sense"
        self.sizes[key] = count * SIZES.get(kind.name.removesuffix("Storage"), 0)
        return ""


def root_of(listing: Directory) -> str | None:
    """The one folder of a torch archive, `` where there is none around it; None for another kind of archive."""
    names = [each.name for each in listing.members]
    roots = {name.removesuffix("data.pkl") for name in names if name.rpartition("/")[2] == "data.pkl"}
    tops = [root for root in roots if root.count("/") <= 1]
    return tops[0] if len(tops) == 1 else None


def legacy(source: Source, member: str) -> Streams | None:
    """The streams of a file of before torch 1.6 and the storages behind them; None for another kind of file."""
    if b"." not in source.read(0, BEGINNING):
        return None  # no STOP, no number
    storages = Storages(legacy=True)
    found = _plainly(source, storages)
    if found is None:
        first = scan_streams(Part(source, 0, BEGINNING), member, most=1)
        if not first.values or first.values[0] != MAGIC:
            return None
        storages = Storages(legacy=True)
        found = scan_streams(source, member, most=LEGACY_STREAMS, persistent=storages)
    if found.count < LEGACY_STREAMS:
        return found
    keys = found.values[LEGACY_STREAMS - 1]
    end = found.end
    for key in keys if isinstance(keys, list) else ():
        end += 8 + storages.sizes.get(key, 0) if isinstance(key, str) else 0
    if end < source.size:
        left = source.size - end
        found.findings.append(
            Finding("unaccounted-bytes", "suspicious", f"{left:,} bytes behind its storages", member, end)
        )
    elif end > source.size:
        found.findings.append(
            Finding("broken-stream", "unknown", "the file ends within its storages", member, source.size)
        )
    return found


def _plainly(source: Source, storages: Storages) -> Streams | None:
    """The streams of such a file by the short way; None where one is not plain, or leans on the memo of another."""
    if source.read(0, len(FIRST)) != FIRST:
        return None
    found, start = Streams(count=LEGACY_STREAMS, end=len(FIRST), protocols={ONLY_PROTOCOL}), 0
    for _ in range(LEGACY_STREAMS - 1):
        start = found.end
        each = followed(source, storages, start)
        if each is None or not each.ended or each.counting or each.arrays:
            return None
        found.end = each.end
        for name, offset in each.names.items():
            found.names.setdefault(name, offset)
        found.protocols.add(each.protocol)
    found.values = [MAGIC, None, None, None, *scan_streams(source, most=1, start=start).values]
    return found


def scan_tar_part(source: Source, place: str, name: str) -> list[Finding]:
    """What a member of a tar archive of before 0.1.10 does: `pickle` alone is one stream.

    From torch's serialization.py: `storages` and `tensors` are a number, and for each a stream with raw bytes behind
    it; the views of storages are a stream behind all of them.
    """
    answer = Storages(legacy=True)
    if name == "pickle":
        return scan_streams(source, place, most=2, persistent=answer).findings
    found = scan_streams(source, place, most=1, persistent=answer)
    findings, at = found.findings, found.end
    count = found.values[0] if found.values else None
    if type(count) is not int:
        return [*findings, Finding("broken-stream", "unknown", "it does not begin with a number", place)]
    for _ in range(count):
        each = scan_streams(source, place, most=1, start=at, persistent=answer)
        raw = _raw(source, each, name)
        findings += each.findings
        if raw is None:
            return [*findings, Finding("broken-stream", "unknown", "it ends before its last part", place, at)]
        at = each.end + raw
    return findings + scan_streams(source, place, start=at, persistent=answer).findings


def _raw(source: Source, stream: Streams, name: str) -> int | None:
    """How many raw bytes stand behind a stream; None where that cannot be told."""
    told = stream.values[0] if stream.values else None
    if not isinstance(told, tuple) or len(told) != 3:
        return None
    if name == "tensors":
        dimensions = int.from_bytes(source.read(stream.end, 4), "little")
        return 16 + 16 * dimensions if dimensions <= 64 else None
    kind, count = told[2], int.from_bytes(source.read(stream.end, 8), "little")
    width = SIZES.get(kind.name.removesuffix("Storage"), 0) if isinstance(kind, Reference) else 0
    return 8 + count * width if width and stream.end + 8 + count * width <= source.size else None


def loading(names: Iterable[Name], protocols: Iterable[int], findings: Iterable[Finding]) -> str:
    """Which call loads a torch file: with `weights_only=True`, or why not."""
    refused = sorted(f"{each.module}.{each.name}" for each in names if each not in weights_only_names())
    later = [each for each in protocols if each > ONLY_PROTOCOL]
    if any(each.severity == "dangerous" for each in findings):
        return "do not load it"
    if refused:
        more = f" and {len(refused) - 3:,} more" if len(refused) > 3 else ""
        return f"needs weights_only=False because of {', '.join(refused[:3])}{more}"
    if later:
        return f"needs weights_only=False because it is written in pickle protocol {max(later)}"
    return "weights_only=True loads this"
