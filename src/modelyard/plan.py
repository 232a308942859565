"""What would change on the disk, as data: steps that each carry what they expect to find. No I/O."""

from __future__ import annotations

import base64
import hashlib
from typing import Literal

import msgspec

Do = Literal["remove", "move", "write", "relink", "share", "clone", "link", "symlink", "copy", "ask"]
SCHEMA_VERSION = 1
RATE = 100_000_000
"""Bits a second at which things are said to come back when nobody says otherwise."""


class Below(msgspec.Struct, frozen=True):
    """What lay below a folder: entries, apparent bytes, the newest time of writing in nanoseconds since 1970, and 53

    bits that tell these files from any others: over inode, size and time of writing of each.
    """

    entries: int
    apparent: int
    newest: int
    print: int = 0
    """0 in what earlier versions wrote, and where there is no file."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a path looked like: times in nanoseconds since 1970, `target` the text of a link, `below` of a folder."""

    kind: Literal["file", "folder", "link", "other"]
    device: int
    inode: int
    size: int
    mtime: int
    ctime: int
    uid: int
    target: str = ""
    below: Below | None = None


class Path(msgspec.Struct, frozen=True, omit_defaults=True):
    """A path that survives JSON: as text where it is UTF-8, and else its bytes in base64 beside what can be shown."""

    text: str
    raw: str = ""

    @classmethod
    def of(cls, path: bytes) -> Path:
        """The path of these bytes."""
        try:
            return cls(path.decode())
        except UnicodeDecodeError:
            return cls(path.decode("utf-8", "backslashreplace"), base64.b64encode(path).decode())

    def __bytes__(self) -> bytes:
        return base64.b64decode(self.raw, validate=True) if self.raw else self.text.encode()


Root = str | Path
"""A folder's path as text where that is UTF-8."""


def as_root(path: str | bytes) -> Root:
    """A path, as the system or Python spells it, in the form that survives JSON."""
    found = Path.of(path.encode(errors="surrogateescape") if isinstance(path, str) else path)
    return found if found.raw else found.text


def root_path(root: Root) -> bytes:
    """The bytes of that path."""
    return root.encode() if isinstance(root, str) else bytes(root)


class Ask(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a service is asked to remove, or to make: an object of `kind` that its API knows by `name`.

    `seen` tells it from a later one of that name, and is what it must be still: an image's tags in order, one a line;
    when a volume was made; the SHA-256 of a model's manifest. `folder` is where the service keeps it, if that matters.
    """

    owner: Literal["docker", "podman", "ollama"]
    kind: Literal["image", "container", "volume", "build cache", "model"]
    name: str
    seen: str = ""
    folder: str = ""
    make: str = ""
    """The SHA-256 of a file that the service has, of which it is to make the model instead of removing one."""


class Answer(msgspec.Struct, frozen=True):
    """What a service said: whether the object is gone (None: not known), bytes that came back, why not."""

    gone: bool | None
    freed: int = 0
    why: str = ""


class Range(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bytes that two files have in common: `length` of them, from `start` of the other file and `at` of this one."""

    start: int
    length: int
    at: int


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change at a path, whose mark has to be `expect`; None: nothing may be there.

    `remove` takes a name or a whole folder into the trash. `move` renames it to `other` on the same file system.
    `write` gives a small file the `content`, in base64. `relink` makes it another name of the file `other`, which has
    the same bytes and the mark `source`. `share` lets it have the extents of `other` where both have the same bytes:
    everywhere, or in the `ranges`. `clone` makes a new file there with the extents of `other`, `link` another name of
    it. `copy` makes it a proven copy of the folder or file `other`, on whatever file system, but for what is `left`
    out; `verbatim`: links keep their text, also one that leads into `other` by its whole path. `symlink` puts a
    symbolic link to `other` in its place. `ask` lets a service remove something: the path is the service's address.
    `mode` are the rights of a new file, its owner's alone at 0.
    `also` are further artifacts that it is a part of. Once a removal of an artifact is not made, no later one of it is.
    """

    do: Do
    path: Path
    expect: Mark | None
    artifact: str
    recovery: str = ""
    proof: str = "unproven"
    freed: int = 0
    content: str = ""
    other: Path | None = None
    source: Mark | None = None
    ask: Ask | None = None
    also: list[str] = []
    ranges: list[Range] = []
    mode: int = 0
    left: list[Path] = []
    verbatim: bool = False

    @property
    def artifacts(self) -> tuple[str, ...]:
        """Everything that it is a part of."""
        return (self.artifact, *self.also)


class Skipped(msgspec.Struct, frozen=True):
    """An artifact that fitted and was left out, and why."""

    artifact: str
    why: str


class Copy(msgspec.Struct, frozen=True):
    """A file that has to be there, as it was, when the artifact goes: an equal one of it went for its sake."""

    artifact: str
    path: Path
    expect: Mark


class Freeze(msgspec.Struct, frozen=True):
    """An environment of which a capsule is written before anything of it goes."""

    artifact: str
    prefix: Path


class Break(msgspec.Struct, frozen=True):
    """Somebody who asks for an artifact of the plan, and will not find it: who, and by what evidence."""

    artifact: str
    who: str
    evidence: str


class Move(msgspec.Struct, frozen=True, omit_defaults=True):
    """A store or an artifact that gets another place: what its owner is told, where, why, and the lines to write.

    `how`: a `setting` that modelyard writes, a `link` in the old place, or both.
    `say` are lines that nobody writes unless asked to, `notes` what else is to be known, `holds` its artifacts: how
    each is called and its apparent bytes. `store` is the name of its store, `variables` what will name the new place.
    """

    artifact: str
    store: str
    source: Path
    target: Path
    how: Literal["setting", "link", "setting and link"]
    why: str
    bytes: int
    entries: int
    renamed: bool
    file: Path | None = None
    lines: list[str] = []
    say: list[str] = []
    notes: list[str] = []
    holds: list[tuple[str, int]] = []
    variables: dict[str, str] = {}
    named: Path | None = None
    """The link by which the old place was found, where it was one: it leads to the new place afterwards."""
    system: bool = False
    """Whether it belongs to the machine, and not to one home."""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The survey that a plan came from."""

    machine: str
    user: int
    home: Root
    roots: list[Root]
    at: str
    seen: str = ""
    """When its walk began; empty in what earlier versions wrote."""


class Plan(msgspec.Struct, frozen=True):
    """Steps with the order in which they are to be made: names before the bytes that they point at.

    `stores` are the roots of stores, in which no trash may be made.
    `freed` is of the whole set, bytes, at least so much where `exact` is false; `likely` bytes more come back when
    nothing outside what was looked at shares their extents. `fetch` are the bytes to be fetched again at most, each
    file once, at `rate` bits a second. `together`: all steps are made, or none. `digest` is the SHA-256 of everything
    else in it; `id` begins with it.
    """

    title: str
    created: str
    origin: Origin
    steps: list[Step]
    stores: list[Root]
    freed: int
    exact: bool
    worst_proof: str
    skipped: list[Skipped]
    likely: int = 0
    fetch: int = 0
    rate: int = RATE
    copies: list[Copy] = []
    breaks: list[Break] = []
    freezes: list[Freeze] = []
    moves: list[Move] = []
    together: bool = False
    digest: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def id(self) -> str:
        """Short enough to type, long enough to be the only one."""
        return self.digest[:12]

    @property
    def fetch_seconds(self) -> int:
        """How long it takes to fetch things again, at least a second where there is something."""
        return -(-8 * self.fetch // self.rate)

    def sealed(self) -> Plan:
        """The plan with its digest."""
        return msgspec.structs.replace(self, digest=_digest(self))

    @property
    def predicted(self) -> int:
        """Bytes that are expected to come back."""
        return self.freed + self.likely

    @property
    def intact(self) -> bool:
        """Whether the digest is that of the content: nobody changed the plan since it was made."""
        return self.digest == _digest(self)


def _digest(plan: Plan) -> str:
    content = msgspec.json.encode(msgspec.structs.replace(plan, digest=""), order="sorted")
    return hashlib.sha256(content).hexdigest()


def encode(plan: Plan) -> bytes:
    """The plan as JSON."""
    return msgspec.json.encode(plan)


def decode(text: bytes) -> Plan:
    """The plan of a JSON text. ValueError where it is none, comes from another version, or was changed."""
    try:
        plan = msgspec.json.decode(text, type=Plan)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"this is no plan: {error}") from error
    if plan.schema_version != SCHEMA_VERSION:
        raise ValueError(f"a plan of version {plan.schema_version}, and this modelyard knows {SCHEMA_VERSION}")
    if not plan.intact:
        raise ValueError("the plan was changed after it was made: its digest does not fit its content")
    return plan
