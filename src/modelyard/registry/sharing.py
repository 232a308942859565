"""A registry whose versions go elsewhere and come from elsewhere: cards, other places, MLflow, folders of models."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelyard.registry import loading
from modelyard.registry.codec import Loading
from modelyard.registry.references import Reference
from modelyard.registry.registry import Registry
from modelyard.registry.versions import Version

if TYPE_CHECKING:
    from modelyard.registry.adopting import Adopted
    from modelyard.registry.remotes.remote import Pushed


class SharedRegistry(Registry):
    """A registry with ways in and out, each through a file of its own."""

    def card(self, which: str | Reference, *, write: bool = False) -> str:
        """The model card of a version in Hugging Face form; `write`: it is put beside its files as `README.md` too.

        RegistryError: the version cannot be read, or has another `README.md`.
        """
        from modelyard.registry.card import card
        from modelyard.registry.carding import write_card

        meant = self.resolve(which)
        return write_card(self.root, meant) if write else card(self.metadata(meant))

    def push(self, which: str | Reference, to: str | os.PathLike[str], **options: Any) -> Pushed:
        """Copies a version to another place, and verifies every file of it there by SHA-256.

        `to`: a folder or fsspec URL, which gets `NAME/vVERSION` in it, or `hf://org/name[@branch]`, which gets a commit
        and the tag `vVERSION`. `options` are those of its client. RegistryError: damaged here, another version there,
        or the place cannot be reached (`remote`). A version that is there already is only verified.
        """
        from modelyard.registry.remotes import remote_of

        with loading.opened(self.root, self.resolve(which)) as (files, found):
            return remote_of(to, options).send(files, found, self.resolve(which))

    def pull(self, from_: str | os.PathLike[str], name: str | None = None, **options: Any) -> Reference:
        """Brings a version from another place, its metadata byte for byte; it appears when every digest was verified.

        `from_`: as `push` knows it, or the address of one version; `name`: `net`, `net@1.0.0` or `net@^1` of a place
        with several. RegistryError: no version there, damaged, another version of that number here, or `remote`.
        """
        from modelyard.registry.pulling import receive
        from modelyard.registry.remotes import remote_of

        source = remote_of(from_, options).find(name)
        self.init()
        return receive(self.root, source, name)

    def to_mlflow(
        self,
        which: str | Reference,
        target: str | os.PathLike[str],
        *,
        allow_pickle: bool = False,
        trusted: Sequence[Any] = (),
    ) -> list[str]:
        """Writes a version as a new folder that `mlflow.<flavour>.load_model` takes; the paths in it.

        ONNX where the version has it, else the flavour of its framework. RegistryError where MLflow has none;
        UnsafeError where that is a pickle (PyTorch, joblib) without `allow_pickle`.
        """
        from modelyard.registry.mlflow_writing import to_mlflow

        wish = Loading(allow_pickle=allow_pickle, trusted=(*self.trusted, *trusted))
        return to_mlflow(self.root, self.resolve(which), os.path.abspath(os.fspath(target)), wish)

    def from_mlflow(
        self,
        folder: str | os.PathLike[str],
        name: str | None = None,
        *,
        version: str | Version | None = None,
        allow_pickle: bool = False,
    ) -> Reference:
        """Takes the model of a folder with an `MLmodel` as a version of `name`, else of the folder's own name.

        Its file is copied and digested, nothing is executed. RegistryError for a flavour that keeps no file of its
        own; UnsafeError for a pickle unless it is allowed, and always for a dangerous one.
        """
        from modelyard.registry.mlflow_reading import read_mlflow

        found = read_mlflow(os.path.abspath(os.fspath(folder)))
        called = name or os.path.basename(found.folder)
        return self.save(found.file, called, version=version, allow_pickle=allow_pickle, extra={"mlflow": found.told})

    def adopt(
        self, folder: str | os.PathLike[str], *, dry_run: bool = False, allow_pickle: bool = False
    ) -> list[Adopted]:
        """Takes every model below a folder as a version here: model files, MLflow's models, BentoML's; originals stay.

        A model is named as MLflow, BentoML or its file names it. What is here already, byte for byte, is not taken
        again. Each has its `reference`, or says why it was not taken. `dry_run`: only what would be. RegistryError for
        a folder that is none.
        """
        from modelyard.registry.adopting import adopt, candidates

        found = candidates(os.path.abspath(os.fspath(folder)))
        if not dry_run:
            self.init()
        return [adopt(self, each, dry_run, allow_pickle) for each in found]
