"""One look at all of a small file, which tells most: it is no business of a scan, or one plain pickle."""

from __future__ import annotations

from modelyard.formats.hdf5_objects import MAGIC
from modelyard.formats.zips import END
from modelyard.safety.plain import followed_whole
from modelyard.safety.signs import CONTAINERS, MLFLOW, OFTEN, PICKLED, TOLD_BY_NAME, is_tar, suffix_of

LONGEST = 65536
"""Bytes of a file that is small."""
PROTOCOL = b"\x80"
PLACES = (0, 512, 1024, 2048, 4096, 8192, 16384, 32768)
"""Where the signature of HDF5 may stand in so many bytes."""


def glance(name: str, data: bytes) -> str | None:
    """The format of a file in which there is nothing to find, empty where it is none that could run anything.

    `name` is the last part of its path, `data` all that it holds. None for a file that has to be scanned.
    """
    suffix = suffix_of(name)
    if suffix in TOLD_BY_NAME or name.lower() == MLFLOW or _has_container(data):
        return None
    if not data:
        return ""
    short = followed_whole(data)
    if short is None:
        return None
    if short.ended:
        return ("joblib" if short.arrays else "pickle") if short.end == len(data) else None
    promised = suffix in PICKLED or data[:1] == PROTOCOL or (short.names and suffix in OFTEN)
    return None if promised else ""


def _has_container(data: bytes) -> bool:
    """Whether it is, or may be to some readers, of a format that has a container of its own."""
    return data.startswith(CONTAINERS) or data[8:9] == b"{" or is_tar(data) or _is_hdf5(data) or END in data


def _is_hdf5(data: bytes) -> bool:
    return any(data.startswith(MAGIC, at) for at in PLACES)
