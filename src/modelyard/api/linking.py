"""A model of one store made usable in another without a second copy of its bytes: the plan for it."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence

from modelyard.api import Survey
from modelyard.api.digests import digests_of
from modelyard.api.planning import now_text, origin_of, roots_of
from modelyard.formats.header import Header
from modelyard.formats.known import read_header
from modelyard.inventory import Artifact
from modelyard.plan import Ask, Path, Plan, Step
from modelyard.policies import linking
from modelyard.policies.linking import TAKERS, Offered, Target
from modelyard.policies.removal import mark
from modelyard.problem import Problem
from modelyard.stores import hub_files
from modelyard.stores.content_names import ContentNames
from modelyard.walk.digest_cache import DigestCache
from modelyard.walk.extents import can_share
from modelyard.walk.text import shown
from modelyard.walk.tree import Tree

TITLE = "link"
WEIGHTS = ("gguf", "safetensors")
BESIDE = (".json", ".txt", ".model", ".jinja")
"""What a hub's client needs beside the weights: settings and the tokenizer."""


def plan_link(
    survey: Survey, artifact: Artifact, target: Target, cache: DigestCache, *, name: str = "", folder: str = ""
) -> Plan | Problem:
    """The plan that gives a tool the artifact's files; a Problem with the reason where there is no safe way.

    `name` is what it is called there, `owner/name`; `folder` is ComfyUI's. Reads the files whose digest a tool's layout
    needs and that nothing tells.
    """
    root = _root(survey, target)
    if isinstance(root, Problem):
        return root
    rows = dict(_files(survey.tree, artifact))
    headers = {each: read_header(os.fsdecode(survey.tree.path(row))) for each, row in rows.items()}
    formats = {each: found.format.lower() for each, found in headers.items() if isinstance(found, Header)}
    weights = [each for each in rows if formats.get(each) in WEIGHTS]
    if not weights:
        return _no(artifact.id, "it holds neither GGUF nor safetensors files")
    beside = [each for each in rows if each.endswith(BESIDE)] if target == "huggingface" else []
    offered = []
    for each in (*weights, *beside):
        found = _offered(survey, artifact, each, rows[each], formats.get(each, ""), root, target, cache)
        if isinstance(found, Problem):
            return found
        why = linking.no_way(target, found) if each in weights else ""
        if why:
            return _no(shown(survey.tree.path(rows[each])), why)
        offered.append(found)
    tensors = [tensor.name for found in headers.values() if isinstance(found, Header) for tensor in found.tensors]
    folder = folder or (linking.folder_of(tensors) if target == "comfyui" else "")
    if target == "comfyui" and not folder:
        return _no(artifact.id, "its tensors do not tell what it is: name one of ComfyUI's folders with --folder")
    if target == "ollama" and len(offered) > 1:
        return _no(artifact.id, "Ollama makes a model of one GGUF file, and this one has several")
    return _plan(survey, artifact, target, root, rows, offered, name or name_of(artifact), folder)


def _no(what: str, why: str) -> Problem:
    return Problem(what, "no-link", why)


def _root(survey: Survey, target: Target) -> str | Problem:
    """The first root of the tool's store that is there."""
    taker = TAKERS[target]
    for holding in survey.holdings:
        if holding.store.name == taker.store:
            found = next((root.path for root in holding.roots if root.row is not None and not root.endpoint), None)
            if found:
                return os.path.realpath(found)
    return _no(
        taker.title, f"{taker.title} was not found here; `modelyard where` lists what was, --root DIR looks elsewhere"
    )


def _files(tree: Tree, artifact: Artifact) -> Iterator[tuple[str, int]]:
    """The files of an artifact with their names at their source, each once."""
    source = hub_files.source(tree, artifact) if artifact.store == "hf" else None
    if source is not None:
        yield from ((each.path, each.row) for each in source.files)
        return
    waiting = [(row, "" if tree.is_folder(row) else shown(tree.name(row))) for row in artifact.blobs]
    seen = set()
    while waiting:
        row, name = waiting.pop()
        if tree.is_folder(row):
            prefix = f"{name}/" if name else ""
            waiting += [(each, prefix + shown(below)) for below, each in tree.children(row).items()]
        elif tree.is_file(row) and row not in seen:
            seen.add(row)
            yield name, row


def _offered(
    survey: Survey, artifact: Artifact, name: str, row: int, kind: str, root: str, target: Target, cache: DigestCache
) -> Offered | Problem:
    path = survey.tree.path(row)
    digest = _digest(survey.tree, row, cache) if target in ("ollama", "huggingface") else ""
    if isinstance(digest, Problem):
        return digest
    seen = survey.tree.entry(row)
    same = seen is not None and os.stat(_nearest(root)).st_dev == seen.device
    return Offered(name, shown(path), digest, kind, artifact.store, can_share(os.path.dirname(path)), same)


def _nearest(folder: str) -> str:
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _digest(tree: Tree, row: int, cache: DigestCache) -> str | Problem:
    """The SHA-256: a place that is named by it must not be filled by what a name alone promises, so it is read."""
    found = digests_of(tree, row, ["sha256"], cache)
    if isinstance(found, Problem):
        return found
    known, told = found["sha256"], ContentNames(tree).of(row)
    if told and told[0] == "sha256" and told[1] != known.hex():
        return Problem(shown(tree.path(row)), "corrupt", "its content is not what its name says")
    return known.hex()


def name_of(artifact: Artifact) -> str:
    """What it is called where it comes from: `owner/name`, without the kind and the revision."""
    text = (artifact.group or artifact.id).partition(":")[2]
    for prefix in ("model/", "dataset/", "space/"):
        text = text.removeprefix(prefix)
    return text.partition("@")[0].replace(":", "-") or artifact.title


def _plan(
    survey: Survey,
    artifact: Artifact,
    target: Target,
    root: str,
    rows: dict[str, int],
    files: Sequence[Offered],
    name: str,
    folder: str,
) -> Plan | Problem:
    commit = linking.commit_of(files)
    steps = []
    for each in files:
        path = linking.place(target, root, name, each, folder, commit)
        if os.path.lexists(path):
            if target == "ollama":
                continue  # the server has the file already: what is missing is its name
            return _no(path, "something is there already")
        row = rows[each.name]
        steps.append(
            Step(
                "clone" if each.shares else "link", Path.of(os.fsencode(path)), None, artifact.id,
                other=Path.of(survey.tree.path(row)), source=mark(survey.tree, row),
            )
        )  # fmt: skip
    owner, model = linking.owner_and_name(name)
    if target == "huggingface":
        note = os.fsencode(f"{root}/models--{owner}--{model}/refs/main")
        if os.path.lexists(note):
            return _no(shown(note), "the cache has a repository of this name; give another one with --as OWNER/NAME")
        steps.append(
            Step("write", Path.of(note), None, artifact.id, content=base64.b64encode(commit.encode()).decode())
        )
    if target == "ollama":
        address = next((each for each in _servers(survey)), "")
        if not address:
            return _no(
                "Ollama", "its server does not answer, and only the server can name a model: start `ollama serve`"
            )
        short = f"{model.lower()}:latest" if ":" not in model else model.lower()
        asked = Ask("ollama", "model", short, folder=root, make=files[0].digest)
        steps.append(Step("ask", Path.of(address.encode()), None, artifact.id, ask=asked))
    origin, roots = origin_of(survey), roots_of(survey)
    return Plan(TITLE, now_text(), origin, steps, roots, 0, True, "duplicate", [], together=True).sealed()


def _servers(survey: Survey) -> Iterator[str]:
    """Addresses at which an Ollama server of this machine answers."""
    from modelyard.owners import ollama

    for address in (ollama.local_address(os.environ),):
        if address and not isinstance(ollama.loaded(address), Problem):
            yield address
