"""What Docker's `system df` says, in the shape of each API, and the column RECLAIMABLE that its command prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct, field

from modelyard.owners import engine_replies as replies
from modelyard.owners.engine import ACTIVE, Reclaimable, Record
from modelyard.owners.engine_line import Line
from modelyard.problem import Problem
from modelyard.units import SECOND

USAGE = 20.0
PARTS = ("image", "container", "volume", "build-cache")


class Usage(Struct, frozen=True):
    """Sizes by id or name; what is missing was not told. Volumes: the size and how many containers use it."""

    shared: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    records: tuple[Record, ...] | None = None
    reclaimable: Reclaimable = field(default_factory=Reclaimable)
    problems: tuple[Problem, ...] = ()


def usage_of(line: Line, prefix: str, api: tuple[int, ...], parts: Iterable[str] = PARTS) -> Usage:
    """Asks for each kind alone where the engine can (API 1.42), so that slow volumes do not hide the images."""
    problems = []
    merged = replies.DiskUsage()
    queries = [{"type": part} for part in parts] if api >= (1, 42) else [{}]
    for query in queries:
        if api >= (1, 52):
            query["verbose"] = "1"
        answer = line.ask(f"{prefix}/system/df", replies.DiskUsage, USAGE, **query)
        if isinstance(answer, Problem):
            problems.append(answer)
        else:
            merged = _joined(merged, answer)
    return understood(merged, tuple(problems))


def _joined(one: replies.DiskUsage, other: replies.DiskUsage) -> replies.DiskUsage:
    """Two answers as one; what the later one leaves out, or counts as nothing, stands as it was."""
    told = {name: value for name in other.__struct_fields__ if (value := getattr(other, name)) not in (None, 0)}
    return msgspec.structs.replace(one, **told)


def understood(usage: replies.DiskUsage, problems: tuple[Problem, ...] = ()) -> Usage:
    """The sizes in an answer of either shape."""
    images = usage.image_usage.items if usage.image_usage else usage.images
    containers = usage.container_usage.items if usage.container_usage else usage.containers
    volumes = usage.volume_usage.items if usage.volume_usage else usage.volumes
    records = usage.build_cache_usage.items if usage.build_cache_usage else usage.build_cache
    told = usage.build_cache_usage is not None or usage.build_cache is not None
    return Usage(
        {each.id.removeprefix("sha256:"): each.shared_size or 0 for each in images or () if _known(each.shared_size)},
        # A container that wrote nothing has no SizeRw at all.
        {each.id: max(0, each.size_rw or 0) for each in containers or ()},
        {each.name: _volume(each.usage_data) for each in volumes or ()},
        tuple(_record(each) for each in sorted(records or (), key=lambda each: (-(each.size or 0), each.id)))
        if told
        else None,
        _reclaimable(usage),
        problems,
    )


def _known(size: int | None) -> bool:
    """Whether a size was told; -1 is Docker's word for unknown."""
    return size is not None and size >= 0


def _volume(usage: replies.VolumeUsage | None) -> tuple[int | None, int | None]:
    if usage is None:
        return None, None
    return (usage.size if _known(usage.size) else None), (usage.ref_count if _known(usage.ref_count) else None)


def _record(listed: replies.ListedRecord) -> Record:
    parents = listed.parents or listed.blank_parents or ([listed.parent] if listed.parent else [])
    return Record(
        listed.id,
        listed.type or "regular",
        listed.description or "",
        max(0, listed.size or 0),
        bool(listed.shared),
        bool(listed.in_use),
        tuple(parents),
        _instant(listed.last_used_at),
        listed.usage_count or 0,
    )


def _instant(text: str | None) -> int | None:
    """Nanoseconds since 1970 of an RFC 3339 time, None for none; Go writes more digits than Python reads."""
    try:
        moment = datetime.fromisoformat(text or "")
        return int(moment.timestamp()) * SECOND if moment.tzinfo and moment.year > 1970 else None
    except (ValueError, OverflowError):
        return None


def _reclaimable(usage: replies.DiskUsage) -> Reclaimable:
    """By the daemon's own count since API 1.52, by the rules of the command until version 28 before."""
    new = (usage.image_usage, usage.container_usage, usage.volume_usage, usage.build_cache_usage)
    if any(new):
        return Reclaimable(*(each.reclaimable if each else None for each in new))
    return Reclaimable(
        None if usage.images is None else (usage.layers_size or 0) - _used(usage.images),
        _total(each.size_rw for each in usage.containers if _idle(each)) if usage.containers is not None else None,
        _unused(usage.volumes) if usage.volumes is not None else None,
        _total(each.size for each in usage.build_cache if not each.shared and not each.in_use)
        if usage.build_cache is not None
        else None,
    )


def _used(images: Iterable[replies.ListedImage]) -> int:
    """What images with containers, stopped ones too, have alone; docker/cli formatter/disk_usage.go until 28."""
    used = (each for each in images if each.containers != 0 and _known(each.size) and _known(each.shared_size))
    return sum((each.size or 0) - (each.shared_size or 0) for each in used)


def _idle(container: replies.ListedContainer) -> bool:
    return not any(word in (container.state or "") for word in ACTIVE)


def _unused(volumes: Iterable[replies.ListedVolume]) -> int:
    usages = [each.usage_data for each in volumes if each.usage_data and each.usage_data.ref_count == 0]
    return _total(each.size for each in usages if _known(each.size))


def _total(sizes: Iterable[int | None]) -> int:
    return sum(size or 0 for size in sizes)
