"""Bytes, spans and times: read from what people type, written as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

SECOND = 1_000_000_000
SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))
POWERS = {letter: power for power, letter in enumerate("KMGTP", start=1)}


def size(count: int) -> str:
    """Bytes in binary units with three significant digits: `1.21 TiB`."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(value) < 999.5 or unit == "PiB":
            break
        value /= 1024
    if unit == "B":
        return f"{int(value)} B"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def parse_size(text: str) -> int:
    """Bytes from `750`, `1.5GB` (powers of 1000) or `2GiB` and `2G` (powers of 1024). ValueError otherwise."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGTP]?)(I?)(B?)\s*", text.upper())
    if not found:
        raise ValueError(f"{text!r} is not a size; write 500MB, 1.5GB or 2GiB")
    number, letter, binary, byte = found.groups()
    base = 1000 if letter and byte and not binary else 1024
    return int(float(number) * base ** POWERS.get(letter, 0))


def parse_span(text: str) -> int:
    """Nanoseconds from `30d`, `12h`, `2w` or `1y`. ValueError otherwise."""
    found = re.fullmatch(r"\s*(\d+)\s*([smhdwy])\s*", text.lower())
    if not found:
        raise ValueError(f"{text!r} is not a span of time; write 12h, 30d, 2w or 1y")
    return int(found[1]) * SPANS[found[2]] * SECOND


def lasting(seconds: int) -> str:
    """How long something takes, coarsely: `40 s`, `12 min`, `3 h 20 min`, `2 days`."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(hours / 24)} days"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def rfc3339(at: int) -> str:
    """Nanoseconds since 1970 as a UTC time with whole seconds; years are kept within 1 to 9999."""
    seconds = min(max(at // SECOND, -62135596800), 253402300799)
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat() + "Z"


def ago(at: int, now: int) -> str:
    """How long ago, coarsely: `today`, `12 days`, `5 months`, `2 years`."""
    days = (now - at) // (86400 * SECOND)
    if days < 1:
        return "today"
    for length, word in ((365, "year"), (30, "month"), (1, "day")):
        if days >= length:
            count = days // length
            return f"{count} {word}{'s' if count > 1 else ''}"
    return "today"


def count(parameters: int) -> str:
    """A number as people say it, three digits of a large one: `6.74 billion`."""
    for scale, word in SCALES:
        if parameters >= scale:
            value = parameters / scale
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {word}"
    return f"{parameters:,}"
