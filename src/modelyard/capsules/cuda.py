"""Which CUDA an environment was made for, as far as its packages tell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelyard.capsules.capsule import CondaPackage, Package

CONDA = ("cuda-version", "pytorch-cuda", "cudatoolkit", "cuda-runtime", "cuda-cudart")
RUNTIME = re.compile(r"nvidia[-_]cuda[-_]runtime(?:[-_]cu\d+)?", re.IGNORECASE)
LOCAL = re.compile(r"\+cu(\d+)(\d)$")


def cuda_version(packages: Sequence[Package], conda: Sequence[CondaPackage]) -> str:
    """Major and minor, as in `12.4`; empty where no package tells."""
    versions = {each.name: each.version for each in conda}
    for name in CONDA:
        if name in versions:
            return ".".join(versions[name].split(".")[:2])
    for each in packages:
        if RUNTIME.fullmatch(each.name):
            return ".".join(each.version.split(".")[:2])
    locals_ = [found for each in packages if (found := LOCAL.search(each.version))]
    return f"{locals_[0][1]}.{locals_[0][2]}" if locals_ else ""
