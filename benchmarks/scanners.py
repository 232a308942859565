"""The other scanners: an environment of their own, the commands that scan, and what each says of one file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = Path(__file__).parent.parent / "requirements" / "scanners.txt"
MINE = "modelyard scan"
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}
ENTRIES = {
    MINE: ("modelyard.cli", "main", ("scan", "--json")),
    "picklescan": ("picklescan.cli", "main", ("-p",)),
    "modelscan": ("modelscan.cli", "main", ("scan", "-p")),
    "modelaudit": ("modelaudit.__main__", "_run", ("scan", "--no-cache", "-f", "json")),
}
"""The command of each as its script has it: module, function, and what stands before a path."""
TIMED = """
import atexit, sys, time
from {module} import {function}
{more}
began = time.perf_counter()
atexit.register(lambda: print("\\nwalk alone", time.perf_counter() - began))
sys.exit({function}())
"""
"""The command, and how long it took once its modules were there."""
FICKLING = """
import os, sys, time, zipfile
from fickling.loader import scan_file, scan_zip_archive
began = time.perf_counter()
ENDS = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib")
top = sys.argv[1]
paths = [top] if os.path.isfile(top) else [os.path.join(at, name) for at, _, names in os.walk(top) for name in names]
for path in paths:
    if path.endswith(ENDS):
        (scan_zip_archive if zipfile.is_zipfile(path) else scan_file)(path, graceful=True)
print("walk alone", time.perf_counter() - began)
"""
"""It has no command for folders: one process that calls its library on what ends like a pickle."""

JUDGES = {
    "modelyard": """
from modelyard.safety.files import scan_file
def judge(path):
    return scan_file(path).verdict
""",
    "picklescan": """
from picklescan.scanner import scan_file_path
def judge(path, strict=False):
    found = scan_file_path(path, strict=strict)
    return "dangerous" if found.issues_count else "unknown" if found.scan_err else "safe"
""",
    "modelscan": """
from modelscan.modelscan import ModelScan
scan = ModelScan()
def judge(path):
    found = scan.scan(path)
    if found["summary"]["total_issues"]:
        counts = found["summary"]["total_issues_by_severity"]
        return "dangerous" if counts["CRITICAL"] or counts["HIGH"] else "suspicious"
    return "unknown" if found["errors"] or not found["summary"]["scanned"]["total_scanned"] else "safe"
""",
    "fickling": """
import zipfile
from fickling.analysis import Severity
from fickling.loader import scan_file, scan_zip_archive
def judge(path):
    if zipfile.is_zipfile(path):
        results = list(scan_zip_archive(path, graceful=True).values())
        if not results:
            return "unknown"
    else:
        results = [scan_file(path, graceful=True)]
    worst = max(each.severity.value[0] for each in results)
    if worst >= Severity.LIKELY_UNSAFE.value[0]:
        return "dangerous"
    return "unknown" if any(each.errors for each in results) else "suspicious" if worst else "safe"
""",
    "modelaudit": """
from modelaudit.core import scan_model_directory_or_file
def judge(path):
    found = scan_model_directory_or_file(path, cache_enabled=False)
    told = {str(getattr(each.severity, "value", each.severity)) for each in found.issues}
    if "critical" in told:
        return "dangerous"
    return "suspicious" if "warning" in told else "unknown" if found.has_errors or not found.success else "safe"
""",
}
JUDGES["picklescan --strict"] = JUDGES["picklescan"].replace("strict=False", "strict=True")
"""What each says of a file, in our words, as its exit code has it: what it notes and lets pass is `safe`."""
LOOP = """
import contextlib, io, json, logging, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
until = time.monotonic() + float(sys.argv[1])
for path in sys.stdin.read().split("\\n"):
    if time.monotonic() > until:
        break
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            told = judge(path)
        except Exception as error:  # what stops a scanner stops a gate as well
            told = "unknown"
    print(json.dumps([path, told]), flush=True)
"""


def environment(folder: Path) -> Path:
    """Makes the environment with the scanners, or takes the one that MODELYARD_SCANNERS names; its folder."""
    if named := os.environ.get("MODELYARD_SCANNERS"):
        return Path(named)
    place = folder / "scanners"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    command = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*command, "-r", str(REQUIREMENTS)], check=True)
    return place


def versions(place: Path) -> str:
    """The scanners and their versions."""
    command = [str(place / "bin" / "python"), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    known = {each["name"]: each["version"] for each in listed}
    return ", ".join(f"{name} {known[name]}" for name in ("picklescan", "modelscan", "fickling", "modelaudit"))


def commands(place: Path, target: Path, patience: int) -> dict[str, list[str]]:
    """Everything that scans a file or a folder, stopped after so many seconds; settings as they come."""
    stopped = [shutil.which("timeout") or "timeout", "-k", "5", str(patience)]
    python = str(place / "bin" / "python")
    found = {name: [*stopped, python, *_timed(name), str(target)] for name in ENTRIES if name != MINE}
    found["fickling"] = [*stopped, python, "-c", FICKLING, str(target)]
    return {MINE: [sys.executable, *_timed(MINE), str(target)]} | found


def _timed(name: str) -> list[str]:
    module, function, words = ENTRIES[name]
    more = "import modelyard.cli.scan, modelyard.safety.files" if name == MINE else ""  # it imports late
    return ["-c", TIMED.format(module=module, function=function, more=more), *words]


def verdicts(place: Path, name: str, paths: Sequence[str], folder: Path, patience: int) -> dict[str, str]:
    """What one scanner says of each file that it comes to in so many seconds: its library, called file by file."""
    python = sys.executable if name == "modelyard" else str(place / "bin" / "python")
    command = [python, "-c", JUDGES[name] + LOOP, str(patience)]
    with tempfile.TemporaryFile() as out:
        with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in one file; what it said before counts
            subprocess.run(
                command, input="\n".join(paths).encode(), stdout=out, stderr=subprocess.DEVNULL, check=True,
                cwd=folder, timeout=2 * patience)  # fmt: skip
        out.seek(0)
        return dict(json.loads(line) for line in out.read().splitlines() if line.startswith(b"["))
