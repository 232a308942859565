"""Scans a file of pickle streams: every stream, what lies between and behind them, pickles inside pickles.

Each stream is followed in every way that a loader may read it: framed or straight on, with the memo of the stream
before it or a fresh one, with joblib's arrays skipped or taken for instructions.
"""

from __future__ import annotations

from msgspec import Struct, field

from modelyard.safety.arrays import Arrays
from modelyard.safety.finding import Finding
from modelyard.safety.judge import Answer, Judge
from modelyard.safety.machine import Machine, Run
from modelyard.safety.plain import Followed, followed
from modelyard.safety.policy import Name, modern
from modelyard.safety.running import run
from modelyard.safety.stream import Memory, Part, Reader, Source
from modelyard.safety.values import Long, Value

STREAMS = 100_000
DEEPEST = 8
"""Pickles inside pickles that are followed."""
PADDING = b"\0\r\n\t "


class Streams(Struct):
    """What the streams of a file do. `end` is the offset behind the last whole one."""

    findings: list[Finding] = field(default_factory=list)
    names: dict[Name, int] = field(default_factory=dict)
    """Every name that is asked for, with its first offset."""
    count: int = 0
    """How many streams came to their STOP."""
    end: int = 0
    broken: str = ""
    given_up: bool = False
    """Whether what comes behind the break is not known to anybody here, for the real machine would go on."""
    values: list[Value] = field(default_factory=list)
    """What the first streams hold."""
    arrays: int = 0
    """How many arrays joblib wrote between the instructions."""
    protocols: set[int] = field(default_factory=set)

    @property
    def reached(self) -> bool:
        """Whether anything was found that is more than a broken stream."""
        return any(each.code not in QUIET for each in self.findings)


QUIET = {"broken-stream", "unaccounted-bytes"}


def shortly(found: Followed | None, size: int) -> Streams | None:
    """One plain stream that fills its source of so many bytes, without its value; None where it is anything else."""
    if found is None or not found.ended or found.end != size:
        return None
    return Streams(names=found.names, count=1, end=found.end, arrays=found.arrays, protocols={found.protocol})


def scan_streams(
    source: Source,
    member: str = "",
    *,
    most: int = STREAMS,
    start: int = 0,
    persistent: Answer | None = None,
    script: bool = False,
    depth: int = 0,
) -> Streams:
    """Follows up to `most` streams from `start` on, and accounts for every byte behind them when that is all.

    Nobody asks for the values of all streams: a plain one that fills its source goes the short way.
    """
    if most == STREAMS and not start and not script and (short := shortly(followed(source, persistent), source.size)):
        return short
    found = Streams(end=start)
    memo: dict[int, Value] = {}
    while found.count < most and found.end < source.size:
        if found.count and _is_padding(source, found.end):
            found.end = source.size
            break
        stream = _Stream(source, member, persistent, depth, script)
        ended = stream.follow(found.end, memo)
        if ended.broken and found.count and not stream.judge.findings and not stream.judge.names:
            left = source.size - found.end
            found.findings.append(_rest(member, found.end, left))
            return found
        _merge(found, stream)
        if ended.broken:
            found.broken, found.given_up = ended.broken, ended.given_up
            found.findings.append(
                Finding("broken-stream", "unknown", f"it breaks: {ended.broken}", member, ended.broken_at)
            )
            return found
        found.count += 1
        found.end = ended.end
        if len(found.values) < 8:
            found.values.append(ended.value)
    if found.count >= STREAMS and found.end < source.size:
        found.findings.append(
            Finding("too-long", "unknown", "it holds more streams than are followed", member, found.end)
        )
    return found


def _rest(member: str, offset: int, left: int) -> Finding:
    return Finding(
        "unaccounted-bytes", "suspicious", f"{left:,} bytes behind the end that are no pickle", member, offset
    )


def _is_padding(source: Source, offset: int) -> bool:
    """Whether nothing but a little padding is left."""
    left = source.size - offset
    return left <= 4096 and not source.read(offset, left).strip(PADDING)


def _merge(found: Streams, stream: _Stream) -> None:
    found.findings += stream.judge.findings.values()
    found.findings += stream.inner
    for name, offset in stream.judge.names.items():
        found.names.setdefault(name, offset)
    found.arrays += stream.arrays
    found.protocols.add(stream.protocol)


class _Stream:
    """One stream, followed in every way it may be read."""

    def __init__(self, source: Source, member: str, persistent: Answer | None, depth: int, script: bool) -> None:
        self.source, self.member, self.persistent, self.depth = source, member, persistent, depth
        self.script = script
        self.judge = Judge(member, persistent, script)
        self.inner: list[Finding] = []
        self.arrays = self.protocol = 0

    def follow(self, start: int, memo: dict[int, Value]) -> Run:
        """Follows it; `memo` is that of the stream before and becomes its own."""
        arrays = Arrays(self.source)
        fresh: dict[int, Value] = {}
        ended = self._once(start, fresh, arrays=arrays)
        self.arrays = arrays.seen
        if ended.crossed is not None:
            self.judge.find("frame-mismatch", "dangerous", "what it runs depends on who reads it", ended.crossed)
            self._once(start, {}, arrays=Arrays(self.source), dropping=True)
            self._once(start, {}, dropping=True)
        if arrays.seen:
            self._as_plain_pickle(start)
        if memo:
            ended = self._with_memo(start, memo, ended)
        memo.update(fresh)
        self._follow_inner()
        return ended

    def _with_memo(self, start: int, memo: dict[int, Value], ended: Run) -> Run:
        """Follows it as an Unpickler does that read the stream before too, which keeps its memo.

        Honest streams that were not written for that make no sense then: of theirs only what is dangerous counts.
        """
        again, other = self._apart(start, memo, Arrays(self.source), strict=not ended.broken)
        for key, finding in other.findings.items():
            if ended.broken or finding.code in ("dangerous-name", "dangerous-call"):
                self.judge.findings.setdefault(key, finding)
        return again if ended.broken and not again.broken else ended

    def _as_plain_pickle(self, start: int) -> None:
        """Follows what joblib wrote as one who knows of no arrays: honest elements make no sense then."""
        for key, finding in self._apart(start, {}, None, strict=True)[1].findings.items():
            if finding.severity == "dangerous":
                self.judge.findings.setdefault(key, finding)

    def _apart(self, start: int, memo: dict[int, Value], arrays: Arrays | None, strict: bool) -> tuple[Run, Judge]:
        """Follows it once more, with a judge of its own."""
        own, self.judge = self.judge, Judge(self.member, self.persistent, self.script)
        ended = self._once(start, memo, arrays=arrays, strict=strict)
        other, self.judge = self.judge, own
        return ended, other

    def _once(
        self,
        start: int,
        memo: dict[int, Value],
        *,
        arrays: Arrays | None = None,
        dropping: bool = False,
        strict: bool = False,
    ) -> Run:
        machine = Machine(Reader(self.source, start, dropping), self.judge, modern, memo, arrays, strict)
        ended = run(machine)
        self.protocol = max(self.protocol, machine.protocol)
        return ended

    def _follow_inner(self) -> None:
        """The byte strings that it loads, and those that only look like pickles."""
        loaded = {id(each) for each in self.judge.inside}
        for data in self.judge.inside:
            inside = self._inside(data, f"{self.member}!bytes".lstrip("!"))
            self.inner += inside.findings
            if not inside.count and not inside.findings:
                self.inner.append(Finding("broken-stream", "unknown", "the bytes it loads are no pickle", self.member))
        for data in self.judge.idle:
            if id(data) not in loaded:
                idle = self._inside(data, f"{self.member}!text".lstrip("!"))
                worst = [each for each in idle.findings if each.severity == "dangerous"]
                self.inner += [
                    Finding(
                        "idle-pickle", "suspicious", f"a pickle kept as text: {each.runs}", each.member, each.offset
                    )
                    for each in worst[:4]
                ]

    def _inside(self, data: Value, member: str) -> Streams:
        if self.depth >= DEEPEST:
            return Streams([Finding("too-deep", "unknown", "pickles lie too deep inside each other", self.member)])
        if isinstance(data, Long):
            inner: Source = Part(self.source, data.offset, data.length)
        else:
            text = data.encode("latin-1", "replace") if isinstance(data, str) else data
            inner = Memory(bytes(text) if isinstance(text, bytes | bytearray) else b"")
        return scan_streams(inner, member, persistent=self.persistent, depth=self.depth + 1)
