"""Environments made by hand, small, as the tools leave them."""

from __future__ import annotations

import json
from pathlib import Path

import makers

SETTINGS = "home = /usr/bin\nversion = 3.11.2\n"


def environment(prefix: Path, settings: str | bytes = SETTINGS, python: str = "/bin/sh") -> Path:
    """A virtual environment whose Python is a link to anything."""
    makers.write(prefix / "pyvenv.cfg", settings)
    makers.write(prefix / "lib/python3.11/site-packages/pip/__init__.py", b"p" * 2000)
    (prefix / "bin").mkdir(exist_ok=True)
    (prefix / "bin" / "python").symlink_to(python)
    return prefix


def pixi_environment(project: Path, name: str = "default", place: Path | None = None) -> Path:
    """An environment of a pixi project, in it or detached."""
    prefix = place or project / ".pixi" / "envs" / name
    makers.conda_env(prefix, ("python-3.12.5-h2ad013b_0_cpython", "cudnn-9.3.0-h1a2b3c4_0", "tiny-1.0-0"))
    makers.write(prefix / "bin" / "python", b"\x7fELF")
    return pixi_notes(project, prefix, name)


def pixi_notes(project: Path, prefix: Path, name: str) -> Path:
    """What pixi adds to an environment: which manifest it was made for, and where."""
    note = {"manifest_path": str(project / "pixi.toml"), "environment_name": name, "pixi_version": "0.72.0"}
    makers.write(prefix / "conda-meta" / "pixi", json.dumps(note))
    makers.write(prefix / "conda-meta" / "pixi_env_prefix", str(prefix / "conda-meta"))
    return prefix
