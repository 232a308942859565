"""The short way for plain pickles, most of them: a machine in C that answers only where there is nothing to find.

It follows a stream with kinds of values alone, and asks here what the policy says of each name. Where it meets anything
that is not plain it gives no answer, and the stream is followed as if it had never been asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelyard.safety._plain import follow
from modelyard.safety.arrays import WRAPPER
from modelyard.safety.hooks import PASSIVE
from modelyard.safety.judge import MAKERS, OPENER, Answer
from modelyard.safety.policy import Name, Rule, Vetted, lookup, modern
from modelyard.safety.rules import BASES, DATA, TABLES
from modelyard.safety.stream import WINDOW, Source
from modelyard.safety.values import Reference

if TYPE_CHECKING:
    from modelyard.safety._plain import Entry

LARGEST = 4 << 20
"""Bytes of a source that is read at once. Of a longer one the beginning is: what is no pickle breaks there."""
UNVETTED = 1 << 20
RULE = 24
RULES: tuple[Rule, ...] = (
    "any", "nothing", "one plain", "plain values", "plain and short", "containers", "factory", "reconstructor",
    "new object", "latin-1", "array", "random generator", "vetted class first",
)  # fmt: skip
"""Those that are known in C, from 1 on (plain.h); calls by the others are followed the long way."""
FRAMEWORKS = ("numpy", "pandas", "scikit-learn")


class Followed(NamedTuple):
    """What came of a stream in which nothing is to be found."""

    ended: bool
    """Whether it came to its STOP; otherwise every machine breaks where it stands, and names may be unvetted ones."""
    end: int
    protocol: int
    names: dict[Name, int]
    """Every name that is asked for, with its first offset."""
    arrays: int
    """How many arrays joblib wrote between the instructions."""
    counting: bool
    """Whether an Unpickler that read another stream before puts its values into other places of the memo."""


def followed(source: Source, persistent: Answer | None = None, start: int = 0) -> Followed | None:
    """Follows the stream that begins at an offset; None where the long way has to be gone."""
    if start >= source.size:
        return None
    try:
        data = source.read(0, min(source.size, WINDOW))
        found = _followed(data, start, persistent, len(data) == source.size)
        if found is None and len(data) < source.size <= LARGEST:
            data = source.read(0, source.size)
            found = _followed(data, start, persistent, len(data) == source.size)
    except OSError:
        return None  # what stands before the place that cannot be read counts
    return found


def followed_whole(data: bytes) -> Followed | None:
    """Follows the one stream that these bytes are to be; None where the long way has to be gone."""
    return _followed(data, 0, None, True)


def _followed(data: bytes, start: int, persistent: Answer | None, whole: bool) -> Followed | None:
    found = follow(data, start, _KNOWN, _entry, persistent, whole, True)
    if found is None or not found[4]:
        return Followed(*found) if found else None
    again = follow(data, start, _KNOWN, _entry, persistent, whole, False)  # as one who knows of no arrays
    return Followed(*found)._replace(protocol=max(found[2], again[2])) if again else None


_KNOWN: dict[bytes, Entry] = {}
"""What C was told of vetted names, by protocol and name."""


def _entry(module: str, name: str, old: bool) -> Entry:
    """What the policy says of a name as the bits of plain.h; `old` for protocols below 3."""
    module, name = modern(module, name) if old else (module, name)
    known = lookup(module, name)
    bits = UNVETTED if known is None else 0
    if isinstance(known, Vetted) and known.kind != OPENER:
        bits = _bits(known, module, name)
    return bits, Name(module, name), Reference(module, name)


def _bits(known: Vetted, module: str, name: str) -> int:
    uses, kind = known.uses, known.kind
    facts = (
        True, known.guarded, "call" in uses, "new" in uses, "state" in uses or kind == "random",
        bool(uses & {"name", "state"}), bool(uses & {"new", "state", "enum"}), "append" in uses, "items" in uses,
        "add" in uses, kind in DATA or (kind == "class" and module.startswith(TABLES)), kind == "array",
        kind in MAKERS, kind in PASSIVE, module == "builtins" and name in BASES, known.framework in FRAMEWORKS,
        module.startswith("numpy.random."), "call" in uses and not known.guarded, (module, name) == WRAPPER,
        (module, name) == ("numpy", "dtype"),
    )  # fmt: skip
    rule = RULES.index(known.rule) + 1 if known.rule in RULES else 0
    return sum(fact << bit for bit, fact in enumerate(facts)) | rule << RULE
