"""What a container engine says it holds, frozen. Sizes in bytes, times in nanoseconds since 1970; None is unknown."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from modelyard.problem import Problem

ACTIVE = frozenset({"running", "paused", "restarting"})


class Step(Struct, frozen=True):
    """One line of an image's history, oldest first: what it added, and by which instruction."""

    size: int
    command: str


class Image(Struct, frozen=True):
    """An image. `size` counts what it shares with others too, `shared` is that part of it.

    `layers` are the digests of its uncompressed layers, lowest first; None where the engine was not asked.
    """

    id: str
    tags: tuple[str, ...] = ()
    pulled: bool = False
    """Whether a registry is known that it came from or went to."""
    created: int | None = None
    size: int = 0
    shared: int | None = None
    layers: tuple[str, ...] | None = None
    steps: tuple[Step, ...] = ()


class Container(Struct, frozen=True):
    """A container, running or not, with the size of what it wrote itself."""

    id: str
    name: str
    image: str
    image_name: str = ""
    state: str = ""
    status: str = ""
    created: int | None = None
    written: int | None = None
    volumes: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    """Folders of this machine that it sees, as `source at destination`."""

    @property
    def active(self) -> bool:
        """Whether it runs, or will by itself."""
        return self.state.lower() in ACTIVE


class Volume(Struct, frozen=True):
    """A volume. `users` is how many containers the engine says use it."""

    name: str
    size: int | None = None
    users: int | None = None
    anonymous: bool = False
    driver: str = "local"
    created: str = ""


class Record(Struct, frozen=True):
    """A record of the build cache. Of a shared one the bytes are those of an image's layers."""

    id: str
    type: str = "regular"
    description: str = ""
    size: int = 0
    shared: bool = False
    in_use: bool = False
    parents: tuple[str, ...] = ()
    last_used: int | None = None
    times: int = 0


class Reclaimable(Struct, frozen=True):
    """The figures in the column RECLAIMABLE of the engine's own `system df`; None where they cannot be told."""

    images: int | None = None
    containers: int | None = None
    volumes: int | None = None
    cache: int | None = None


class Engine(Struct, frozen=True):
    """One engine and all it holds. `identity` is the same however it was reached."""

    kind: Literal["docker", "podman"]
    version: str
    api: tuple[int, ...]
    identity: str
    folder: str
    """Where it keeps things, by its own account."""
    in_machine: bool = False
    """Whether it runs in a virtual machine, so that its folder is inside a disk image."""
    content_store: bool = False
    """Whether images are kept packed and unpacked, as containerd does."""
    images: tuple[Image, ...] = ()
    containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    records: tuple[Record, ...] | None = ()
    reclaimable: Reclaimable = field(default_factory=Reclaimable)
    problems: tuple[Problem, ...] = ()
