"""MLflow: runs with their artifacts, logged and registered models, in files and in its database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from modelyard.inventory import Artifact, Kind, Platform, Reading, Root, Store
from modelyard.problem import Problem
from modelyard.stores.mlflow_database import BESIDE, Database, databases, is_database
from modelyard.stores.places import expand
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

STORE = Store(
    "mlflow",
    "MLflow",
    ("MLFLOW_TRACKING_URI", "MLFLOW_ARTIFACTS_DESTINATION"),
    ("mlruns", "mlartifacts", "mlflow.db", "mlruns.db"),
    scattered=True,
    kinds=("run", "model"),
    recoveries=("none",),
)
META, CAP, TRASH, MODELS, FILES = b"meta.yaml", 65536, b".trash", b"models", b"artifacts"
RUN, MODEL = re.compile(rb"[0-9a-f]{32}$"), re.compile(rb"m-[0-9a-f]{32}$")
DELETED = "deleted; `mlflow gc` removes it"
SQLITE = "sqlite:///"


def roots(env: Mapping[str, str], home: Path, platform: Platform) -> Iterable[Root]:
    """The folders that the two addresses name, where they name one; the others lie where a script was started."""
    for variable in STORE.variables:
        if folder := _folder(env.get(variable, "").strip(), env, home):
            yield Root(folder, variable, shared=True)


def _folder(address: str, env: Mapping[str, str], home: Path) -> str:
    """The folder of an address, empty where it names a server, or a database relative to where a script starts."""
    if address.startswith("file:"):
        return expand(address.removeprefix("file:").removeprefix("//"), env, home)
    if address.startswith(f"{SQLITE}/"):
        folder = Path(expand(address.removeprefix(SQLITE), env, home)).parent
        return "" if folder == folder.parent else str(folder)
    return expand(address, env, home) if address and "://" not in address else ""


def recognise(tree: Tree, row: int) -> int | None:
    """A folder of that name with an experiment in it, or the folder of a database."""
    if tree.is_folder(row):
        return row if any(_is_experiment(tree, each) for each in tree.children(row).values()) else None
    return tree.parent(row) if is_database(tree, row) else None


def _is_experiment(tree: Tree, row: int) -> bool:
    """With a description where runs are kept in files; else with the artifacts of a run or a model."""
    names = tree.children(row)
    held = names if MODELS not in names else {**names, **tree.children(names[MODELS])}
    return META in names or any((RUN.match(name) or MODEL.match(name)) and tree.is_folder(held[name]) for name in held)


def read(root: Root, tree: Tree) -> Reading:
    """One artifact a run and a model; a database is one as a whole."""
    assert root.row is not None
    here = list(databases(tree, root.row))
    if here:
        found = [_database(root, tree, row, each) for row, each in here]
        return Reading(tuple(found), tuple(each for _, each in here if isinstance(each, Problem)))
    if not any(_is_experiment(tree, each) for each in tree.children(root.row).values()):
        return Reading()
    above = tree.parent(root.row)
    beside = [each for _, each in databases(tree, above) if isinstance(each, Database)] if above is not None else []
    return Reading(tuple(_experiments(root, tree, beside)))


def _database(root: Root, tree: Tree, row: int, found: Database | Problem) -> Artifact:
    label, folder = tree.label(row), tree.parent(row)
    more = tuple(each for end in BESIDE if (each := tree.child(folder, tree.name(row) + end)) is not None)
    draft = _artifact(root, tree, (row,), label, "run", "of the database")
    if isinstance(found, Problem):
        state = "corrupt" if found.code == "damaged-database" else "complete"
        return replace(draft, pins=more, state=state, detail=found.message)
    gone = sum(stage == "deleted" for _, stage in found.runs.values())
    words = f"{len(found.runs)} runs" + (f", {gone} of them deleted" if gone else "")
    names = sorted({version.rpartition(" ")[0] for each in found.registered.values() for version in each})
    facts = [("experiments", str(found.experiments)), ("logged models", str(len(found.models)))]
    facts += [("registered models", ", ".join(names[:20]))] if names else []
    return replace(draft, pins=more, title=label, detail=words, facts=tuple(facts))


def _experiments(root: Root, tree: Tree, beside: list[Database]) -> Iterator[Artifact]:
    assert root.row is not None
    for experiment, row in sorted(tree.children(root.row).items()):
        if experiment == TRASH:
            words = "experiments that were deleted; `mlflow gc` removes them"
            yield _artifact(root, tree, (row,), "deleted experiments", "run", words)
            continue
        for name, each in sorted(tree.children(row).items()):
            if experiment == MODELS and tree.child(each, META) is not None:
                versions = sum(part.startswith(b"version-") for part in tree.children(each))
                yield _artifact(root, tree, (each,), shown(name), "model", f"registered, {versions} versions")
            elif tree.child(each, META) is not None or (RUN.match(name) and tree.child(each, FILES) is not None):
                yield _described(root, tree, each, "run", [known.runs for known in beside], beside)
            elif name == MODELS:
                logged = [inner for part, inner in sorted(tree.children(each).items()) if MODEL.match(part)]
                for inner in logged:
                    yield _described(root, tree, inner, "model", [known.models for known in beside], beside)


def _described(
    root: Root, tree: Tree, row: int, kind: Kind, known: list[dict[str, tuple[str, str]]], beside: list[Database]
) -> Artifact:
    """Named by its own description, else by the database beside."""
    key = shown(tree.name(row))
    name, stage = next((each[key] for each in known if key in each), ("", ""))
    meta = tree.child(row, META)
    if meta is not None:
        text = tree.read(meta, CAP)
        lines = [] if isinstance(text, Problem) else text.splitlines()
        facts = {at.strip(): value.strip() for at, _, value in (shown(line).partition(":") for line in lines)}
        name = facts.get("run_name" if kind == "run" else "name", "").strip("'\"")
        stage = facts.get("lifecycle_stage", "")
    draft = _artifact(root, tree, (row,), name or tree.label(row), kind, DELETED if stage == "deleted" else "")
    return replace(draft, tags=tuple(tag for each in beside for tag in each.registered.get(key, ())))


def _artifact(root: Root, tree: Tree, rows: tuple[int, ...], title: str, kind: Kind, detail: str) -> Artifact:
    label = tree.label(rows[0])
    return Artifact(f"mlflow:{label}", kind, "mlflow", title, root.path, rows, group=root.path, detail=detail)
