"""One look at a home that a client filled, held against what lstat says, and against what was there before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard import api
from modelyard.inventory import Artifact
from modelyard.stores import ADAPTERS
from real import disk
from real.surveys import codes, paths


@dataclass(frozen=True)
class Look:
    """What a survey said of one store."""

    survey: api.Survey
    store: str

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """Its artifacts, by id without the name of the store."""
        own = [each for each in self.survey.artifacts if each.store == self.store]
        return {each.id.removeprefix(f"{self.store}:"): each for each in own}

    @property
    def states(self) -> dict[str, tuple[str, str, str]]:
        """Kind, state and recovery of each."""
        return {name: (each.kind, each.state, each.recovery) for name, each in self.artifacts.items()}

    @property
    def roots(self) -> dict[str, str]:
        """Where it was found, and how."""
        holding = next(each for each in self.survey.holdings if each.store.name == self.store)
        return {root.path: root.found_by for root in holding.roots if root.row is not None}

    def files(self, name: str) -> set[Path]:
        """The paths that an artifact is made of."""
        return paths(self.survey, self.artifacts[name].rows)

    @property
    def unclaimed(self) -> set[str]:
        """Files under its roots that belong to no artifact, relative to the root."""
        claimed = {path for each in self.survey.artifacts for path in paths(self.survey, each.rows)}
        return {
            str(path.relative_to(root))
            for root in map(Path, self.roots)
            for path in disk.below(root)
            if not path.is_dir() and not claimed & {path, *path.parents}
        }


def _traces(*places: Path) -> dict[Path, tuple[int, ...]]:
    found = {path: path.lstat() for place in places for path in disk.below(place)}
    return {
        path: (seen.st_ino, seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_nlink)
        for path, seen in found.items()
    }


def look(home: Path, store: str, *others: str, **env: object) -> Look:
    """Surveys a home: nothing but the store and the others may be found in it."""
    return _held(home, store, others, lambda told: api.survey(told, home, "linux", system=False), env)


def look_outside(home: Path, store: str, **env: object) -> Look:
    """Surveys the places outside every home too, for this store alone."""
    adapters = [each for each in ADAPTERS if each.STORE.name == store]
    return _held(home, store, (), lambda told: api.survey(told, home, "linux", system=True, adapters=adapters), env)


def _held(
    home: Path,
    store: str,
    others: Collection[str],
    survey: Callable[[Mapping[str, str]], api.Survey],
    env: Mapping[str, object],
) -> Look:
    """Without a problem, every size what lstat says, and nothing may have changed."""
    before = _traces(home)
    seen = survey({name: str(value) for name, value in env.items()})
    assert _traces(home) == before
    assert {each.store for each in seen.artifacts} <= {store, *others}
    assert not codes(seen)
    owned = {each.id: paths(seen, each.rows) for each in seen.artifacts}
    for each in seen.artifacts:
        _sized(each, owned[each.id], {path for name, own in owned.items() if name != each.id for path in own})
    everything = disk.freed(*_outermost({path for own in owned.values() for path in own}))
    assert seen.freed(owned).freed == everything
    return Look(seen, store)


def _sized(artifact: Artifact, own: set[Path], others: set[Path]) -> None:
    assert artifact.sizes.exact, artifact.id
    assert artifact.sizes.allocated == disk.allocated(*own), artifact.id
    if not any(own & {path, *path.parents} for path in others):  # what holds something of its own inside frees less
        assert artifact.sizes.freed == disk.freed(*_outermost(own)), artifact.id


def _outermost(own: set[Path]) -> list[Path]:
    """The paths but for those that lie under another one."""
    return [path for path in own if not own & set(path.parents)]
