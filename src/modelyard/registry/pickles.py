"""What needs pickle: scanned first, and given only to whoever allows it."""

from __future__ import annotations

from modelyard.formats.file import File
from modelyard.registry.codec import Loading
from modelyard.registry.errors import UnsafeError
from modelyard.registry.held import Held
from modelyard.safety.files import scan
from modelyard.safety.finding import Finding, worst
from modelyard.safety.reading import Report, unlimited

SHOWN = 4


def findings(data: bytes | bytearray, name: str) -> list[Finding]:
    """What loading these bytes would execute."""
    report = Report()
    view = memoryview(data)
    scan(File(name, len(view), lambda at, length: bytes(view[at : at + length]), unlimited()), "", report, 0)
    return list(dict.fromkeys(report.findings))


def refuse(data: bytes | bytearray, name: str, path: str) -> list[Finding]:
    """The findings of a scan that are not safe. UnsafeError for a dangerous one, which no flag allows."""
    found = [each for each in findings(data, name) if each.severity != "safe"]
    if worst(each.severity for each in found) == "dangerous":
        listed = "; ".join(f"{each.runs} ({each.severity})" for each in found[:SHOWN])
        raise UnsafeError(
            f"{path} is dangerous: {listed}", "dangerous", "no flag loads it; `modelyard scan` tells more"
        )
    return found


def allowed(files: Held, name: str, wish: Loading) -> bytes:
    """The verified bytes of a pickle. UnsafeError unless it is allowed, and always for what a scan calls dangerous."""
    data = bytes(files.content(name))
    found = refuse(data, name, files.shown(name))
    if not wish.allow_pickle:
        listed = (
            "; ".join(f"{each.runs} ({each.severity})" for each in found[:SHOWN]) or "only what is known to be harmless"
        )
        message = f"{files.shown(name)} is a pickle, which executes code when it is loaded: {listed}"
        raise UnsafeError(message, "needs-pickle", "load(..., allow_pickle=True) runs it")
    return data
