"""Where space is: which disks the stores lie on, what is free there, and what a purge would free."""

from __future__ import annotations

import os
from collections.abc import Collection

from modelyard.api import Survey
from modelyard.inventory import Artifact, Root
from modelyard.walk.mounts import mount_of
from modelyard.walk.text import shown


def disks_of(survey: Survey) -> dict[str, tuple[str, int]]:
    """By store the disk on which its first root lies, and the bytes free there."""
    found = {}
    for holding in survey.holdings:
        for root in first_roots(survey, {holding.store.name}):
            space, mount = os.statvfs(root.path), mount_of(os.stat(root.path).st_dev)
            name = shown(mount.path) if mount else root.path
            found[holding.store.name] = (name, space.f_bavail * space.f_frsize)
    return found


def first_roots(survey: Survey, stores: Collection[str]) -> list[Root]:
    """The first folder of each of these stores that has one."""
    found = []
    for holding in survey.holdings:
        root = next((each for each in holding.roots if each.row is not None), None)
        if holding.store.name in stores and root is not None and os.path.isdir(root.path):
            found.append(root)
    return found


def waiting(survey: Survey, device: int) -> int:
    """Bytes that a purge would free on a device: space that was given back already and only has to be purged."""
    trash = {number for number, each in enumerate(survey.artifacts) if each.store == "trash"}
    return survey.claims.measure({n for n in trash if lies_on(survey, survey.artifacts[n], device)}).sizes.freed


def lies_on(survey: Survey, artifact: Artifact, device: int) -> bool:
    """Whether something of an artifact lies on a device; what services keep may lie anywhere."""
    seen = (survey.tree.entry(row) for row in artifact.rows)
    return not artifact.rows or any(each is not None and each.device == device for each in seen)
