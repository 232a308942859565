"""The library: a registry that also removes, for which it needs the plans, the journal and the trash of the verbs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.registry import layout
from modelyard.registry.errors import RegistryError as RegistryError
from modelyard.registry.errors import UnsafeError as UnsafeError
from modelyard.registry.metadata import Export as Export
from modelyard.registry.references import Reference as Reference
from modelyard.registry.sharing import SharedRegistry as _Registry
from modelyard.registry.versions import Version

if TYPE_CHECKING:  # whoever removes nothing needs no plans and no journal
    from modelyard.api.reclaim import Receipt, Yard
    from modelyard.plan import Plan, Step

TITLE = "registry rm"
UNPROVEN = "unproven: it exists nowhere else"


class Registry(_Registry):
    """A folder of models, each with its versions. Versions never change once they are saved.

    `trusted`: classes, and names of classes, modules and packages, that every load of it may import and call.
    """

    def rm(self, *which: str | Reference, yard: Yard | None = None) -> Receipt:
        """Puts versions into the trash, from which `modelyard undo` brings them back.

        `name@*` means every version of a model. RegistryError: none is there, a name without a version, or a version
        that an alias means. Locked: another modelyard is changing things.
        """
        plan = removal(self, self.meant(*which))
        if yard is not None:
            return yard.apply(plan)
        from modelyard.api import this_platform
        from modelyard.api.reclaim import Yard as Own

        with Own(os.environ, Path.home(), this_platform(), wait=10.0) as own:
            return own.apply(plan)

    def export(
        self,
        which: str | Reference,
        to: str = "onnx",
        *,
        example_input: Any = None,
        tolerance: float | None = None,
        allow_pickle: bool = False,
        code: bool = False,
        trusted: Sequence[Any] = (),
    ) -> Export:
        """Writes a version as ONNX beside its weights, with a free batch axis, and compares it with the original.

        Without `example_input` one is made up of the schema that was saved. `tolerance`: the share of an output's
        largest number that another may be off by; None for one by dtype. What was found is in the metadata.
        RegistryError: nothing exports it, it is there already, or it computes something else; nothing changes then.
        UnsafeError as `load` raises it.
        """
        from modelyard.api.exporting import export

        return export(
            self, which, to, example=example_input, tolerance=tolerance, allow_pickle=allow_pickle, code=code,
            trusted=trusted,
        )  # fmt: skip

    def meant(self, *which: str | Reference) -> list[Reference]:
        """The versions of some names, `name@*` for all of a model. RegistryError for a name without a version."""
        return list(dict.fromkeys(each for text in which for each in self._meant(text)))

    def _meant(self, which: str | Reference) -> list[Reference]:
        if isinstance(which, Reference):
            return [which]
        name, at, part = which.partition("@")
        if not at:
            hint = f"say which version: {name}@1.0.0, or {name}@* for all"
            raise RegistryError(f"{name!r} names a model, not a version", "no-version", hint)
        if part == "*":
            return [Reference(layout.checked(name), each) for each in self.versions(name)] or [self.resolve(name)]
        return [self.resolve(which)]


def removal(registry: _Registry, which: Sequence[Reference]) -> Plan:
    """The plan that puts versions into the trash. RegistryError where an alias means one of them."""
    for each in which:
        meant = [alias for alias, version in registry.aliases(each.name).items() if version == each.version]
        if meant and not _goes_whole(registry, each.name, which):
            hint = f"point it elsewhere first: modelyard registry alias {each.name} {meant[0]} VERSION"
            raise RegistryError(f"{each} is what {meant[0]!r} means", "in-use", hint)
    import platform
    import time

    from modelyard.plan import Origin, Plan, as_root
    from modelyard.units import rfc3339

    steps = [_step(registry.path(each), f"registry:{each}") for each in which]
    for name in dict.fromkeys(each.name for each in which if _goes_whole(registry, each.name, which)):
        aliases = Path(layout.folder_of(registry.root, name)) / layout.ALIASES
        steps += [_step(aliases, f"registry:{name}")] if aliases.exists() else []
    root = os.path.realpath(registry.root)
    now, freed = rfc3339(time.time_ns()), sum(each.freed for each in steps)
    origin = Origin(platform.node(), os.getuid(), as_root(str(Path.home())), [as_root(root)], now)
    return Plan(TITLE, now, origin, steps, [as_root(root)], freed, False, "unproven", []).sealed()


def _goes_whole(registry: _Registry, name: str, which: Sequence[Reference]) -> bool:
    gone: set[Version] = {each.version for each in which if each.name == name}
    return gone == set(registry.versions(name))


def _step(path: Path, artifact: str) -> Step:
    from modelyard.apply.marks import take
    from modelyard.plan import Path as Place
    from modelyard.plan import Step
    from modelyard.walk.tree import walk

    real = os.fsencode(os.path.join(os.path.realpath(path.parent), path.name))
    tree = walk([real])
    row = tree.find(real)
    freed = tree.measure([row]).sizes.freed if row is not None else 0
    return Step("remove", Place.of(real), take(real, tree), artifact, "none", UNPROVEN, freed)
