"""What is wrong on a machine before it costs anything: checks that read only, each with the command that mends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from modelyard.doctor import (
    clouds,
    disks,
    environments,
    leftovers,
    owners,
    roots,
    secrets,
    services,
    team,
    tools,
    unread,
    variables,
)
from modelyard.doctor.assignments import all_assignments
from modelyard.doctor.complaint import SEVERITIES, Complaint
from modelyard.doctor.examination import Examination, Unfinished, spots
from modelyard.doctor.packages import environments as environment_rows
from modelyard.doctor.packages import installed
from modelyard.doctor.volumes import Volume, mount_table, promised
from modelyard.inventory import Inventory, Platform
from modelyard.walk.tree import Tree

Check = Callable[[Examination], Iterable[Complaint]]

CHECKS: tuple[Check, ...] = (
    secrets.readable_by_others,
    roots.missing,
    disks.full,
    environments.old_hub_clients,
    variables.dead,
    variables.conda_twice,
    variables.malformed,
    variables.deprecated,
    variables.not_loaded,
    services.out_of_reach,
    roots.two_roots,
    clouds.in_clouds,
    disks.read_only,
    disks.without_links,
    disks.slow,
    disks.in_memory,
    disks.no_access_times,
    owners.foreign,
    owners.unreadable,
    team.team_modes,
    environments.in_caches,
    leftovers.locks,
    leftovers.halves,
    leftovers.copies,
    tools.kernels,
    tools.without_program,
    tools.without_package,
    unread.problems,
)


def prepare(
    inventory: Inventory,
    tree: Tree,
    env: Mapping[str, str],
    home: Path,
    platform: Platform,
    now: int,
    mounted: tuple[Volume, ...] | None = None,
    expected: tuple[str, ...] | None = None,
    copies: tuple[Unfinished, ...] = (),
) -> Examination:
    """Everything the checks look at. `mounted` and `expected` stand for this machine's mount table and fstab.

    `copies` are those of moves that stopped half-way.
    """
    found, unread_files = all_assignments(env, home, platform)
    rows = environment_rows(inventory.artifacts, tree)
    homes = (str(home), os.path.realpath(home))
    own = tree.find(f"{homes[-1]}/.local")
    return Examination(
        inventory,
        tree,
        env,
        home,
        platform,
        now,
        mount_table() if mounted is None else mounted,
        promised() if expected is None else expected,
        tuple(found),
        tuple(unread_files),
        tuple(rows),
        tuple(installed(rows if own is None else [*rows, own], tree, tools.wanted())),
        tuple(spots(inventory, tree)),
        os.stat(home).st_uid,
        homes,
        copies,
    )


def complaints(about: Examination) -> list[Complaint]:
    """What every check says, the worst first; of the same weight in the order of the checks."""
    found = dict.fromkeys(complaint for check in CHECKS for complaint in check(about))
    return sorted(found, key=lambda each: SEVERITIES.index(each.severity))
