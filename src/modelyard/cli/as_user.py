"""root over somebody's home: modelyard becomes that user first, or changes nothing."""

from __future__ import annotations

import importlib
import os
import pkgutil
from pathlib import Path

import modelyard
from modelyard.cli.errors import REFUSED, HelpfulError

HINT = "add --as-user: modelyard then becomes that user before it looks at anything"
BESIDE = ("yaml", "rich.progress", "rich.table", "rich.prompt")
"""Packages that are imported late, and may lie where only root can read."""
FRAMEWORKS = (
    "modelyard.convert.", "modelyard.registry.checkpoints.", "modelyard.registry.codecs.",
    "modelyard.registry.examples", "modelyard.registry.exported", "modelyard.registry.recipes", "modelyard.serve.",
)  # fmt: skip
"""Modules that begin with a framework, which takes seconds to import and need not be installed."""


def refuse_foreign(home: Path) -> None:
    """HelpfulError when root is about to change what lies in another user's home."""
    owner = os.stat(home).st_uid
    if os.geteuid() == 0 and owner != 0:
        raise HelpfulError(f"{home} belongs to user {owner}, and this is root", HINT, REFUSED)


def become_owner(home: Path) -> None:
    """root becomes the owner of the home, for good and with that user's groups; anybody else stays who they are."""
    if os.geteuid() != 0:
        return
    seen = os.stat(home)
    for found in pkgutil.walk_packages(modelyard.__path__, "modelyard."):
        if not found.name.endswith("__main__") and not found.name.startswith(FRAMEWORKS):
            importlib.import_module(found.name)
    for name in BESIDE:
        importlib.import_module(name)
    group, groups = _groups(seen.st_uid, seen.st_gid)
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(seen.st_uid, seen.st_uid, seen.st_uid)


def _groups(user: int, group: int) -> tuple[int, list[int]]:
    """A user's own group and all groups; the folder's group where the system does not know the user."""
    import pwd

    try:
        known = pwd.getpwuid(user)
    except KeyError:
        return group, [group]
    return known.pw_gid, os.getgrouplist(known.pw_name, known.pw_gid)
