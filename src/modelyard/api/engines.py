"""What speaks against moving the folder of a container engine: it runs, or is seen by somebody, or keys lie in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as Folder
from platform import release

from modelyard.api import Survey
from modelyard.api.refusal import Refusal
from modelyard.inventory import Root
from modelyard.policies.moving import Unit
from modelyard.stores.docker import STORE
from modelyard.stores.docker_folders import Daemon, left_to_containerd, of_machine, of_user, readable
from modelyard.stores.telling import telling
from modelyard.walk.mounts import mounted_by_others
from modelyard.walk.read import read_file
from modelyard.walk.text import shown

KEYS = b"swarm/certificates/swarm-node.key"
"""What lets a machine act as a node of a cluster."""
LAYERS = b"overlay2"
EVERYBODY = [b"0", b"0", b"4294967295"]
"""The users of a process that lives in no user namespace but the first, as user_namespaces(7) tells them."""
SHOWN_SINCE = (5, 11)
"""The Linux whose overlay file systems note with user.* attributes in user namespaces (its overlayfs.rst)."""
AS_ROOT = ("`rootlesskit modelyard move docker DEST` lets its user be root over them", "run it with sudo")
"""What to do without rights, for the engine of a user and for that of the machine."""


def refuse_unseen(survey: Survey, name: str) -> None:
    """Refusal for the folder of the machine's engine, by its store or its path, where it was not looked at."""
    here = [root for each in survey.holdings if each.store == STORE for root in each.roots]
    folders = [each.path for each in of_machine().roots({}, Folder("/")) if isinstance(each, Root)]
    for folder in folders if any(root.system for root in here) else ():
        if name not in (STORE.name, os.path.realpath(folder)) or not os.path.isdir(folder):
            continue
        _refuse_running(folder, of_machine())
        if not readable(folder):
            raise Refusal(f"{folder} is not moved: root alone may look into it", AS_ROOT[True])


def _refuse_running(folder: str, engine: Daemon) -> None:
    if process := engine.running():
        raise Refusal(f"{folder} is not moved: its engine runs (process {process})", telling(STORE.name).restart)


def hides_notes() -> bool:
    """Whether overlay file systems keep notes in trusted.* attributes, which root of a user namespace does not see."""
    users = read_file(b"/proc/self/uid_map")
    kernel = tuple(int(each) for each in re.findall(r"\d+", release())[:2])
    return isinstance(users, bytes) and users.split() != EVERYBODY and kernel < SHOWN_SINCE


def engine_notes(unit: Unit) -> Iterator[str]:
    """What else is to be known: the machine's engine may leave images to containerd, which has a folder of its own."""
    folder = left_to_containerd()
    if unit.root is not None and unit.root.system and os.path.isdir(folder):
        yield f"what its engine leaves to containerd, images among it since version 29, stays in {folder}"


def refuse_engine(survey: Survey, unit: Unit, root: Root, inside: Sequence[int], env: Mapping[str, str]) -> None:
    """Refusal for the folder of an engine that is not surely at rest, or that this user cannot copy."""
    folder = unit.named[0]
    _refuse_running(shown(folder), of_machine() if root.system else of_user(env, Folder(survey.home)))
    if os.geteuid():
        why = "users of its containers own files in it, and root alone can copy those"
        raise Refusal(f"{shown(folder)} is not moved: {why}", AS_ROOT[root.system])
    if not any(survey.artifacts[each].rows == unit.rows for each in inside):
        roots = [root for each in survey.holdings if each.store.name == unit.store for root in each.roots]
        answers = any(root.answered for root in roots)
        why = "its engine answers" if answers else f"nothing of {unit.store} is known in it"
        raise Refusal(f"{shown(folder)} is not moved: {why}", unit.telling.restart)
    real = survey.tree.path(unit.rows[0])
    if who := mounted_by_others(real):
        raise Refusal(f"{shown(real)} is not moved: process {who} has something of it mounted", unit.telling.restart)
    if os.path.isdir(os.path.join(real, LAYERS)) and hides_notes():
        why = f"this kernel hides from its user what {shown(os.path.join(real, LAYERS))} notes of removed files"
        raise Refusal(f"{shown(real)} is not moved: {why}", "Linux 5.11 shows it; `docker save` takes images elsewhere")
    if os.path.lexists(os.path.join(real, KEYS)):
        why = f"{shown(os.path.join(real, KEYS))} is a secret, which modelyard never moves"
        raise Refusal(why, "`docker swarm leave` takes it away")
