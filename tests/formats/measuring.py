"""Reads one header in a process of its own and tells what that cost: `python measuring.py PATH`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from modelyard.formats.file import Meter
from modelyard.formats.header import Header
from modelyard.formats.known import read_header


def peak() -> int:
    """KiB that this program held at most since it was started; `rusage` would begin with what its parent held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Prints the answer and its cost as JSON: bytes read, KiB of memory more than before, seconds of the processor."""
    meter = Meter()
    before, started = peak(), time.process_time()
    found = read_header(sys.argv[1], meter)
    seconds = time.process_time() - started
    grown = peak() - before
    code = "" if isinstance(found, Header) else found.code
    print(json.dumps({"code": code, "read": meter.read, "grown": grown, "seconds": seconds}))


if __name__ == "__main__":
    main()
