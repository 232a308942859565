"""Where most bytes could come back: groups of artifacts with one reason each, biggest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from modelyard.inventory import Artifact, Inventory, Sizes
from modelyard.units import SECOND, SPANS

MONTH = 30 * SPANS["d"] * SECOND


class Opportunity(Struct, frozen=True):
    """Artifacts that could go for the same reason, what that frees, and the command that lists them."""

    title: str
    ids: tuple[str, ...]
    sizes: Sizes
    command: str


class Reason(Struct, frozen=True):
    """A reason why artifacts could go."""

    title: str
    fits: Callable[[Artifact, int], bool]
    command: str


def _unused(kind: str, months: int) -> Callable[[Artifact, int], bool]:
    def fits(artifact: Artifact, now: int) -> bool:
        used = artifact.last_used
        return (
            artifact.kind == kind
            and artifact.state == "complete"
            and used is not None
            and now - used.at > months * MONTH
        )

    return fits


REASONS = (
    Reason(
        "superseded checkpoints",
        lambda each, _: each.recovery == "superseded",
        "ls --kind checkpoint --recovery superseded",
    ),
    Reason(
        "unfinished downloads",
        lambda each, _: each.state == "partial" and each.recovery == "re-get",
        "ls --state partial --recovery re-get",
    ),
    Reason(
        "interrupted saves",
        lambda each, _: each.state == "partial" and each.kind == "checkpoint",
        "ls --kind checkpoint --state partial",
    ),
    Reason(
        "blobs nothing names",
        lambda each, _: each.state == "orphan" and each.recovery == "re-get",
        "ls --state orphan --recovery re-get",
    ),
    Reason(
        "environments whose project is gone",
        lambda each, _: each.kind == "environment" and each.state == "orphan",
        "ls --kind environment --state orphan",
    ),
    Reason(
        "environments that do not run any more",
        lambda each, _: each.kind == "environment" and each.state == "dangling",
        "ls --kind environment --state dangling",
    ),
    Reason(
        "detached revisions", lambda each, _: each.store == "hf" and "detached" in each.tags, "ls hf --tag detached"
    ),
    Reason(
        "package downloads",
        lambda each, _: each.kind == "package cache" and each.state == "complete" and each.recovery == "re-get",
        "ls --kind 'package cache' --state complete --recovery re-get",
    ),
    Reason(
        "environments unused for 6 months",
        _unused("environment", 6),
        "ls --kind environment --state complete --unused-for 180d",
    ),
    Reason("models unread for 3 months", _unused("model", 3), "ls --kind model --state complete --unused-for 90d"),
    Reason(
        "datasets unread for 3 months", _unused("dataset", 3), "ls --kind dataset --state complete --unused-for 90d"
    ),
)


def opportunities(
    inventory: Inventory, freed: Callable[[Iterable[str]], Sizes], now: int, limit: int = 5
) -> list[Opportunity]:
    """The reasons that would free most. `now` in nanoseconds since 1970."""
    found = []
    for reason in REASONS:
        ids = tuple(artifact.id for artifact in inventory.artifacts if reason.fits(artifact, now))
        sizes = freed(ids) if ids else Sizes()
        if sizes.freed:
            found.append(Opportunity(reason.title, ids, sizes, f"modelyard {reason.command}"))
    return sorted(found, key=lambda each: -each.sizes.freed)[:limit]
