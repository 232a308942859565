"""What verifying takes beside the programs that digest files, each from the medium: large blobs, and many small files.

`python -m benchmarks.verifying --size 4 --rounds 5` for this part alone.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.contest import Runs, contest, ratio
from benchmarks.report import Report

GIB, MIB = 1 << 30, 1 << 20
MINE, ALONE = "modelyard verify", "modelyard verify, once Python runs and the walk is done"
SHA256SUM, OPENSSL, BOTH, B3SUM = "sha256sum", "openssl dgst -sha256", "openssl, two at a time", "b3sum"
PEER = """
import os, subprocess, sys, time
listed, *command = sys.argv[1:]
for path in open(listed).read().split("\\0"):
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
started = time.perf_counter()
subprocess.run(["xargs", "-0", *command], stdin=open(listed), stdout=subprocess.DEVNULL, check=True)
print("walk alone", time.perf_counter() - started)
"""
"""Lets the system forget the files, as verify does for itself: whoever reads memory verifies memory. Not measured."""
VERIFY = """
import sys, time
from pathlib import Path
from modelyard import api
from modelyard.api import expecting, verifying
home = Path(sys.argv[1])
survey = api.survey({}, home, "linux", system=False)
wanted = expecting.wanted(survey)
started = time.perf_counter()
_, outcomes = verifying.verify(wanted, verifying.Choice(), ({}, home, "linux"), ("benchmark",))
bad = [each for each in outcomes if each.state != "ok"]
assert not bad, bad
print("walk alone", time.perf_counter() - started)
"""


def blobs(home: Path, size: int, count: int) -> list[str]:
    """A revision of so many files, of so many bytes together, named by their digests as the hub's client names them."""
    repo = home / ".cache/huggingface/hub/models--acme--tiny"
    for folder in ("blobs", "refs", f"snapshots/{'a' * 40}"):
        (repo / folder).mkdir(parents=True)
    (repo / "refs/main").write_text("a" * 40)
    found = []
    for number in range(count):
        digest, half = hashlib.sha256(), repo / "blobs" / f"{number}"
        with half.open("wb") as file:
            for _ in range(max(size // count // MIB, 1)):
                piece = os.urandom(MIB)
                digest.update(piece)
                file.write(piece)
            os.fsync(file.fileno())
        blob = half.rename(half.with_name(digest.hexdigest()))
        (repo / "snapshots" / ("a" * 40) / f"part-{number}.bin").symlink_to(f"../../blobs/{blob.name}")
        found.append(str(blob))
    return found


def packages(home: Path, count: int) -> list[str]:
    """An environment of so many small files, with the RECORDs of their packages."""
    site = home / "env/lib/python3.11/site-packages"
    (home / "env/bin").mkdir(parents=True)
    (home / "env/bin/python").touch()
    (home / "env/pyvenv.cfg").write_text("home = /usr/bin\n")
    found = []
    for number in range(count // 100):
        rows, folder = [], site / f"package{number}"
        folder.mkdir(parents=True)
        for each in range(100):
            content = os.urandom(2000 + 97 * each)
            path = folder / f"module{each}.py"
            path.write_bytes(content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.append(f"package{number}/{path.name},sha256={digest},{len(content)}")
            found.append(str(path))
        record = site / f"package{number}-1.dist-info/RECORD"
        record.parent.mkdir()
        record.write_text("\n".join(rows))
    return found


def commands(home: Path, files: Sequence[str]) -> dict[str, Sequence[str]]:
    """The contestants that are there."""

    listed = home / "files"
    listed.write_text("\0".join(files))

    def told(*command: str) -> list[str]:
        return [sys.executable, "-c", PEER, str(listed), *command]

    modelyard = shutil.which("modelyard", path=os.path.dirname(sys.executable)) or "modelyard"
    found: dict[str, Sequence[str]] = {
        MINE: [modelyard, "--home", str(home), "verify"],
        ALONE: [sys.executable, "-c", VERIFY, str(home)],
        SHA256SUM: told("sha256sum"),
        OPENSSL: told("openssl", "dgst", "-sha256"),
        BOTH: told("-P2", "-n8", "openssl", "dgst", "-sha256"),
    }
    return found | ({B3SUM: told("b3sum")} if shutil.which("b3sum") else {})


def verified(folder: Path, size: int, rounds: int) -> dict[str, dict[str, Runs]]:
    """Large blobs and small files, paired round by round."""
    found = {}
    for title, home, files in (
        (f"8 blobs of {size // 8 / GIB:.2g} GiB", folder / "large", blobs(folder / "large", size, 8)),
        ("10,000 small files", folder / "small", packages(folder / "small", 10_000)),
    ):
        found[title] = contest(commands(home, files), folder, rounds)
        shutil.rmtree(home)
    return found


def table(results: dict[str, Runs]) -> list[str]:
    """The rows of a report."""
    lines = ["| program | s | CPU s | peak MB | modelyard verify takes |", "|---|---|---|---|---|"]
    for name, runs in sorted(results.items(), key=lambda item: median(item[1].alone)):
        share = "" if name == MINE else f"{ratio(results[MINE], runs):.2f} of it"
        seconds = f"{median(runs.alone):.2f} | {median(runs.processor):.2f}"
        lines.append(f"| {name} | {seconds} | {max(runs.memory) / 1e6:.0f} | {share} |")
    return lines


def goals(found: dict[str, dict[str, Runs]]) -> list[tuple[str, float, float]]:
    """What was promised: words, what came out, the limit."""
    large, small = found.values()
    return [
        ("verify / sha256sum of the same blobs", ratio(large[MINE], large[SHA256SUM]), 1.0),
        ("verify / openssl of the same blobs", ratio(large[MINE], large[OPENSSL]), 1.0),
        ("verify / sha256sum of small files", ratio(small[MINE], small[SHA256SUM]), 1.0),
        ("verify, once Python runs, / openssl of small files", ratio(small[ALONE], small[OPENSSL]), 1.0),
        ("peak MB of verifying blobs", max(large[MINE].memory) / 1e6, 100),
    ]


def part(report: Report, folder: Path, rounds: int) -> None:
    """MODELYARD_GIB, 4, of blobs, and small files."""
    found = verified(folder, int(float(os.environ.get("MODELYARD_GIB", "4")) * GIB), rounds)
    for title, results in found.items():
        report.say(f"\n### {title}\n")
        for line in table(results):
            report.say(line)
    for words, value, limit in goals(found):
        report.goal(words, value, limit)
