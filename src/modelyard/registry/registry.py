"""A registry of one's own models: save, load, list, verify, compare; every function it calls has a file of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.apply.disk import Disk
from modelyard.problem import Problem
from modelyard.registry import aliases, codecs, layout, loading, saving, verifying
from modelyard.registry.code import copy_code
from modelyard.registry.codec import Loading, Saving
from modelyard.registry.errors import RegistryError, raised
from modelyard.registry.founding import found
from modelyard.registry.lineage import Ancestor, lineage
from modelyard.registry.metadata import Dataset, Git, Metadata
from modelyard.registry.references import Reference, resolve
from modelyard.registry.schema import ports
from modelyard.registry.taking_out import copy_out
from modelyard.registry.versions import Version

if TYPE_CHECKING:
    from modelyard.registry.diffing import Difference


class Registry:
    """A folder of models, each with its versions. Versions never change once they are saved.

    `trusted`: classes, and names of classes, modules and packages, that every load of it may import and call.
    """

    def __init__(self, folder: str | os.PathLike[str] = "models", *, trusted: Sequence[Any] = ()) -> None:
        self.root = os.path.abspath(os.fspath(folder))
        self.trusted = tuple(trusted)

    def __repr__(self) -> str:
        """Where it is."""
        return f"Registry({self.root!r})"

    def save(
        self,
        model: Any,
        name: str,
        *,
        version: str | Version | None = None,
        metrics: Mapping[str, float] | None = None,
        example_input: Any = None,
        task: str = "",
        config: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        datasets: Sequence[Dataset | Mapping[str, str]] = (),
        tags: Sequence[str] = (),
        license: str = "",  # noqa: A002 - what everybody calls it
        parent: str = "",
        extra: Mapping[str, Any] | None = None,
        allow_pickle: bool = False,
        code: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Reference:
        """Saves a model as that version, or as the next one; nothing is there unless all of it is.

        `config`: constructor arguments of a PyTorch class. `example_input`: the model runs on it, and its schema is
        kept. `parent`: the version it was made from. RegistryError: no codec, no valid name, a version that is taken.
        OSError: the disk is full or read-only.
        """
        name, number = layout.checked(name), saving.given(version)
        saving.refuse_taken(self.root, name, number)
        codec = codecs.codec_of(model)
        codecs.refuse_unknown(codec, options)
        inputs, outputs = (
            ([], [])
            if example_input is None
            else (ports(example_input, "input"), ports(codec.run(model, example_input), "output"))
        )
        facts = saving.Facts(
            task, metrics or {}, training or {}, [_dataset(each) for each in datasets], tags, license,
            str(resolve(self.root, parent)) if parent else "", extra or {}, _commit(), inputs, outputs,
        )  # fmt: skip
        saving.refuse_unwritable(facts)
        self.init()
        with saving.drafted(Disk(), self.root, name) as made:
            saved = codec.save(model, made, Saving(config, allow_pickle, options))
            saving.write_config(made, saved)
            if code is not None:
                copy_code(made, os.fspath(code))
            return saving.publish(self.root, made, saving.describe(name, codec.NAME, saved, facts), number)

    def load(
        self,
        which: str | Reference,
        *,
        device: Any = None,
        dtype: Any = None,
        mmap: bool = True,
        verify: bool = False,
        allow_pickle: bool = False,
        code: bool = False,
        trusted: Sequence[Any] = (),
    ) -> Any:
        """The model of `name`, `name@1.0.0`, `name@production` or `name@^1`; nothing in its files is executed.

        Every file is digested before it is used, except for weights that are only mapped: `verify=True` digests those
        too, and `mmap=False` reads a private copy of them. RegistryError: it is not there, or damaged. UnsafeError: it
        names a class that nobody vouches for (`trusted`, or `code` for what was saved beside it), or is a pickle
        (`allow_pickle`).
        """
        wish = Loading(device, dtype, mmap, verify, allow_pickle, code, (*self.trusted, *trusted))
        return loading.load(self.root, self.resolve(which), wish)

    def resolve(self, which: str | Reference) -> Reference:
        """The version that a name means. RegistryError where there is none."""
        return which if isinstance(which, Reference) else resolve(self.root, which)

    def path(self, which: str | Reference) -> Path:
        """The folder of a version."""
        meant = self.resolve(which)
        return Path(layout.folder_of(self.root, meant.name, meant.version))

    def metadata(self, which: str | Reference) -> Metadata:
        """What is known of a version. RegistryError where it cannot be read."""
        told = loading.metadata_of(self.root, self.resolve(which))
        if isinstance(told, Problem):
            raise raised(told)
        return told

    def models(self) -> Iterator[tuple[str, list[Version]]]:
        """Every model with its versions, the lowest first."""
        return layout.models(self.root)

    def versions(self, name: str) -> list[Version]:
        """The versions of a model, the lowest first; none for a model that is not there."""
        return layout.versions_of(self.root, layout.checked(name))

    def init(self) -> list[str]:
        """Makes the folder of the registry, its marker and its `.gitignore`, where they are missing; what was made."""
        return found(Disk(), self.root)

    def alias(self, name: str, alias: str, which: str | None = None) -> None:
        """Lets an alias mean a version of a model; None takes it away. RegistryError for one that is not there."""
        version = None if which is None else self.resolve(f"{layout.checked(name)}@{which.rpartition('@')[2]}").version
        if version is None and alias not in self.aliases(name):
            raise RegistryError(f"{name!r} has no alias {alias!r}", "no-alias")
        aliases.change(Disk(), self.root, layout.checked(name), {aliases.checked(alias): version})

    def aliases(self, name: str) -> dict[str, Version]:
        """What the aliases of a model mean."""
        return aliases.read(self.root, layout.checked(name))

    def verify(self, which: str | Reference | None = None) -> list[verifying.Verified]:
        """Every file of a version, or of all of them, against its digest and its format."""
        if which is not None:
            return verifying.verify(self.root, self.resolve(which))
        all_of_them = [Reference(name, each) for name, versions in self.models() for each in versions]
        return [each for version in all_of_them for each in verifying.verify(self.root, version)]

    def diff(self, before: str | Reference, after: str | Reference) -> Difference:
        """What differs between two versions: tensors, metrics, configuration, files."""
        from modelyard.registry.diffing import diff

        return diff(self.root, self.resolve(before), self.resolve(after))

    def lineage(self, which: str | Reference) -> list[Ancestor]:
        """A version, its parent, the parent of that, as far as is known."""
        return lineage(self.root, self.resolve(which))

    def check(self, which: str | Reference) -> list[str]:
        """Digests every file of a version; their names. RegistryError for one that is not what was saved."""
        with loading.opened(self.root, self.resolve(which)) as (files, _):
            for name in files.entries:
                files.check(name)
            return sorted(files.entries)

    def copy_out(self, which: str | Reference, target: str | os.PathLike[str]) -> list[str]:
        """Copies the files of a version, verified while they are copied, into a new folder; their paths in it."""
        return copy_out(self.root, self.resolve(which), os.path.abspath(os.fspath(target)))


def _commit() -> Git | None:
    from modelyard.registry.git import commit_here  # late: a load asks no repository

    return commit_here()


def _dataset(value: Dataset | Mapping[str, str]) -> Dataset:
    if isinstance(value, Dataset):
        return value
    known = {each: str(value[each]) for each in ("name", "uri", "digest", "role") if each in value}
    if "name" not in known:
        raise RegistryError("a dataset has no name", "bad-dataset", "give {'name': ..., 'uri': ..., 'digest': ...}")
    return Dataset(**known, unknown={key: each for key, each in value.items() if key not in known})
