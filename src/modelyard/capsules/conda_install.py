"""Lets conda, mamba, micromamba or py-rattler build a prefix from an explicit list."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping

import msgspec

from modelyard.apply.disk import Disk
from modelyard.apply.whole import place
from modelyard.capsules.capsule import Capsule
from modelyard.capsules.conda import explicit
from modelyard.capsules.programs import Failed, run
from modelyard.problem import Problem

PROGRAMS = ("mamba", "conda", "micromamba")
HINT = "install Miniforge or micromamba, or `pip install py-rattler` beside modelyard"


def install_conda(capsule: Capsule, prefix: str, folder: str, env: Mapping[str, str], disk: Disk) -> None:
    """Builds the prefix; `folder` is for files of our own. Failed where an address or a program is missing."""
    lost = [each.name for each in capsule.conda if not each.url]
    if lost:
        raise Failed(Problem(prefix, "no-address", f"nothing says where these came from: {', '.join(lost[:8])}"))
    path = f"{folder}/conda-explicit.txt"
    place(disk, os.fsencode(path), explicit(capsule.conda, capsule.platform).encode())
    program = installer(env)
    if program:
        run([program, "create", "--yes", "--quiet", "--prefix", prefix, "--file", path], env, folder)
    elif importlib.util.find_spec("rattler"):
        note = f"{folder}/conda.json"
        place(disk, os.fsencode(note), msgspec.json.encode(capsule.conda))
        run([sys.executable, "-I", "-m", "modelyard.capsules.rattler_install", note, prefix], env, folder)
    else:
        words = "neither conda, mamba nor micromamba is on PATH, and CONDA_EXE leads to none"
        raise Failed(Problem(prefix, "no-conda", words, HINT))


def installer(env: Mapping[str, str]) -> str:
    """The program that builds conda environments here: CONDA_EXE, else the first on PATH; empty without."""
    for name in ("CONDA_EXE", "MAMBA_EXE"):
        told = env.get(name, "")
        if os.path.isabs(told) and os.access(told, os.X_OK):
            return told
    found = (shutil.which(name, path=env.get("PATH")) for name in PROGRAMS)
    return next((each for each in found if each), "")
