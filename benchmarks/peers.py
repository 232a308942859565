"""The programs to compare with, those that this machine has."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WALKER = (
    "import sys, time; from modelyard.walk.tree import walk; start = time.perf_counter(); "
    "tree = walk([sys.argv[1]], portable={portable}, threads={threads}); tree.totals(); "
    "print('walk alone', time.perf_counter() - start)"
)
"""Says how long the call took, so that the start of Python can be told from the walk."""
OS_WALK = """
import os, sys
seen, total = set(), 0
for folder, folders, files in os.walk(sys.argv[1]):
    for name in folders + files:
        found = os.lstat(f"{folder}/{name}")
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
print(total)
"""
SCANDIR = """
import sys
from scandir_rs import Scandir, ReturnType
print(sum(1 for _ in Scandir(sys.argv[1], return_type=ReturnType.Ext, skip_hidden=False)))
"""
COUNTS_LINKS_ONCE = ("GNU du", "ncdu", "ncdu, 2 threads", "gdu", "dust", "dua", "pdu, links once", "os.walk + lstat")
"""Peers that count a file with several names once, as the walker does; the others do less."""


def bare(build: Path) -> list[str]:
    """The lower bound, compiled on the spot."""
    program = build / "bare"
    subprocess.run(["cc", "-O2", "-pthread", "-o", str(program), str(HERE / "bare.c")], check=True)
    return [str(program)]


def _program(name: str) -> list[str] | None:
    """A program on the path, or as MODELYARD_PEERS names it: `dust=/opt/dust;dua=/opt/ld /opt/dua`."""
    named = dict(part.split("=", 1) for part in os.environ.get("MODELYARD_PEERS", "").split(";") if "=" in part)
    if name in named:
        return shlex.split(named[name])
    found = shutil.which(name)
    return [found] if found else None


def _newer(command: list[str]) -> bool:
    """Whether this ncdu knows threads, which came with version 2.5."""
    said = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    return "--threads" in said.stdout + said.stderr


def walkers(tree: Path, build: Path) -> dict[str, list[str]]:
    """Everything that can tell how much a tree takes, as commands."""
    python, place = sys.executable, str(tree)
    commands = {
        "modelyard walker": [python, "-c", WALKER.format(portable=False, threads=2), place],
        "modelyard walker, 1 thread": [python, "-c", WALKER.format(portable=False, threads=1), place],
        "modelyard walker, portable": [python, "-c", WALKER.format(portable=True, threads=2), place],
        "bare getdents64, no stat": [*bare(build), place],
        "os.walk + lstat": [python, "-c", OS_WALK, place],
    }
    if importlib.util.find_spec("scandir_rs"):
        commands["scandir-rs"] = [python, "-c", SCANDIR, place]
    options = {
        "GNU du": ("du", ["-s"]), "ncdu": ("ncdu", ["-0", "-x", "-o", "/dev/null"]), "gdu": ("gdu", ["-npc"]),
        "dust": ("dust", ["-d", "0", "-b", "-P"]), "dua": ("dua", ["aggregate"]), "pdu": ("pdu", ["--max-depth=1"]),
        "pdu, links once": ("pdu", ["--max-depth=1", "--deduplicate-hardlinks"]), "diskus": ("diskus", []),
        "find -size": ("find", []),
    }  # fmt: skip
    for name, (program, flags) in options.items():
        found = _program(program)
        if found:
            commands[name] = [*found, *flags, place, *(["-size", "+1000G"] if program == "find" else [])]
            if program == "ncdu" and _newer(found):
                commands["ncdu, 2 threads"] = [*found, "--threads", "2", *flags, place]
    return commands


RECIPE = """
du -sh .cache/huggingface .ollama .lmstudio miniconda3 projects
find . -type f -printf '%s %p\\n' | sort -rn | head -20
find . -type f -atime +30
find . -name 'checkpoint-*' -print0 | xargs -0 du -s
"""
"""What guides tell people to type when the disk is full."""


def inventories(home: Path) -> dict[str, list[str]]:
    """The whole answer: modelyard, and the shell recipe it replaces."""
    python = sys.executable
    return {
        "modelyard --json": [python, "-m", "modelyard", "--home", str(home), "--json"],
        "GNU du": ["du", "-s", str(home)],
        "shell recipe": ["sh", "-c", RECIPE],
    }


def hub_listings(home: Path) -> dict[str, list[str]]:
    """The hub cache alone: modelyard, which also tells what frees what, and the owner's own listing."""
    cache = home / ".cache" / "huggingface"
    listing = [str(Path(sys.executable).with_name("hf")), "cache", "ls", "--cache-dir", str(cache / "hub")]
    mine = [sys.executable, "-m", "modelyard", "--home", str(cache), "ls", "--json"]
    return {"modelyard ls --json": mine, "hf cache ls": listing}
