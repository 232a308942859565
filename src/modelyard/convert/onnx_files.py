"""Files to ONNX: an exported program of torch, `.pt2`, and an estimator of scikit-learn, `.skops`.

Loading either of them with its framework can run code, so it is scanned first and refused unless it is safe, and then
loaded in a process of its own with a home and a temporary folder that are gone afterwards. Pickles are never loaded.
"""

from __future__ import annotations

import os
import site
import stat
import subprocess
import sys

import msgspec

from modelyard.apply.disk import Disk
from modelyard.convert.copying import HINTS, real
from modelyard.convert.extras import wanted
from modelyard.convert.onnx_child import Answer
from modelyard.convert.onnx_edge import Exported, placed
from modelyard.convert.source import Source, held
from modelyard.convert.weights import Agreement, Receipt
from modelyard.formats import joblib_file, pickle_file, pt2, skops, torch_legacy, torch_zip, torchscript
from modelyard.formats.file import BrokenError
from modelyard.formats.header import Header
from modelyard.formats.known import read_header
from modelyard.plan import Path
from modelyard.problem import Problem, from_errno
from modelyard.safety.files import scan_file
from modelyard.walk.text import shown

NEEDS = {
    pt2.TITLE: ("torch", ("torch", "onnx", "onnxscript", "onnxruntime")),
    skops.TITLE: ("skops", ("sklearn", "skops", "skl2onnx", "onnx", "onnxruntime")),
}
"""What loads a format, and the packages that it takes."""
_SKOPS_FIRST = "make a `.skops` file of it first: modelyard convert SRC --to skops"
_PROGRAM_FIRST = "save the live module with torch.export.save, or use `modelyard.convert.onnx_edge.export_module`"
ADVICE = {
    joblib_file.TITLE: _SKOPS_FIRST, pickle_file.TITLE: _SKOPS_FIRST, torch_zip.TITLE: _PROGRAM_FIRST,
    torch_legacy.TITLE: _PROGRAM_FIRST, torchscript.TITLE: _PROGRAM_FIRST,
}  # fmt: skip
"""What to do about formats that are code, or classes that only code can make again."""
LONGEST = 3600.0
"""Seconds after which the process is stopped."""


def convert(source: str, target: str, disk: Disk) -> Receipt | Problem:
    """Writes an exported program or an estimator as ONNX, proven against the source, and says what it did."""
    name = shown(source)
    header = read_header(source)
    if isinstance(header, Problem):
        return header
    try:
        with held(os.fsencode(source)) as opened:
            if refused := _refused(name, source, header):
                return refused
            opened.check()  # what was scanned is what is loaded
            return _converted(opened, header, target, disk)
    except BrokenError as error:
        return Problem(name, error.code, str(error), HINTS.get(error.code, ""))
    except OSError as error:
        return from_errno(name, error.errno or 0)


def _refused(name: str, source: str, header: Header) -> Problem | None:
    """Why a file is not loaded for this; None where it is."""
    if header.format not in NEEDS:
        needs_code = header.format in ADVICE
        words = "loading it would run its code, which convert never does" if needs_code else "no ONNX is made of it"
        hint = ADVICE.get(header.format, "a `.pt2` of torch.export.save or a `.skops` file can be written as ONNX")
        code = "dangerous" if needs_code else "unsupported"
        return Problem(name, code, f"is {header.format}: {words}", hint.replace("SRC", name))
    if not header.complete:
        return Problem(name, "truncated", "ends before what its header promises")
    for package in NEEDS[header.format][1]:
        if missing := wanted(package, f"{header.format} as ONNX"):
            return missing
    scanned = scan_file(source)
    if scanned.verdict == "safe":
        return None
    worst = max(scanned.findings, key=lambda each: ("safe", "suspicious", "unknown", "dangerous").index(each.severity))
    return Problem(
        name, "dangerous", f"is not loaded, it is {scanned.verdict}: {worst.runs}", "`modelyard scan` tells more"
    )


def _converted(source: Source, header: Header, target: str, disk: Disk) -> Receipt | Problem:
    before = source.digest()
    kind = NEEDS[header.format][0]

    def write(path: str) -> Agreement:
        found = _child(kind, os.path.abspath(os.fsdecode(source.path)), path)
        source.check()
        return found

    mode = stat.S_IMODE(source.seen.st_mode) & 0o666 | 0o600
    found = placed(os.fsdecode(source.path), target, write, disk, mode)
    return found if isinstance(found, Problem) else _receipt(source, header, before, found)


def _child(kind: str, source: str, path: str) -> Agreement:
    """What the process says that loads the source. BrokenError where it says why not, or nothing at all."""
    folder = os.path.dirname(path)
    own = {"HOME": folder, "TMPDIR": folder, "XDG_CACHE_HOME": folder, "TORCH_HOME": folder, "HF_HUB_OFFLINE": "1"}
    env = {**os.environ, "PYTHONUSERBASE": site.getuserbase(), **own}
    command = [sys.executable, "-P", "-m", "modelyard.convert.onnx_child", kind, source, path]
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            command, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BrokenError(f"took longer than {LONGEST:.0f} seconds to write", "too-slow") from error
    try:
        answer = msgspec.json.decode(done.stdout, type=Answer)
    except msgspec.DecodeError as error:
        last = shown(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200])
        raise BrokenError(f"made the process fail that loads it ({done.returncode}): {last}", "failed") from error
    if answer.agreement is None:
        raise BrokenError(answer.message, answer.code)
    return answer.agreement


def _receipt(source: Source, header: Header, digest: str, found: Exported) -> Receipt:
    tensors = sum(each.tensors for each in found.written)
    return Receipt(
        shown(source.path),
        header.format,
        source.size,
        digest,
        found.written,
        "",
        tensors,
        0,
        {},
        {},
        (),
        ("it was loaded by its framework, in a process of its own, after a scan",),
        found.at,
        Path.of(real(source.path)),
        source.mark,
        agreement=found.agreement,
    )
