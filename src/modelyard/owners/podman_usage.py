"""What `podman system df` says; Podman answers Docker's own question without the names and with other sums."""

from __future__ import annotations

from modelyard.owners import engine_replies as replies
from modelyard.owners.docker_usage import USAGE, Usage
from modelyard.owners.engine import Reclaimable
from modelyard.owners.engine_line import Line
from modelyard.problem import Problem

PREFIX = "/v4.0.0/libpod"
"""The oldest API of Podman that is asked: version 4 answers it, and so do the later ones."""


def podman_usage(line: Line) -> Usage:
    """Sizes by id or name. Podman keeps no build cache beside its images."""
    answer = line.ask(f"{PREFIX}/system/df", replies.PodmanUsage, USAGE)
    if isinstance(answer, Problem):
        return Usage(records=(), problems=(answer,))
    return understood(answer)


def understood(usage: replies.PodmanUsage) -> Usage:
    """The sizes in an answer."""
    return Usage(
        {each.image_id: max(0, each.shared_size or 0) for each in usage.images or ()},
        {each.container_id: max(0, each.rw_size or 0) for each in usage.containers or ()},
        {each.volume_name: (each.size, each.links) for each in usage.volumes or ()},
        (),
        Reclaimable(
            _images(usage), _containers(usage), sum(each.reclaimable_size or 0 for each in usage.volumes or ())
        ),
    )


def _images(usage: replies.PodmanUsage) -> int:
    """Podman 4 adds the whole sizes of images without containers, Podman 5 takes what used ones have alone off all."""
    images = {each.image_id: each for each in usage.images or ()}.values()
    if usage.images_size is None:
        return sum(each.size or 0 for each in images if not each.containers)
    return usage.images_size - sum(each.unique_size or 0 for each in images if each.containers)


def _containers(usage: replies.PodmanUsage) -> int:
    return sum(each.rw_size or 0 for each in usage.containers or () if each.status != "running")
