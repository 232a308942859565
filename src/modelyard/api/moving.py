"""Plans that give a store or an artifact another place, and whether it is all there afterwards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as Folder

from msgspec import Struct
from msgspec.structs import replace

from modelyard.api import Survey
from modelyard.api import survey as look
from modelyard.api.engines import engine_notes, refuse_engine
from modelyard.api.movable import environments_in, is_inside, refuse_never, unit_of
from modelyard.api.planning import doors_of, now_text, origin_of, roots_of, why_not
from modelyard.api.refusal import Nothing, Refusal
from modelyard.api.telling import Told, told
from modelyard.apply import marks
from modelyard.apply.journal import Ledger
from modelyard.apply.together import is_whole
from modelyard.inventory import Artifact, Platform
from modelyard.plan import Move, Path, Plan, as_root
from modelyard.policies.moving import Part, Unit, Way, is_secret, steps
from modelyard.policies.removal import mark
from modelyard.stores.telling import ENVIRONMENT
from modelyard.uses.everyone import Everyone
from modelyard.uses.links import links_into
from modelyard.walk.flags import held, held_within
from modelyard.walk.mounts import mount_at, mounts
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

TITLE = "move"
__all__ = ["Nothing", "Refusal", "Wish", "missing", "plan_move", "refuse_never"]


class Wish(Struct, frozen=True):
    """What was asked for: a store, an id or a path; where to; whether the shell's start file may be written.

    `pins` are the ids that no plan may hold.
    """

    name: str
    target: str
    write_rc: bool = False
    pins: frozenset[str] = frozenset()


def plan_move(
    survey: Survey, everyone: Everyone, wish: Wish, env: Mapping[str, str], home: Folder, platform: Platform
) -> Plan | None:
    """The plan, None where everything is there already. Refusal with what to do instead; Nothing for unknown names."""
    unit = unit_of(survey, wish.name)
    targets = _targets(unit, os.path.abspath(wish.target))
    if all(os.path.realpath(named) == target for named, target in zip(unit.named, targets, strict=True)):
        return None
    inside = [number for number, each in enumerate(survey.artifacts) if is_inside(survey.tree, each, unit.rows)]
    if pinned := [survey.artifacts[each].id for each in inside if survey.artifacts[each].id in wish.pins]:
        raise Refusal(f"{pinned[0]} is pinned", f"`modelyard pin --remove {pinned[0]}` lets it be moved")
    _refuse(survey, everyone, unit, inside, env)
    parts = tuple(_part(survey.tree, *each) for each in zip(unit.named, targets, unit.rows, strict=True))
    for part in parts:
        _refuse_place(part)
        _refuse_held(part, whole=not _same_disk(part))
    renamed = all(_same_disk(part) for part in parts) and not any(part.secrets for part in parts)
    spoken = told(unit, parts, wish.write_rc, env, home, platform)
    outside = [survey.tree.label(link) for _, link in links_into(survey.tree, unit.rows)]
    inner = renamed and not unit.telling.engine and any(_leads_inside(survey.tree, row) for row in unit.rows)
    linked = not spoken.stands or bool(outside) or inner or bool(unit.telling.stays)
    _refuse_way(unit, spoken, linked, parts)
    notes = [*spoken.notes, *_notes(survey, unit, parts, outside, inner, renamed)]
    way = Way(renamed, linked, spoken.writes, parts, unit.telling.engine)
    return _plan(survey, unit, way, replace(spoken, notes=notes), inside)


def _targets(unit: Unit, target: str) -> list[bytes]:
    """The new place of each part: in a folder that is there under its own name, else the target itself."""
    if os.path.isdir(target) and os.path.realpath(unit.named[0]) != os.fsencode(os.path.realpath(target)):
        return [os.path.join(os.fsencode(os.path.realpath(target)), os.path.basename(each)) for each in unit.named]
    if len(unit.named) > 1:
        raise Refusal(f"{unit.name} has {len(unit.named)} files", "give a folder that is there, and they go into it")
    parent, name = os.path.split(target)
    return [os.path.join(os.fsencode(os.path.realpath(parent)), os.fsencode(name))]


def _refuse(survey: Survey, everyone: Everyone, unit: Unit, inside: Sequence[int], env: Mapping[str, str]) -> None:
    if found := environments_in(survey, unit.rows):
        raise Refusal(f"{found[0]} lies in it: {ENVIRONMENT.never}", ENVIRONMENT.instead)
    doors = doors_of(survey, everyone)
    for number in inside:
        if why := why_not(survey, everyone, doors, number):
            raise Refusal(
                f"{survey.artifacts[number].id}: {why}", unit.telling.restart or "end that first, and run again"
            )
    if unit.telling.engine and unit.root is not None:
        refuse_engine(survey, unit, unit.root, inside, env)
    for row in unit.rows:
        if survey.tree.path(row) in [mount.path for mount in mounts()]:
            words = f"{survey.tree.label(row)} is where a file system is mounted, which no trash can take"
            raise Refusal(words, "mount that file system at the new place instead")
        if not survey.tree.is_whole(row):
            raise Refusal(
                f"{survey.tree.label(row)} could not be looked at whole", "`modelyard doctor` tells what is in the way"
            )


def _refuse_place(part: Part) -> None:
    """A target that cannot be one."""
    parent, target = os.path.dirname(part.target), shown(part.target)
    if os.path.lexists(part.target):
        raise Refusal(f"something is at {target} already", "give another place: the whole path, with its last name")
    if not os.path.isdir(parent):
        raise Refusal(
            f"{shown(parent)} is not there: is its drive mounted?", f"make it with `mkdir -p {shown(parent)}`"
        )
    for one, other in ((part.target, part.real), (part.real, part.target)):
        if one == other or one.startswith(other + b"/"):
            raise Refusal(f"{shown(one)} lies in {shown(other)}", "give a place outside of it")


def _refuse_held(part: Part, *, whole: bool) -> None:
    """What nobody can rename or remove: of a part that is renamed alone itself, of one that is copied all of it."""
    above = {os.path.dirname(part.real), os.path.dirname(part.named), os.path.dirname(part.target)}
    inside = held_within(part.real, part.secrets) if whole else held(part.real)
    found = inside or next((each for path in sorted(above) if (each := held(path))), None)
    if found:
        end = f"`{found.end} {shown(found.path)}` ends that"
        raise Refusal(f"{shown(found.path)} is {found.how}, so that nobody can take it away", end)


def _refuse_way(unit: Unit, spoken: Told, linked: bool, parts: Sequence[Part]) -> None:
    secret = next((part for part in parts if part.secrets), None)
    reason = unit.telling.link if unit.root is not None else unit.telling.piece
    if secret is not None and linked:
        name = shown(os.path.join(secret.real, secret.secrets[0]))
        raise Refusal(f"{name} may be a secret, which modelyard never moves", "put it elsewhere first, and run again")
    if linked and not reason and not spoken.stands:
        raise Refusal(f"{unit.name} is not found behind a link, {spoken.why}", "add --write-rc, or set that yourself")


def _part(tree: Tree, named: bytes, target: bytes, row: int) -> Part:
    real, seen = tree.path(row), mark(tree, row)
    names = tree.children(row)
    secrets = tuple(sorted(name for name in names if is_secret(name)))
    children = tuple((name, mark(tree, each)) for name, each in sorted(names.items()) if name not in secrets)
    link = None
    if os.path.islink(named):
        link = marks.take(named)
        named = os.path.join(os.path.realpath(os.path.dirname(named)), os.path.basename(named))
    freed = tree.measure([row]).sizes.freed
    return Part(named if link else real, real, seen, target, link, freed, secrets, children if secrets else ())


def _same_disk(part: Part) -> bool:
    """Whether a rename reaches the target: its file system by the same mount."""
    parent = os.path.dirname(part.target)
    return os.stat(parent).st_dev == part.mark.device and mount_at(parent) == mount_at(os.path.dirname(part.real))


def _leads_inside(tree: Tree, row: int) -> bool:
    """Whether a link below a row leads back into it by its whole path, which a rename breaks."""
    start, waiting = tree.path(row), [row]
    while waiting:
        for each in tree.children(waiting.pop()).values():
            if tree.is_link(each):
                text = os.readlink(tree.path(each))
                if text == start or text.startswith(start + b"/"):
                    return True
            elif tree.is_folder(each):
                waiting.append(each)
    return False


def _notes(
    survey: Survey, unit: Unit, parts: Sequence[Part], outside: Sequence[str], inner: bool, renamed: bool
) -> Iterator[str]:
    if unit.telling.engine:
        yield from engine_notes(unit)
    elif unit.telling.restart:
        yield unit.telling.restart
    if outside:
        more = f" and {len(outside) - 1:,} more" if len(outside) > 1 else ""
        yield f"the link {outside[0]}{more} leads into it, and goes on to find it by the link in the old place"
    if inner:
        yield "links inside it hold its old path, which the link in the old place keeps valid"
    measured = survey.tree.measure(unit.rows).sizes
    if not renamed and measured.freed < measured.allocated:
        yield "some of its files have other names or share extents elsewhere: those stay, and take their room there"
    for part in parts:
        for name in part.secrets:
            yield (
                f"{shown(name)} may be a secret and stays in {shown(part.real)}; where its tool needs it: "
                f"`cp -p {shown(os.path.join(part.real, name))} {shown(part.target)}/`"
            )


def _plan(survey: Survey, unit: Unit, way: Way, spoken: Told, inside: Sequence[int]) -> Plan:
    sizes = survey.tree.measure(unit.rows).sizes
    made = steps(unit.name, way)
    listed = inside if unit.root is not None else ()  # one of them behind a link: not every store looks behind it
    holds = [(survey.artifacts[number].id, survey.artifacts[number].sizes.apparent) for number in listed]
    how = " and ".join([*(["setting"] if spoken.writes else []), *(["link"] if way.linked else [])])
    reason = unit.telling.link if unit.root is not None else unit.telling.piece
    links = [unit.telling.stays or reason] if way.linked else []
    why = "; ".join(each for each in [spoken.why if spoken.stands else "", *links] if each)
    move = Move(
        unit.name, unit.store, Path.of(way.parts[0].real), Path.of(way.parts[0].target), how, why, sizes.apparent,  # type: ignore[arg-type]
        sizes.entries, way.renamed, Path.of(spoken.writes[0].file) if spoken.writes else None, list(spoken.lines),
        list(spoken.say), list(spoken.notes), holds, dict(spoken.variables),
        Path.of(way.parts[0].named) if way.parts[0].link else None,
        unit.root is not None and unit.root.system,
    )  # fmt: skip
    places = [os.path.dirname(part.target) for part in way.parts] + [os.path.dirname(each.file) for each in way.writes]
    places += [os.path.dirname(path) for part in way.parts for path in (part.named, part.real)]
    freed = sum(step.freed for step in made)
    return Plan(
        TITLE,
        now_text(),
        origin_of(survey, [os.fsdecode(os.path.realpath(each)) for each in places]),
        made,
        [*roots_of(survey), *(as_root(part.target) for part in way.parts)],
        freed,
        sizes.exact or not freed,
        "duplicate" if freed else "",
        [],
        moves=[move],
        together=True,
    ).sealed()


def made_before(ledgers: Iterable[Ledger], wish: Wish) -> bool:
    """Whether this very move was made, as by a run that was killed right after: what is elsewhere is not found here."""
    wanted = os.path.realpath(os.fsencode(os.path.abspath(wish.target)))
    for move in (move for ledger in ledgers if is_whole(ledger) for move in ledger.plan.moves):
        target = bytes(move.target)
        if move.artifact == wish.name and wanted in (target, os.path.dirname(target)) and os.path.lexists(target):
            return True
    return False


def missing(plan: Plan, env: Mapping[str, str], home: Folder, platform: Platform) -> str:
    """What a store does not show at its new place as it did at the old one; empty when it shows everything."""
    from modelyard.stores import ADAPTERS  # late: most verbs need none of them

    for move in plan.moves:
        adapters = [each for each in ADAPTERS if each.STORE.name == move.store]
        door, target = bytes(move.named or move.source), bytes(move.target)
        if move.how != "setting" and os.path.realpath(door) != target:
            return f"{shown(door)} does not lead to {shown(target)}"
        if not adapters or not move.holds:
            continue
        place = Folder(os.fsdecode(target))
        for root in [place, place.parent] if place.is_dir() else [place.parent]:  # some are known by their own name
            found = look({**env, **move.variables}, home, platform, [root], system=move.system, adapters=adapters)
            here = [each for each in found.artifacts if each.store == move.store]
            lost = _lost(move, here)
            if not lost:
                break
        if lost:
            return f"{move.store} does not show {lost[0]} with {lost[1]:,} bytes at its new place"
        whole = [each.sizes.entries for each in here if [found.tree.path(row) for row in each.rows] == [target]]
        if any(entries != move.entries for entries in whole):
            return f"{shown(target)} has {whole[0]:,} entries, and it had {move.entries:,}"
    return ""


def _lost(move: Move, here: Sequence[Artifact]) -> tuple[str, int] | None:
    """The first artifact that is not shown with its bytes, by its name or by another that tells the place."""
    before, now = Counter(move.holds), Counter((each.id, each.sizes.apparent) for each in here)
    sizes = Counter(size for _, size in before.elements()) - Counter(size for _, size in now.elements())
    return next(iter(before - now), None) if sizes else None
