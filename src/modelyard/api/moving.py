"""Plans that give a store or an artifact another place, and whether it is all there afterwards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as Folder

from modelyard.api import Survey, find_artifact
from modelyard.api import survey as look
from modelyard.api.planning import doors_of, now_text, origin_of, why_not
from modelyard.api.telling import Told, told
from modelyard.apply import marks
from modelyard.inventory import Artifact, Platform
from modelyard.plan import Move, Path, Plan
from modelyard.policies.moving import Part, Unit, Way, is_secret, steps
from modelyard.policies.removal import mark
from modelyard.stores.telling import ENVIRONMENT, telling
from modelyard.uses.everyone import Everyone
from modelyard.uses.links import links_into
from modelyard.walk.mounts import mount_at
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

TITLE = "move"
WHOLE = "`modelyard move {} DEST` moves all of it"


class Refusal(Exception):  # noqa: N818 - an answer, not an error of the program
    """Why something is not moved, and what to do instead."""

    def __init__(self, why: str, instead: str) -> None:
        super().__init__(why)
        self.instead = instead


class Nothing(LookupError):  # noqa: N818 - an answer, not an error of the program
    """Nothing is called like that."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: a store, an id or a path; where to; whether the shell's start file may be written."""

    name: str
    target: str
    write_rc: bool = False


def plan_move(
    survey: Survey, everyone: Everyone, wish: Wish, env: Mapping[str, str], home: Folder, platform: Platform
) -> Plan | None:
    """The plan, None where everything is there already. Refusal with what to do instead; Nothing for unknown names."""
    unit = _unit(survey, wish.name)
    targets = _targets(unit, os.path.abspath(wish.target))
    if all(os.path.realpath(named) == target for named, target in zip(unit.named, targets, strict=True)):
        return None
    inside = [number for number, each in enumerate(survey.artifacts) if _is_inside(survey.tree, each, unit.rows)]
    _refuse(survey, everyone, unit, inside)
    parts = tuple(_part(survey.tree, *each) for each in zip(unit.named, targets, unit.rows, strict=True))
    for part in parts:
        _refuse_place(part)
    renamed = all(_same_disk(part) for part in parts) and not any(part.secrets for part in parts)
    spoken = told(unit, parts, wish.write_rc, env, home, platform)
    outside = [survey.tree.label(link) for _, link in links_into(survey.tree, unit.rows)]
    inner = renamed and any(_leads_inside(survey.tree, row) for row in unit.rows)
    linked = not spoken.stands or bool(outside) or inner or bool(unit.telling.stays)
    _refuse_way(unit, spoken, linked, parts)
    notes = [*spoken.notes, *_notes(survey, unit, parts, outside, inner, renamed)]
    way = Way(renamed, linked, spoken.writes, parts)
    return _plan(survey, unit, way, replace(spoken, notes=notes), inside)


def _unit(survey: Survey, name: str) -> Unit:
    """What a name means: a store, an artifact, a path."""
    if any(each.store.name == name for each in survey.holdings):
        return _store(survey, name)
    found = [number for number, each in enumerate(survey.artifacts) if name in (each.id, each.group)]
    if len(found) == 1:
        return _artifact(survey, found[0])
    if "/" in name and (unit := _path(survey, os.path.abspath(name))):
        return unit
    try:
        number, _ = find_artifact(survey, name)
    except LookupError as error:
        raise Nothing(str(error).replace("no artifact is", "neither a store nor an artifact is")) from error
    return _artifact(survey, number)


def _store(survey: Survey, name: str) -> Unit:
    """The one root of a store that can be moved."""
    tell = telling(name)
    if tell.never:
        raise Refusal(f"{name} cannot be moved: {tell.never}", tell.instead.format(store=name))
    units = list(_units(survey, name))
    movable = [unit for unit in units if not _environments(survey, unit.rows)]
    if not units:
        raise Refusal(f"no folder of {name} was found here", f"`modelyard where {name}` tells where it was looked for")
    if not movable:
        raise Refusal(f"{name} holds environments: {ENVIRONMENT.never}", ENVIRONMENT.instead)
    if len(movable) > 1:
        paths = ", ".join(shown(unit.named[0]) for unit in movable)
        raise Refusal(
            f"{name} has {len(movable)} folders: {paths}", "give the path of one of them in place of its name"
        )
    return movable[0]


def _units(survey: Survey, store: str | None = None) -> Iterator[Unit]:
    """The folders that may be moved whole, each with the root that it is or belongs to."""
    for holding in survey.holdings:
        tell = telling(holding.store.name)
        for root in holding.roots if store in (None, holding.store.name) and not tell.never else ():
            if root.row is None or root.shared or root.endpoint:
                continue
            named = os.fsencode(os.path.abspath(root.path))
            below = os.path.join(named, os.fsencode(tell.part))
            if tell.part and not root.found_by.endswith(tell.itself or ("?",)):
                if not os.path.isdir(below):
                    continue
                named = below
            row = survey.tree.find(os.path.realpath(named))
            if row is not None:
                yield Unit(holding.store.name, holding.store.name, root, tell, (row,), (named,))


def _artifact(survey: Survey, number: int) -> Unit:
    """One artifact: what nothing else needs of it."""
    artifact = survey.artifacts[number]
    if artifact.kind == "environment":
        raise Refusal(f"{artifact.id} cannot be moved: {ENVIRONMENT.never}", ENVIRONMENT.instead)
    tell = telling(artifact.store)
    if not tell.piece:
        why = tell.never or f"{artifact.store} finds it in its own folder alone"
        raise Refusal(f"{artifact.id} cannot be moved by itself: {why}", tell.instead or WHOLE.format(artifact.store))
    rows = tuple(sorted(survey.claims.removable({number}), key=survey.tree.path))
    if not rows:
        raise Refusal(f"{artifact.id} has nothing of its own", f"`modelyard show {artifact.id}` tells who shares it")
    return Unit(artifact.id, artifact.store, None, tell, rows, tuple(survey.tree.path(row) for row in rows))


def _path(survey: Survey, path: str) -> Unit | None:
    """The root at a path, or a folder with nothing in it but what is found behind a link."""
    real = os.fsencode(os.path.realpath(path))
    for unit in _units(survey):
        if survey.tree.path(unit.rows[0]) == real:
            return unit
    row = survey.tree.find(real)
    if row is None:
        return None
    inside = [each for each in survey.artifacts if _is_inside(survey.tree, each, (row,))]
    if not inside:
        raise Refusal(f"nothing in {shown(real)} is known", "`modelyard ls` lists what is; `mv` moves the rest")
    for each in inside:
        tell = telling(each.store)
        if each.kind == "environment":
            raise Refusal(f"{shown(real)} cannot be moved: {ENVIRONMENT.never}", ENVIRONMENT.instead)
        if not tell.piece:
            why = f"{each.store} owns {each.id} in it"
            raise Refusal(f"{shown(real)} is not moved: {why}", tell.instead or WHOLE.format(each.store))
    return Unit(survey.tree.label(row), inside[0].store, None, telling(inside[0].store), (row,), (real,))


def _is_inside(tree: Tree, artifact: Artifact, rows: Sequence[int]) -> bool:
    """Whether everything of an artifact lies at or below the rows."""
    starts = [tree.path(row) for row in rows]
    paths = [tree.path(row) for row in artifact.rows]
    return bool(paths) and all(any(path == at or path.startswith(at + b"/") for at in starts) for path in paths)


def _environments(survey: Survey, rows: Sequence[int]) -> list[str]:
    """The environments, and the Pythons, that lie below the rows."""
    return [each.id for each in survey.artifacts if each.kind == "environment" and _is_inside(survey.tree, each, rows)]


def _targets(unit: Unit, target: str) -> list[bytes]:
    """The new place of each part: in a folder that is there under its own name, else the target itself."""
    if os.path.isdir(target) and os.path.realpath(unit.named[0]) != os.fsencode(os.path.realpath(target)):
        return [os.path.join(os.fsencode(os.path.realpath(target)), os.path.basename(each)) for each in unit.named]
    if len(unit.named) > 1:
        raise Refusal(f"{unit.name} has {len(unit.named)} files", "give a folder that is there, and they go into it")
    parent, name = os.path.split(target)
    return [os.path.join(os.fsencode(os.path.realpath(parent)), os.fsencode(name))]


def _refuse(survey: Survey, everyone: Everyone, unit: Unit, inside: Sequence[int]) -> None:
    if found := _environments(survey, unit.rows):
        raise Refusal(f"{found[0]} lies in it: {ENVIRONMENT.never}", ENVIRONMENT.instead)
    doors = doors_of(survey, everyone)
    for number in inside:
        if why := why_not(survey, everyone, doors, number):
            raise Refusal(
                f"{survey.artifacts[number].id}: {why}", unit.telling.restart or "end that first, and run again"
            )
    for row in unit.rows:
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


def _refuse_way(unit: Unit, spoken: Told, linked: bool, parts: Sequence[Part]) -> None:
    secret = next((part for part in parts if part.secrets), None)
    reason = unit.telling.link if unit.root is not None else unit.telling.piece
    if secret is not None and linked:
        name = shown(os.path.join(secret.real, secret.secrets[0]))
        raise Refusal(f"{name} may be a secret, which modelyard never moves", "put it elsewhere first, and run again")
    if linked and not reason:
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
    if unit.telling.restart:
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
    holds = [(survey.artifacts[number].id, survey.artifacts[number].sizes.apparent) for number in inside]
    how = " and ".join([*(["setting"] if spoken.writes else []), *(["link"] if way.linked else [])])
    reason = unit.telling.link if unit.root is not None else unit.telling.piece
    links = [unit.telling.stays or reason] if way.linked else []
    why = "; ".join([*([spoken.why] if spoken.stands else []), *links])
    move = Move(
        unit.name, unit.store, Path.of(way.parts[0].real), Path.of(way.parts[0].target), how, why, sizes.apparent,  # type: ignore[arg-type]
        sizes.entries, way.renamed, Path.of(spoken.writes[0].file) if spoken.writes else None, list(spoken.lines),
        list(spoken.say), list(spoken.notes), holds, dict(spoken.variables),
    )  # fmt: skip
    places = [os.path.dirname(part.target) for part in way.parts] + [os.path.dirname(each.file) for each in way.writes]
    places += [os.path.dirname(path) for part in way.parts for path in (part.named, part.real)]
    roots = [shown(root.path) for each in survey.holdings for root in each.roots if root.row is not None]
    freed = sum(step.freed for step in made)
    return Plan(
        TITLE,
        now_text(),
        origin_of(survey, [shown(os.path.realpath(each)) for each in places]),
        made,
        [*roots, *(shown(part.target) for part in way.parts)],
        freed,
        sizes.exact or not freed,
        "duplicate" if freed else "",
        [],
        moves=[move],
        together=True,
    ).sealed()


def missing(plan: Plan, env: Mapping[str, str], home: Folder, platform: Platform) -> str:
    """What a store does not show at its new place as it did at the old one; empty when it shows everything."""
    from modelyard.stores import ADAPTERS  # late: most verbs need none of them

    for move in plan.moves:
        adapters = [each for each in ADAPTERS if each.STORE.name == move.store]
        if not adapters or not move.holds:
            continue
        place = Folder(os.fsdecode(bytes(move.target)))
        for root in [place, place.parent] if place.is_dir() else [place.parent]:  # some are known by their own name
            found = look({**env, **move.variables}, home, platform, [root], system=False, adapters=adapters)
            lost = _lost(move, [each for each in found.artifacts if each.store == move.store])
            if not lost:
                break
        if lost:
            return f"{move.store} does not show {lost[0]} with {lost[1]:,} bytes at its new place"
    return ""


def _lost(move: Move, here: Sequence[Artifact]) -> tuple[str, int] | None:
    """The first artifact that is not shown with its bytes, by its name or by another that tells the place."""
    before, now = Counter(move.holds), Counter((each.id, each.sizes.apparent) for each in here)
    sizes = Counter(size for _, size in before.elements()) - Counter(size for _, size in now.elements())
    return next(iter(before - now), None) if sizes else None
