"""Which files nobody wants kept: what `.gitignore` says (gitignore(5)), what tools make again, and secrets."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

from modelyard.problem import Problem
from modelyard.walk.read import read_file

MADE = (
    ".git", ".hg", ".svn", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".tox", ".nox", ".ipynb_checkpoints", ".eggs", ".DS_Store", "*.egg-info", "*.pyc", "*.pyo", "*.swp",
    "*~",
)  # fmt: skip
SECRET = (
    ".env", ".env.*", "*.env", ".netrc", "_netrc", ".pypirc", "*.pem", "*.key", "*.p12", "*.pfx", "*.keystore",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".git-credentials", "credentials*", "*secret*", "*token",
    "*token.*", "*.token", "*password*", "kubeconfig", ".htpasswd", ".npmrc", ".dockercfg",
)  # fmt: skip
"""Names under which secrets lie; they are never copied."""
CODE = (".py", ".pyi", ".c", ".h", ".cpp", ".cu", ".rs", ".go", ".js", ".ts", ".md", ".rst")


def is_made(name: str) -> bool:
    """Whether a tool makes it again."""
    return any(fnmatchcase(name, pattern) for pattern in MADE)


def is_secret(path: str) -> bool:
    """Whether a name, or that of a folder above it, tells of a secret; code is told by its ending."""
    parts = path.lower().split("/")
    if parts[-1].endswith(CODE):
        parts = parts[:-1]
    return any(fnmatchcase(part, pattern) for part in parts for pattern in SECRET)


class Ignored:
    """The patterns of one `.gitignore`, for paths below its folder; the last one that fits decides."""

    def __init__(self, file: bytes) -> None:
        text = read_file(file)
        lines = [] if isinstance(text, Problem) else text.decode("utf-8", "surrogateescape").splitlines()
        self.rules = [rule for line in lines if (rule := _rule(line)) is not None]

    def says(self, path: str, folder: bool) -> bool | None:
        """Whether a path below the folder is ignored; None where no pattern fits."""
        for pattern, wanted, only_folders in reversed(self.rules):
            if (folder or not only_folders) and pattern.fullmatch(path):
                return wanted
        return None


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    text = line.rstrip() if not line.endswith("\\ ") else line
    wanted = not text.startswith("!")
    text = text.removeprefix("!") if not wanted else text
    if not text or text.startswith("#") or len(text) > 1000:
        return None
    only_folders, text = text.endswith("/"), text.rstrip("/")
    anchored = "/" in text
    parts = [part for part in text.lstrip("/").split("/") if part]
    try:
        return re.compile(_expression(parts, anchored)), wanted, only_folders
    except re.error:
        return None


def _expression(parts: list[str], anchored: bool) -> str:
    made = "" if anchored else "(?:[^/]+/)*"
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            made += ".+" if last else "(?:[^/]+/)*"
        else:
            made += _glob(part) + ("" if last else "/")
    return made


def _glob(part: str) -> str:
    """One component: `*` and `?` stay within it, brackets as in a shell."""
    made, at = "", 0
    while at < len(part):
        letter = part[at]
        end = part.find("]", at + 2) if letter == "[" else -1
        if letter == "*":
            made += "" if made.endswith("[^/]*") else "[^/]*"
        elif letter == "?":
            made += "[^/]"
        elif letter == "\\" and at + 1 < len(part):
            at += 1
            made += re.escape(part[at])
        elif end > 0:
            inside = part[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            made += f"[{'^' + inside[1:] if inside[0] in '!^' else inside}]"
            at = end
        else:
            made += re.escape(letter)
        at += 1
    return made


def ignored_by(chain: list[tuple[str, Ignored]], path: str, is_folder: bool) -> bool:
    """What the files above say of a path; those nearer to it decide first."""
    for place, each in reversed(chain):
        said = each.says(path[len(place) :], is_folder)
        if said is not None:
            return said
    return False


def rules_in(folder: bytes) -> Ignored | None:
    """The patterns of a folder, None where it has none."""
    file = os.path.join(folder, b".gitignore")
    return Ignored(file) if os.path.lexists(file) else None
