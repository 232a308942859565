"""What a codec is: a module, or any object, that saves and loads the models of one framework.

Other packages offer theirs through the entry point group `modelyard.codecs`; see `docs/registry.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from modelyard.apply.folder import Folder
from modelyard.registry.held import Held
from modelyard.registry.metadata import Metadata


class Saving(Struct, frozen=True):
    """What a person wants of a save."""

    config: Mapping[str, Any] | None = None
    """Constructor arguments of the class, where it is rebuilt from them."""
    allow_pickle: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    """What only one codec understands: `tokenizer` for Hugging Face models."""


class Saved(Struct, frozen=True):
    """What a codec wrote."""

    framework: str
    packages: Sequence[str] = ()
    """Distributions whose versions matter to whoever loads it."""
    config: Mapping[str, Any] | None = None
    """What `config.json` says; None where the codec wrote that file, or needs none."""
    codec: str = ""
    """Which codec loads it, where that is another one."""


class Loading(Struct, frozen=True):
    """What a person wants of a load."""

    device: Any = None
    dtype: Any = None
    mmap: bool = True
    verify: bool = False
    """Whether mapped files are digested too; all others always are."""
    allow_pickle: bool = False
    code: bool = False
    """Whether modules of the version's own `code/` may be imported."""
    trusted: Sequence[Any] = ()
    """Classes, and names of modules and classes, that the caller vouches for."""


class Codec(Protocol):
    """The members of a codec."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a constant of the module
        """As metadata call it."""

    def takes(self, model: Any) -> bool:
        """Whether it saves this object."""

    def save(self, model: Any, to: Folder, wish: Saving) -> Saved:
        """Writes the files of an object into a new folder. RegistryError for one that cannot be saved."""

    def load(self, files: Held, metadata: Metadata, wish: Loading) -> Any:
        """The object, from verified files alone; nothing in them is executed. RegistryError, UnsafeError."""

    def run(self, model: Any, example: Any) -> Any:
        """What the object answers to an example of its input."""
