"""What a name means that is to be moved: a root of a store or a part of it, one artifact, or a folder of such."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from modelyard.api import Survey, find_artifact
from modelyard.api.engines import refuse_unseen
from modelyard.api.refusal import Nothing, Refusal
from modelyard.inventory import Artifact
from modelyard.policies.moving import Unit
from modelyard.stores.telling import ENVIRONMENT, TELLINGS, telling
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

WHOLE = "`modelyard move {} DEST` moves all of it"


def unit_of(survey: Survey, name: str) -> Unit:
    """What a name means: a store, an artifact, a path."""
    if any(each.store.name == name for each in survey.holdings):
        return _store(survey, name)
    numbers = range(len(survey.artifacts))
    if found := [number for number in numbers if survey.artifacts[number].id == name]:
        return _artifact(survey, found[0])
    if os.path.lexists(name) and "/" in name:
        if unit := _path(survey, os.path.abspath(name)):
            return unit
        refuse_unseen(survey, os.path.realpath(name))
    if len(found := [number for number in numbers if survey.artifacts[number].group == name]) == 1:
        return _artifact(survey, found[0])
    try:
        number, _ = find_artifact(survey, name)
    except LookupError as error:
        raise Nothing(str(error).replace("no artifact is", "neither a store nor an artifact is")) from error
    return _artifact(survey, number)


def refuse_never(name: str) -> None:
    """Refusal for a store of which it is known beforehand that it cannot be moved."""
    tell = TELLINGS.get(name)
    if tell is not None and tell.never:
        raise Refusal(f"{name} cannot be moved: {tell.never}", tell.instead.format(store=name))


def _store(survey: Survey, name: str) -> Unit:
    """The one root of a store that can be moved."""
    refuse_never(name)
    units = list(_units(survey, name))
    movable = [unit for unit in units if not environments_in(survey, unit.rows)]
    if not units:
        _refuse_apart(survey, name)
        refuse_unseen(survey, name)
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
            if root.row is None or root.endpoint or (root.shared and not tell.alone) or root.found_by in tell.apart:
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
    _refuse_apart(survey, artifact.store, artifact.root)
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
    inside = [each for each in survey.artifacts if is_inside(survey.tree, each, (row,))]
    if not inside:
        raise Refusal(f"nothing in {shown(real)} is known", "`modelyard ls` lists what is; `mv` moves the rest")
    for each in inside:
        tell = telling(each.store)
        if each.kind == "environment":
            raise Refusal(f"{shown(real)} cannot be moved: {ENVIRONMENT.never}", ENVIRONMENT.instead)
        _refuse_apart(survey, each.store, each.root)
        if not tell.piece:
            why = f"{each.store} owns {each.id} in it"
            raise Refusal(f"{shown(real)} is not moved: {why}", tell.instead or WHOLE.format(each.store))
    return Unit(survey.tree.label(row), inside[0].store, None, telling(inside[0].store), (row,), (real,))


def _refuse_apart(survey: Survey, store: str, path: str = "") -> None:
    """Refusal for the roots of a store, or for this one, that are not moved though others of it are."""
    apart = telling(store).apart
    roots = [root for each in survey.holdings if each.store.name == store for root in each.roots]
    for root in roots:
        if root.row is not None and root.found_by in apart and path in ("", shown(root.path)):
            why, instead = apart[root.found_by]
            raise Refusal(f"{shown(root.path)} is not moved: {why}", instead)


def is_inside(tree: Tree, artifact: Artifact, rows: Sequence[int]) -> bool:
    """Whether everything of an artifact lies at or below the rows."""
    starts = [tree.path(row) for row in rows]
    paths = [tree.path(row) for row in artifact.rows]
    return bool(paths) and all(any(path == at or path.startswith(at + b"/") for at in starts) for path in paths)


def environments_in(survey: Survey, rows: Sequence[int]) -> list[str]:
    """The environments, and the Pythons, that lie below the rows."""
    return [each.id for each in survey.artifacts if each.kind == "environment" and is_inside(survey.tree, each, rows)]
