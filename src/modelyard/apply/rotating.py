"""Folders that take turns under a fixed set of names: a new one goes in whole, an old one goes out name first."""

from __future__ import annotations

import errno
import os
import secrets

from modelyard.apply.disk import Disk
from modelyard.apply.folder import Folder
from modelyard.apply.trash import remove_tree

TRIES = 20
OUT = b".modelyard-version-%s"
"""As drafts are called, so that whatever a kill leaves of a folder is removed as they are."""


def settle(disk: Disk, draft: Folder, target: bytes) -> None:
    """Gives a draft its name, in the place of what may be there. OSError when neither can be done.

    What is there may go, or come, at any moment when others rotate the same folders: then it is tried again.
    """
    for _ in range(TRIES):
        try:
            draft.keep(target)
            return
        except FileExistsError:
            if _exchanged(disk, draft, target):
                return
    draft.keep(target)


def _exchanged(disk: Disk, draft: Folder, target: bytes) -> bool:
    try:
        draft.exchange(target)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
    retire(disk, target)
    return False


def retire(disk: Disk, path: bytes) -> None:
    """Removes a folder for good: its name at once and for good, then its files. What is gone already is no error."""
    parent = os.path.dirname(path)
    aside = os.path.join(parent, OUT % secrets.token_hex(8).encode())
    try:
        disk.move(path, aside)
        disk.sync_folder(parent)
        remove_tree(disk, aside)
    except FileNotFoundError:  # another one removes it, or what is left of it
        return
