"""The proof that a capsule builds its environment again: kept beside it, good while nothing changed and it is fresh."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from modelyard.capsules.environment import environment
from modelyard.capsules.unpack import Opened, opened
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.units import SECOND
from modelyard.walk.read import names_in, read_file
from modelyard.walk.text import shown

END = ".proof.json"
CAP = 16 << 20


class Proof(msgspec.Struct, frozen=True):
    """One attempt to build it: when, of which file, of which packages, and what differed; `at` in UTC.

    `capsule` is the SHA-256 of the whole file, `environment` the digest of packages and sources.
    """

    at: str
    capsule: str
    environment: str
    differences: list[str]
    notes: list[str]
    seconds: float
    schema_version: int = 1

    @property
    def holds(self) -> bool:
        """Whether nothing differed."""
        return not self.differences


class Proven(Struct, frozen=True):
    """A capsule that was proven to build an environment, and the proof."""

    capsule: Path
    proof: Proof


def side_file(capsule: Path) -> Path:
    """Where the proof of a capsule is kept."""
    return capsule.with_name(capsule.name.removesuffix(".zip") + END)


def kept(capsule: Path) -> Proof | Problem | None:
    """The latest proof of a capsule; None where it was never tried."""
    path = side_file(capsule)
    if not os.path.lexists(path):
        return None
    text = read_file(os.fsencode(path), CAP)
    found = text if isinstance(text, Problem) else parsed(text, Proof)
    if isinstance(found, ValueError):
        return Problem(shown(str(path)), "strange-proof", f"a proof that is not understood: {found}", "prove it again")
    return found


def proof_of(prefix: Path, folder: Path, now: int, max_age: int) -> Proven | Problem:
    """The newest proof for an environment as it is now, among the capsules of a folder; a Problem says why none holds.

    `now` in nanoseconds since 1970, `max_age` in nanoseconds. Neither the capsule nor the environment may have changed.
    """
    found = environment(prefix)
    if isinstance(found, Problem):
        return found
    why = "no capsule of it is there"
    proven: list[tuple[int, Proven]] = []
    for path in capsules_in(folder):
        proof = kept(path)
        if isinstance(proof, Proof) and proof.environment == found.digest:
            age = now - _when(proof)
            broken = _broken(path, proof)
            if broken or not proof.holds:
                why = broken or f"its proof failed: {proof.differences[0]}"
            elif age < -SECOND or age > max_age:
                why = "its proof is too old"
            else:
                proven.append((-age, Proven(path, proof)))
        elif proof is None and path.name.startswith(f"{found.name}-") and _fits(path, found.digest):
            why = "its capsule was not proven yet"
    if proven:
        return max(proven, key=lambda each: each[0])[1]
    return Problem(shown(str(prefix)), "unproven", why, f"`modelyard env prove {shown(str(prefix))}`")


def capsules_in(folder: Path) -> list[Path]:
    """The capsules of a folder."""
    return [folder / name for name in names_in(str(folder)) if name.endswith(".zip") and not name.startswith(".")]


def _fits(path: Path, digest: str) -> bool:
    seen = opened(path)
    return isinstance(seen, Opened) and seen.capsule.environment == digest


def _broken(path: Path, proof: Proof) -> str:
    """Why the file is not the one that was proven."""
    seen = opened(path)
    if isinstance(seen, Problem):
        return seen.message
    return "" if seen.sha256 == proof.capsule else "its capsule was changed after it was proven"


def _when(proof: Proof) -> int:
    """Nanoseconds since 1970; 0 for what is no time."""
    try:
        return int(datetime.fromisoformat(proof.at).timestamp()) * SECOND
    except (ValueError, OverflowError):
        return 0
