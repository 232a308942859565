"""The files with which tools keep others away while they work, and what each of them stands for."""

from __future__ import annotations

import os

END = b".lock"
BUILDER = b"_builder"
HIDDEN = (b".locks", b".lock")


def guarded(path: bytes) -> bytes:
    """What a lock file stands for: the path of a thing, or of a folder with all that is in it. Empty for other files.

    A lock file that lies there says nothing, for tools leave it behind; a process that has it open works or waits.
    The names are those that the tools' own source gives: uv, the hub and its shared blobs, datasets, conda's and
    rattler's packages, libmamba, JAX, torch's extensions, TF Hub, ModelScope, DVC.
    """
    folder, name = os.path.split(path)
    above, last = os.path.split(folder)
    if last == b"tmp" and os.path.basename(above) == b".dvc":
        return above
    if name in (END, b"lock", b".lockfile"):
        return folder
    if not name.endswith(END):
        return b""
    if last in HIDDEN:  # `.lock/<scope>_<digest>.lock` does not tell which
        return above
    if os.path.basename(above) in HIDDEN:  # `.locks/<repository>/<etag>.lock`
        return os.path.join(os.path.dirname(above), last)
    thing = name.removesuffix(END).removesuffix(BUILDER)
    return folder if thing == last else os.path.join(folder, thing)
