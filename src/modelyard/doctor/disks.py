"""Volumes that are full, read-only, slow, without links or access times, or made of memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination, Spot
from modelyard.doctor.roots import summary
from modelyard.doctor.shell import set_variable, unset_variable
from modelyard.doctor.volumes import MEMORY, SMALL_FILES, WITHOUT_LINKS, Volume
from modelyard.units import size

GIB = 1 << 30
FULL = 0.95
LINKING = {"hf", "conda", "uv", "venv", "dvc"}


def _by_volume(examination: Examination, spots: Iterator[Spot]) -> dict[Volume, list[Spot]]:
    found: dict[Volume, list[Spot]] = {}
    for spot in spots:
        volume = examination.volume(spot.path)
        if volume is not None:
            found.setdefault(volume, []).append(spot)
    return found


def _declared(examination: Examination, fits: Callable[[Volume], bool]) -> Iterator[tuple[Volume, list[Spot]]]:
    """Volumes like that, and the roots on them that tools write to."""
    declared = (spot for spot in examination.spots if spot.declared)
    for volume, spots in _by_volume(examination, declared).items():
        if fits(volume):
            yield volume, spots


def full(examination: Examination) -> Iterator[Complaint]:
    """At least 95 % full, or less than a GiB free."""
    for volume, spots in _by_volume(examination, iter(examination.spots)).items():
        space = _space(spots[0].path)
        if space is None or "ro" in volume.options or volume.kind in MEMORY:
            continue
        total, free = space
        if total and (free < GIB or free <= total * (1 - FULL)):
            place = examination.label(volume.path)
            yield Complaint(
                "full-volume",
                "danger",
                place,
                f"only {size(free)} of {size(total)} are free at {place}, where {summary(spots)} lie",
                "downloads and checkpoints break off half-way and leave their halves behind",
                examination.modelyard("ls", "--sort", "freed", "--limit", "20"),
                "shows what would free most; it removes nothing",
            )


def _space(path: str) -> tuple[int, int] | None:
    """Total and free bytes; None where the system does not tell."""
    try:
        told = os.statvfs(path)
    except OSError:
        return None
    return told.f_blocks * told.f_frsize, told.f_bavail * told.f_frsize


def read_only(examination: Examination) -> Iterator[Complaint]:
    """Tools that cannot write where they are told to."""
    for volume, spots in _declared(examination, lambda volume: "ro" in volume.options):
        how = {"macos": ("mount", "-uw"), "linux": ("mount", "-o", "remount,rw")}.get(examination.platform)
        yield Complaint(
            "read-only-volume",
            "fault",
            examination.label(volume.path),
            f"{examination.label(volume.path)} is mounted read-only, and {summary(spots)} lie there",
            "what is there can be used; downloads, locks and updates fail",
            examination.words("sudo", *how, volume.path) if how else "Get-Disk",
            "look first why it is read-only: a system mounts a damaged disk so, and some shares are meant to be",
        )


def without_links(examination: Examination) -> Iterator[Complaint]:
    """FAT and exFAT, where the hub's links become copies."""
    for volume, spots in _declared(examination, lambda volume: volume.kind in WITHOUT_LINKS):
        stores = {spot.store.name for spot in spots}
        after = ["the Hugging Face hub keeps files twice instead of linking them"] if "hf" in stores else []
        after += ["environments are copied whole instead of linked"] if stores & LINKING - {"hf"} else []
        after += ["no file may be larger than 4 GiB"] if volume.kind in SMALL_FILES else []
        yield Complaint(
            "volume-without-links",
            "fault",
            examination.label(volume.path),
            f"{examination.label(volume.path)} is {volume.kind}, which knows no links, and {summary(spots)} lie there",
            "; ".join(after) or "links in what is put there are lost",
            *_elsewhere(examination, spots),
        )


def slow(examination: Examination) -> Iterator[Complaint]:
    """Network shares and file systems served by a program."""
    for volume, spots in _declared(examination, lambda volume: volume.is_network or volume.is_fuse):
        yield Complaint(
            "slow-volume",
            "note",
            examination.label(volume.path),
            f"{examination.label(volume.path)} is {volume.kind}, and {summary(spots)} lie there",
            "loading and the many small files of environments and compile caches take long; locks may not hold",
            *_elsewhere(examination, spots),
        )


def _elsewhere(examination: Examination, spots: list[Spot]) -> tuple[str, str]:
    """Back to the default place where a variable led there, else the local disks to choose from."""
    by = dict.fromkeys(spot.root.found_by for spot in spots if re.fullmatch(r"[A-Z_]+", spot.root.found_by))
    if by:
        gone = "; ".join(unset_variable(name, examination.platform) for name in by)
        return gone, "then the default place is used; what lies here stays, and is not found there"
    lists = {"macos": "df -hl", "windows": "Get-Volume", "linux": "df -hlT"}[examination.platform]
    return lists, "lists the local disks; `modelyard where` tells which variables move the folders there"


def no_access_times(examination: Examination) -> Iterator[Complaint]:
    """Volumes on which nothing tells when a model was read last."""
    for volume, spots in _by_volume(examination, iter(examination.spots)).items():
        if "noatime" in volume.options and "ro" not in volume.options:
            linux = examination.platform == "linux"
            yield Complaint(
                "no-access-times",
                "note",
                examination.label(volume.path),
                f"{examination.label(volume.path)} is mounted with noatime, and {summary(spots)} lie there",
                "when a thing was used last is unknown: modelyard then relies on when its files were written",
                examination.words("sudo", "mount", "-o", "remount,atime,relatime", volume.path) if linux else "mount",
                "until the next start; for good in /etc/fstab" if linux else "shows the options of every volume",
            )


def in_memory(examination: Examination) -> Iterator[Complaint]:
    """Caches on a file system that takes its bytes from memory."""
    for volume, spots in _by_volume(examination, iter(examination.spots)).items():
        if volume.kind not in MEMORY:
            continue
        for spot in (spot for spot in spots if spot.declared):
            held = examination.allocated([spot.row])
            yield Complaint(
                "cache-in-memory",
                "fault" if held >= GIB else "note",
                examination.label(spot.path),
                f"{spot.store.title} keeps {size(held)} at {examination.label(spot.path)}, which is {volume.kind}",
                "these bytes are taken from the memory of programs, and are gone after the next start",
                *_onto_disk(examination, spot),
            )


def _onto_disk(examination: Examination, spot: Spot) -> tuple[str, str]:
    movers = [name for name in spot.store.variables if re.fullmatch(r"[A-Z_]+", name) and name != "TMPDIR"]
    if not movers:
        return examination.modelyard("where"), "tells what moves it"
    if spot.root.found_by in movers:
        return unset_variable(spot.root.found_by, examination.platform), "then the default place is used"
    disk = f"{examination.home}/.cache/{spot.store.name}"
    return set_variable(movers[0], disk, examination.platform), "for this shell; put it into its start file"
