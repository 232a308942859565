"""Path files of Python, `.pth` beside its packages: a folder a line, and lines that it runs at every start.

From Lib/site.py, `addpackage`: a line that begins with `import` and a blank is run, every other one is a folder.
"""

from __future__ import annotations

import re

from modelyard.formats.file import File
from modelyard.safety.finding import Finding
from modelyard.safety.values import clipped

TITLE = "Python path file"
LONGEST = 1 << 20
NO_TEXT = re.compile(r"[\0-\x08\x0e-\x1b\x7f\ufffd]")


def lines_of(data: bytes) -> list[str]:
    """The lines as Python tells them apart."""
    return data.decode("utf-8-sig", "replace").splitlines()


def is_run(line: str) -> bool:
    """Whether Python runs a line."""
    return line.startswith(("import ", "import\t"))


def scan_path_file(file: File, member: str) -> list[Finding] | None:
    """The lines that Python would run, in one finding; None for a file that is no text."""
    if file.size > LONGEST:
        return None
    lines = lines_of(file.whole(LONGEST))
    if any(NO_TEXT.search(line) for line in lines):
        return None
    run = [line for line in lines if is_run(line)]
    more = f" and {len(run) - 1:,} more" if len(run) > 1 else ""
    what = "Python runs it at every start once it lies beside its packages: "
    return [Finding("code-file", "suspicious", f"{what}{clipped(run[0], 120)}{more}", member)] if run else []
