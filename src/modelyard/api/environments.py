"""Environments that can go because they can come back: frozen into a capsule, built again, proven."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from modelyard.api import Survey, find_artifact
from modelyard.apply.rooms import known_rooms
from modelyard.capsules.capsule import Capsule as Capsule
from modelyard.capsules.freeze import write_capsule as write_capsule
from modelyard.capsules.proof import Proof as Proof
from modelyard.capsules.proof import Proven, capsules_in
from modelyard.capsules.proof import proof_of as proof_of
from modelyard.capsules.prove import prove as prove
from modelyard.capsules.restore import Restored as Restored
from modelyard.capsules.restore import restore as restore
from modelyard.capsules.unpack import Opened as Opened
from modelyard.capsules.unpack import opened as opened
from modelyard.inventory import Artifact, Platform
from modelyard.policies.clean import Evidence, Wish, candidates, doubtful

MARKS = (b"pyvenv.cfg", b"conda-meta")


def capsules_folder(env: Mapping[str, str], home: Path, platform: Platform) -> Path:
    """Where capsules are kept unless somebody says another folder; it may not be there yet."""
    return Path(os.fsdecode(known_rooms(env, home, platform).capsules))


def prefix_of(survey: Survey, artifact: Artifact) -> Path:
    """The folder of an environment. LookupError for an artifact that is none."""
    if artifact.kind == "environment" and artifact.rows:
        place = survey.tree.path(artifact.rows[0])
        while place != b"/":
            if any(os.path.lexists(os.path.join(place, mark)) for mark in MARKS):
                return Path(os.fsdecode(place))
            place = os.path.dirname(place)
    raise LookupError(f"{artifact.id} is no environment that could be built again")


def find_environment(survey: Survey, name: str) -> Path:
    """The folder of the environment of an id, or of a part of one. LookupError where none fits, or several do."""
    return prefix_of(survey, find_artifact(survey, name)[1])


def proven(survey: Survey, wish: Wish, folder: Path, now: int, max_age: int) -> dict[str, Evidence]:
    """The environments that the wish reaches and whose capsule was proven; `max_age` in nanoseconds.

    Only those are read of which a capsule is there.
    """
    names = [each.name for each in capsules_in(folder)]
    numbers = doubtful(survey.artifacts, candidates(survey.artifacts, now), wish) if names else []
    found = {}
    for artifact in (survey.artifacts[number] for number in numbers):
        try:
            prefix = prefix_of(survey, artifact)
        except LookupError:
            continue
        if any(name.startswith(f"{prefix.name}-") or prefix.name.startswith(".") for name in names):
            proof = proof_of(prefix, folder, now, max_age)
            if isinstance(proof, Proven):
                words = f"its capsule {proof.capsule.name} built it again on {proof.proof.at[:10]}"
                found[artifact.id] = Evidence("re-solve", words)
    return found


def spare_prefix(folder: Path, name: str) -> Path:
    """A folder beside others that is not there yet: the name, or the name with a number."""
    number, place = 1, folder / name
    while os.path.lexists(place):
        number += 1
        place = folder / f"{name}-{number}"
    return place
