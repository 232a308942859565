"""Saves a plan where somebody said, and never over something else."""

from __future__ import annotations

import os

from modelyard.apply.disk import Disk
from modelyard.plan import Plan, encode


def save(disk: Disk, plan: Plan, path: bytes) -> None:
    """Writes the plan as JSON into a new file. FileExistsError when the file is there."""
    descriptor = disk.create(path)
    try:
        disk.append(descriptor, encode(plan))
        disk.sync(descriptor)
    finally:
        os.close(descriptor)
