"""Takes folders of models into a registry: loose model files, MLflow's models, BentoML's. The originals stay."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from modelyard.formats.header import Header
from modelyard.formats.known import read_header
from modelyard.problem import Problem
from modelyard.registry.bentoml_reading import MODEL_YAML, read_bentoml
from modelyard.registry.codec import Saving
from modelyard.registry.codecs.files import KNOWN, NAME, refuse_code
from modelyard.registry.errors import RegistryError
from modelyard.registry.foreign import ForeignFile
from modelyard.registry.layout import FORBIDDEN, LONGEST_PART, MARKER, RESERVED, SUMS, checked
from modelyard.registry.metadata import Metadata
from modelyard.registry.mlflow_names import Named, named_models
from modelyard.registry.mlflow_reading import MLMODEL, read_mlflow
from modelyard.registry.pretrained import WEIGHTS, beside
from modelyard.registry.versions import parse
from modelyard.walk.read import opened, pieces
from modelyard.walk.text import shown

if TYPE_CHECKING:
    from modelyard.registry.registry import Registry

PLAIN = re.compile(
    r"(model|pytorch_model|saved_model|weights|checkpoint|best|last|final|consolidated)([-_.]?\d+)*$", re.IGNORECASE
)
"""File names that tell nothing: the folder names the model."""
NO_MODELS = frozenset(("tokenizer", "configuration", "zip archive", "tar archive", "NumPy array", "NumPy arrays"))
"""Formats that are parts of models, data, or hold any files."""


class Candidate(Struct, frozen=True):
    """A model that was found: where, what it would be called, and why it cannot be taken, if so."""

    path: str
    name: str
    kind: str
    """`file`, `mlflow` or `bentoml`."""
    file: ForeignFile | None = None
    version: str = ""
    told: dict[str, object] = field(default_factory=dict)
    why: str = ""


class Adopted(Struct, frozen=True):
    """What became of a model that was found: its version here, or why there is none."""

    path: str
    name: str
    kind: str
    reference: str = ""
    """The version; empty in a dry run, and where it was not taken."""
    why: str = ""
    """Why it was not taken; also for what is here already."""


def candidates(root: str) -> list[Candidate]:
    """Every model below a folder, in order. RegistryError for a folder that is none."""
    if not os.path.isdir(root):
        raise RegistryError(f"{shown(root)} is no folder", "bad-address", "name a folder with models in it")
    named = named_models(root)
    found: list[Candidate] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        if MARKER in names or SUMS in names:  # a registry, or a version of one: `pull` takes those
            folders.clear()
        elif MLMODEL in names:
            found.append(_mlflow(folder, root, named))
            folders.clear()
        elif MODEL_YAML in names and (kept := _bentoml(folder)):
            found += kept
            folders.clear()
        else:
            found += _files(folder, sorted(names))
    return _named_apart(found, root)


def _mlflow(folder: str, root: str, named: dict[str, Named]) -> Candidate:
    known = named.get(os.path.realpath(folder))
    name = known.name if known else _from_folders(folder, root)
    try:
        model = read_mlflow(folder)
    except RegistryError as error:
        return Candidate(folder, _clean(name), "mlflow", why=error.message)
    version = known.version if known else ""
    return Candidate(folder, _clean(name), "mlflow", model.file, version, {"mlflow": model.told})


def _from_folders(folder: str, root: str) -> str:
    """The nearest folder whose name says something."""
    while folder != root:
        name = os.path.basename(folder)
        if name != "artifacts" and not PLAIN.match(name) and not re.fullmatch(r"(m-)?[0-9a-f]{32}", name):
            return name
        folder = os.path.dirname(folder)
    return os.path.basename(root)


def _bentoml(folder: str) -> list[Candidate]:
    model = read_bentoml(folder)
    if model is None:
        return []
    files = [each for each in _below(folder) if os.path.basename(each) != MODEL_YAML]
    models = [(each, found) for each in files if (found := _header(each)) is not None]
    if len(models) != 1:
        why = "none of its files is a model" if not models else f"it has {len(models)} model files"
        return [Candidate(folder, _clean(model.name), "bentoml", why=why)]
    ((path, header),) = models
    file = ForeignFile(path, *_as_known(path, header))
    return [Candidate(folder, _clean(model.name), "bentoml", file, told={"bentoml": model.told})]


def _as_known(path: str, header: Header) -> tuple[str, str, str]:
    return KNOWN.get(header.format, (os.path.basename(path), NAME, header.framework or header.format))


def _below(folder: str) -> Iterator[str]:
    for above, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(above, each) for each in sorted(names))


def _files(folder: str, names: list[str]) -> Iterator[Candidate]:
    """The model files of a folder, without those that only belong to another one."""
    found = {name: header for name in names if (header := _header(os.path.join(folder, name))) is not None}
    pretrained = beside(folder, names)
    parts = {each.path for header in found.values() for each in header.needs}
    for name, header in found.items():
        path = os.path.join(folder, name)
        if name not in parts:
            why = "" if header.complete else "it ends before its last tensor"
            file = ForeignFile(path, *_as_known(path, header))
            if pretrained and name == WEIGHTS:
                file = ForeignFile(path, WEIGHTS, "transformers", "Transformers", beside=pretrained)
            yield Candidate(path, "", "file", file, why=why)


def _header(path: str) -> Header | None:
    """The header of a model file; None for what is none, and for links."""
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    found = read_header(path)
    return None if isinstance(found, Problem) or found.format in NO_MODELS else found


def _named_apart(found: list[Candidate], root: str) -> list[Candidate]:
    """Loose files by their own names; with the folders above where two would be called alike."""
    files = [each for each in found if each.kind == "file"]
    near = {each.path: _clean(_near(each.path, root)) for each in files}
    far = {each.path: _clean(os.path.relpath(os.path.splitext(each.path)[0], root)) for each in files}
    whole = {each.path: _clean(os.path.relpath(each.path, root)) for each in files}
    taken = Counter([*near.values(), *{each.name for each in found if each.name}])
    alike = Counter(far.values())

    def name(path: str) -> str:
        return near[path] if taken[near[path]] == 1 else far[path] if alike[far[path]] == 1 else whole[path]

    return [replace(each, name=name(each.path)) if each.kind == "file" else each for each in found]


def _near(path: str, root: str) -> str:
    stem = os.path.splitext(os.path.basename(path))[0]
    return _from_folders(os.path.dirname(path), root) if PLAIN.match(stem) else stem


def _clean(text: str) -> str:
    """A name that a registry takes, as near as can be to a text."""
    parts = []
    for part in shown(text).split("/"):
        kept = "".join("-" if each in FORBIDDEN or not each.isprintable() else each for each in part)
        kept = kept.strip().lstrip(".-~").rstrip(".").strip() or "model"
        while len(kept.encode()) > LONGEST_PART:
            kept = kept[:-1]
        inside = kept in RESERVED or (kept[:1] == "v" and parse(kept) is not None)
        parts.append(f"model-{kept}"[:LONGEST_PART] if inside else kept)
    return "/".join(parts[-4:])


def adopt(registry: Registry, found: Candidate, dry_run: bool, allow_pickle: bool) -> Adopted:
    """Takes one, or says why not."""
    done = Adopted(found.path, found.name, found.kind, why=found.why)
    if found.why or found.file is None:
        return done
    try:
        checked(found.name)
        if known := _known(registry, found.name, found.file.path):
            return replace(done, reference=known, why="it is here already")
        if dry_run:
            refuse_code(found.file.path, Saving(allow_pickle=allow_pickle), found.file)
            return done
        free = found.version and parse(found.version) not in registry.versions(found.name)
        extra = {**found.told, "adopted": {"path": shown(found.path)}}
        which = registry.save(
            found.file, found.name, version=found.version if free else None, allow_pickle=allow_pickle, extra=extra
        )
        return replace(done, reference=str(which))
    except RegistryError as error:
        return replace(done, why=error.message)
    except OSError as error:
        return replace(done, why=os.strerror(error.errno or 0))


def _known(registry: Registry, name: str, path: str) -> str:
    """The version of that model which has these bytes already, empty for none."""
    with opened(os.fsencode(path), follow=True) as descriptor:
        size = os.fstat(descriptor).st_size
    digest = ""
    for version in registry.versions(name):
        told = registry.metadata(f"{name}@{version}")
        if any(each.size == size for each in told.files):
            digest = digest or _digest(path)
            if _holds(told, digest):
                return f"{name}@{version}"
    return ""


def _holds(told: Metadata, digest: str) -> bool:
    return any(each.sha256 == digest for each in told.files)


def _digest(path: str) -> str:
    read = hashlib.sha256()
    for piece in pieces(os.fsencode(path), 4 << 20):
        read.update(piece)
    return read.hexdigest()
