"""Copies that moves began and nobody finished, found by the journals of their plans."""

from __future__ import annotations

import os

from modelyard.api.reclaim import Yard
from modelyard.apply.copies.staging import folder_of
from modelyard.apply.journal import Ledger
from modelyard.apply.lock import is_held
from modelyard.doctor.examination import Unfinished
from modelyard.walk.tree import walk


def unfinished(yard: Yard) -> tuple[Unfinished, ...]:
    """What lies in the staging folders of moves that stopped half-way, each folder once; nothing while one goes on."""
    found: dict[bytes, Unfinished] = {}
    ledgers = [] if is_held(yard.rooms.state) else [each for each in yard.ledgers() if isinstance(each, Ledger)]
    for ledger in ledgers:
        for move in ledger.plan.moves:
            for step in ledger.plan.steps:
                staging = folder_of(bytes(step.path))
                if step.do == "copy" and os.path.isdir(staging):
                    lying = walk([staging]).totals()
                    target = os.fsdecode(bytes(move.target))
                    found[staging] = Unfinished(move.artifact, target, os.fsdecode(staging), lying.allocated)
    return tuple(found.values())
