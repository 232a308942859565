"""What moves, and the steps: a proven copy or a rename, what its owner is told, and the old one into the trash.

Pure: everything was looked at before.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from modelyard.inventory import Root
from modelyard.plan import Mark, Path, Step
from modelyard.stores.telling import Telling

PROOF = "duplicate: proven byte for byte at {}"
SECRETS = frozenset(
    {
        b"token", b"stored_tokens", b"id_ed25519", b"kaggle.json", b"access_token", b"api_keys.yaml", b"cookies.txt",
        b"cookies.json", b"credentials", b".netrc", b".env",
    }
)  # fmt: skip
"""Names under which tools keep what lets others act for somebody; the models and caches beside them are no secrets."""
SECRET_ENDINGS = (b".rmodel",)


class Part(Struct, frozen=True):
    """A folder or file that moves: where its owner opens it, where it really lies, its mark, and its new place.

    `link` is the mark of the link that stands in the place where the owner opens it, None where none does.
    `children` are the names in it with their marks, where secrets are among them; `freed` bytes of its own disk.
    """

    named: bytes
    real: bytes
    mark: Mark
    target: bytes
    link: Mark | None = None
    freed: int = 0
    secrets: tuple[bytes, ...] = ()
    children: tuple[tuple[bytes, Mark], ...] = ()


class Unit(Struct, frozen=True):
    """What is moved together: a root of a store or a part of it, or one artifact with its parts."""

    name: str
    store: str
    root: Root | None
    telling: Telling
    rows: tuple[int, ...]
    named: tuple[bytes, ...]


class Write(Struct, frozen=True):
    """A settings file that gets another text; `expect` None: a new one. `mode` are the rights of a new one."""

    file: bytes
    content: str
    expect: Mark | None
    mode: int = 0


class Way(Struct, frozen=True):
    """How a unit gets to its new place; `verbatim`: with all links as they are."""

    renamed: bool
    linked: bool
    writes: tuple[Write, ...] = ()
    parts: tuple[Part, ...] = field(default=())
    verbatim: bool = False


def is_secret(name: bytes) -> bool:
    """Whether a file of this name may hold a secret."""
    return name in SECRETS or name.endswith(SECRET_ENDINGS)


def steps(artifact: str, way: Way) -> list[Step]:
    """The steps, in an order in which the old place or the new one is whole wherever it stops."""
    copies = [_brought(artifact, way, part) for part in way.parts]
    writes = [_write(artifact, write) for write in way.writes]
    switches = [step for part in way.parts for step in _switched(artifact, way, part)]
    return [*copies, *writes, *switches]


def _brought(artifact: str, way: Way, part: Part) -> Step:
    source, target = Path.of(part.real), Path.of(part.target)
    if way.renamed:
        return Step("move", source, part.mark, artifact, other=target)
    left = [Path.of(each) for each in part.secrets]
    return Step("copy", target, None, artifact, other=source, source=part.mark, left=left, verbatim=way.verbatim)


def _write(artifact: str, write: Write) -> Step:
    content = base64.b64encode(write.content.encode()).decode()
    return Step("write", Path.of(write.file), write.expect, artifact, content=content, mode=write.mode)


def _switched(artifact: str, way: Way, part: Part) -> Iterator[Step]:
    """The link that takes the old place, and what goes into the trash."""
    target = Path.of(part.target)
    proof = PROOF.format(target.text)
    if part.secrets:
        for name, mark in part.children:
            yield Step("remove", Path.of(part.real + b"/" + name), mark, artifact, proof=proof)
        return
    if part.link is not None:
        yield Step("symlink", Path.of(part.named), part.link, artifact, other=target)
        if not way.renamed:
            yield Step("remove", Path.of(part.real), part.mark, artifact, proof=proof, freed=part.freed)
    elif way.linked:
        expect = None if way.renamed else part.mark
        freed = 0 if way.renamed else part.freed
        yield Step("symlink", Path.of(part.real), expect, artifact, proof=proof, freed=freed, other=target)
    elif not way.renamed:
        yield Step("remove", Path.of(part.real), part.mark, artifact, proof=proof, freed=part.freed)


def variable(telling: Telling, found_by: str, target: str) -> tuple[str, str] | None:
    """The variable that names the new place, and its value; None where no variable can."""
    names: Sequence[str] = telling.variables
    name = found_by if found_by in names else next(iter(names), "")
    below: Mapping[str, str] = telling.below or {}
    if not name:
        return None
    end = below.get(name, "")
    if not end:
        return name, target
    return (name, target[: -len(end) - 1]) if target.endswith(f"/{end}") else None
