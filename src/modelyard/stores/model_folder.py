"""Reads folders of model files, as programs for making images keep them, into artifacts: one a model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelyard.problem import Problem
from modelyard.stores.model_card import NOTE_CAP, Card, card
from modelyard.stores.model_install import Install
from modelyard.stores.model_names import CONTROL, HALF, MODEL, NOTES, PAPERS, is_one_model, is_open, kind_of, owners
from modelyard.walk.text import shown

DOWNLOADED = (b".cache", b"huggingface", b"download")  # the notes of `hf download --local-dir`, a store of its own
WEIGHT = 1 << 20


class Task(Struct, frozen=True):
    """A folder to read: what its models are, and the notes of a `--local-dir` download that cover it."""

    row: int
    what: str
    top: bool = True
    notes: int | None = None


def every_kind(install: Install, row: int | None) -> None:
    """A folder of folders, the name of each telling what is in it; and the models beside them."""
    row = install.resolved(row)
    if row is None or install.too_many(row) or not install.take(row):
        return
    names = install.tree.children(row)
    for name, each in _folders(install, names):
        models(install, each, kind_of(name))
    _files(install, names, Task(row, "model", notes=install.tree.child(row, *DOWNLOADED)))


def models(install: Install, row: int | None, what: str) -> None:
    """A folder of models of one kind with its folders, however deep; or one model file."""
    tasks = [Task(row, what)] if row is not None else []
    while tasks:
        task = tasks.pop()
        place = install.resolved(task.row)
        if place is None:
            continue
        if install.tree.is_file(place):
            _model(install, {install.tree.name(place): place}, place, [], task)
        elif not (task.top and install.too_many(place)) and install.take(place):
            notes = install.tree.child(place, *DOWNLOADED)
            tasks += _folder(install, Task(place, what, task.top, task.notes if notes is None else notes))


def _folder(install: Install, task: Task) -> list[Task]:
    """The models of one folder; its folders are what remains to be done."""
    names = install.tree.children(task.row)
    if b"pyvenv.cfg" in names:
        return []
    if is_one_model(names, task.top):
        if task.notes is None:
            parts = [row for name, row in names.items() if name != b".git"]
            install.add(task.row, task.what, parts if b".git" in names else [task.row])
        return []
    _files(install, names, task)
    found = list(_folders(install, names))
    return [Task(row, task.what, False, install.tree.child(task.notes, name)) for name, row in reversed(found)]


def _folders(install: Install, names: Mapping[bytes, int]) -> Iterator[tuple[bytes, int]]:
    """The folders among the names, and the links to some."""
    tree = install.tree
    for name, row in sorted(names.items()):
        if is_open(name) and (tree.is_folder(row) or (tree.is_link(row) and os.path.isdir(tree.path(row)))):
            yield name, row


def files(install: Install, row: int, what: str) -> None:
    """The models that lie in a folder itself."""
    _files(install, install.tree.children(row), Task(row, what))


def _files(install: Install, names: Mapping[bytes, int], task: Task) -> None:
    """The models among the names of one folder, each with the small files that belong to it."""
    tree = install.tree
    noted = tree.children(task.notes) if task.notes is not None else {}
    found = {
        name: row
        for name, row in names.items()
        if not tree.is_folder(row) and name + b".metadata" not in noted and _is_model(install, name, row)
    }
    stems = {name.rpartition(b".")[0] for name in found} | set(found)
    beside: dict[bytes, list[bytes]] = {}
    for name in sorted(names):
        owner = None if name in found else next((each for each in owners(name) if each in stems), None)
        if owner is not None and not tree.is_folder(names[name]):
            beside.setdefault(owner, []).append(name)
    for name, row in sorted(found.items()):
        small = {*beside.get(name, ()), *beside.get(name.rpartition(b".")[0], ())}
        _model(install, names, row, sorted(small), task)


def _is_model(install: Install, name: bytes, row: int) -> bool:
    """Whether a file is a model by its ending, or by its size where the ending tells nothing."""
    lowered = name.lower()
    if lowered.endswith((*MODEL, *HALF)):
        return True
    seen = None if lowered.endswith(PAPERS) or name.startswith(b".") else install.tree.entry(row)
    return seen is not None and seen.size >= WEIGHT


def _model(install: Install, names: Mapping[bytes, int], row: int, small: list[bytes], task: Task) -> None:
    """A model file, or a link to one."""
    tree, name = install.tree, install.tree.name(row)
    pins = [names[each] for each in small]
    target = row
    if tree.is_link(row):
        behind = tree.find(os.path.realpath(tree.path(row)))
        pins = [row, *pins]
        if behind is None or tree.is_link(behind):  # a link to itself stays one
            _led_out(install, row, pins, task.what)
            return
        target = behind
    if not tree.is_file(target) or not install.take(target):
        return
    control = names.get(name + CONTROL)
    half = name.lower().endswith(HALF) or control is not None or _is_short(install, name, target)
    told = _told(install, names, small, task.row)
    install.add(row, task.what, [target], pins, told, "partial" if half else None)


def _led_out(install: Install, row: int, pins: list[int], what: str) -> None:
    """A link to a model that was not walked takes no bytes here."""
    if os.path.isfile(install.tree.path(row)):
        install.add(row, f"{what}, a link to a file elsewhere", [], pins)
    elif not os.path.exists(install.tree.path(row)):
        install.add(row, what, [], pins, state="dangling")


def _told(install: Install, names: Mapping[bytes, int], small: list[bytes], folder: int) -> Card:
    """What the notes beside a model tell."""
    notes = [each for each in small if each.lower().endswith(NOTES)]
    texts = ((each, install.tree.read(names[each], NOTE_CAP)) for each in notes)
    found = card(texts, shown(install.tree.path(folder)))
    if isinstance(found, Problem):
        install.problems.append(found)
        return Card()
    return found


def _is_short(install: Install, name: bytes, row: int) -> bool:
    """Whether a file under its final name is no whole model."""
    seen = install.tree.entry(row)
    finished = install.known.finished
    return (seen is not None and seen.size == 0) or (finished is not None and name not in finished)


def weights(install: Install, row: int | None, what: str) -> None:
    """Model files among the code of extensions; folders too small to hold any are not looked into."""
    tree = install.tree
    folders = [row] if row is not None and tree.is_folder(row) else []
    while folders:
        folder = folders.pop()
        names = tree.children(folder)
        if b"pyvenv.cfg" in names or tree.totals(folder).apparent < WEIGHT or not install.take(folder):
            continue
        for name, each in names.items():
            if tree.is_folder(each):
                folders += [each] if is_open(name) else []
            elif name.lower().endswith(MODEL) and tree.is_file(each):
                seen = tree.entry(each)
                if seen is not None and seen.size >= WEIGHT and install.take(each):
                    install.add(each, what, [each])
