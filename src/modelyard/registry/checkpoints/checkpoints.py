"""`Checkpoints`: saves training so that a kill at any moment loses at most the steps since the last save."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from modelyard.apply.disk import Disk
from modelyard.registry.checkpoints.behind import Behind
from modelyard.registry.checkpoints.errors import CheckpointError, DamagedError
from modelyard.registry.checkpoints.keeping import Kept, Mode, Rule, ranked
from modelyard.registry.checkpoints.parts import copies, fill, load_into
from modelyard.registry.checkpoints.random_states import Generators, restore
from modelyard.registry.checkpoints.reading import Loaded, load, verify
from modelyard.registry.checkpoints.saved import NAME, NEWER, Saved, look, name_of, saved_in
from modelyard.registry.checkpoints.shelf import Devices
from modelyard.registry.checkpoints.snapshot import EXTRA, Copies, take
from modelyard.registry.checkpoints.writing import refuse, write
from modelyard.walk.read import names_in

if TYPE_CHECKING:
    from transformers import Trainer

    from modelyard.registry.checkpoints.lightning import LightningCheckpoints
    from modelyard.registry.checkpoints.trainer import TrainerCheckpoints

Found = TypeVar("Found")


class Checkpoints:
    """The checkpoints of one training run, in a folder that is made by the first save.

    `keep_last` and `keep_best` say how many stay (None: all); best by `metric`, the lower (`mode="min"`) or the higher
    the better. With `async_save` a save returns when everything is copied, and its error comes with the next call.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep_last: int | None = 3,
        keep_best: int | None = 2,
        metric: str = "loss",
        mode: Mode = "min",
        async_save: bool = False,
    ) -> None:
        if mode not in ("min", "max"):
            raise CheckpointError(f"mode is 'min' or 'max', not {mode!r}", "bad-mode")
        if any(each is not None and each < least for each, least in ((keep_last, 1), (keep_best, 0))):
            raise CheckpointError("keep_last is at least 1 and keep_best at least 0", "bad-rule", "None keeps all")
        self.folder = Path(folder).absolute()
        self.rule = Rule(keep_last or 0, keep_best or 0, metric, mode)
        self._rotates = keep_last is not None and keep_best is not None
        self._warned = False
        self._disk, self._copies = Disk(), Copies()
        self._behind = Behind() if async_save else None

    def save(
        self,
        step: int,
        *,
        model: object = None,
        optimizer: object = None,
        scheduler: object = None,
        extra: Mapping[str, object] | None = None,
        metrics: Mapping[str, object] | None = None,
        generators: Generators | None = None,
        texts: Mapping[str, str] | None = None,
        **others: object,
    ) -> Path:
        """Saves everything at once and returns the folder; a step that is there is replaced.

        Parts have `state_dict()`, or are dicts or lists of such; any further keyword is a part, too. `extra`: plain
        values. `generators`: random generators of your own by name. `texts`: small files to lie beside the weights.
        UnsaveableError names what cannot be saved, OSError says why the disk took nothing; the old ones are as before.
        """
        self.wait()
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, **others}
        snapshot = take(step, parts, extra, metrics or {}, generators or {}, self.rule, texts or {})
        self._warn(step, metrics)
        rule = self.rule if self._rotates else None
        if self._behind is None:
            return write(self._disk, self.folder, snapshot, rule)
        path = self.folder / name_of(step)
        refuse(path)
        self._copies.hold(snapshot)
        self._behind.start(lambda: write(self._disk, self.folder, snapshot, rule))
        return path

    def _warn(self, step: int, metrics: Mapping[str, object] | None) -> None:
        """Tells of what would surprise later: a step that is not the newest, and a metric that is not there."""
        above = [name for name in names_in(str(self.folder)) if NAME.fullmatch(name) and name > name_of(step)]
        found = [each for name in above if (each := look(self.folder / name)) and (each.newer or not each.trouble)]
        if found:
            words = f"step {step} is saved below step {found[-1].step}, from which resume() would go on"
            warnings.warn(words, stacklevel=3)
        if metrics and self.rule.best and self.rule.metric not in metrics and not self._warned:
            self._warned = True
            words = f"metrics have no {self.rule.metric!r}, by which the best is told; they have {', '.join(metrics)}"
            warnings.warn(words, stacklevel=3)

    def resume(
        self,
        *,
        model: object = None,
        optimizer: object = None,
        scheduler: object = None,
        extra: MutableMapping[str, object] | None = None,
        generators: Generators | None = None,
        step: int | None = None,
        best: bool = False,
        device: Devices = None,
        rng: bool = True,
        **others: object,
    ) -> int:
        """Loads the newest whole checkpoint into what is given, in place, and returns its step; 0 when there is none.

        `step` or `best` choose another one. A damaged one is told by a warning and the one before is taken; with `step`
        it is a DamagedError. `extra` is a dict to be filled. `device`: where tensors of extra go, one for all or by the
        device they had. `rng=False` leaves random states as they are. CheckpointError where something does not fit.
        """
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, **others}
        wanted = {name: not copies(part) for name, part in parts.items() if part is not None}
        if extra is not None:
            wanted[EXTRA] = True
        found = self._load(wanted, step, best, device)
        if found is None:
            return 0
        for name, part in parts.items():
            if part is not None:
                load_into(name, part, found.parts[name])
        if extra is not None:
            fill(extra, found.parts[EXTRA])
        if rng:
            restore(found.random, generators or {})
        return found.step

    def load(self, step: int | None = None, *, best: bool = False, device: Devices = None) -> Loaded | None:
        """A checkpoint as plain data: all parts, metrics and the step; None when there is none."""
        return self._load(None, step, best, device)

    def _load(self, wanted: Mapping[str, bool] | None, step: int | None, best: bool, device: Devices) -> Loaded | None:
        if step is not None:
            self.wait()
            path = self.folder / name_of(step)
            if not os.path.lexists(path):
                here = ", ".join(str(each.step) for each in self.saved()) or "none"
                raise CheckpointError(f"{self.folder} has no checkpoint of step {step}", "no-step", f"it has {here}")
            return load(path, wanted, device)
        return self._first(best, lambda path: load(path, wanted, device))

    def _first(self, best: bool, read: Callable[[Path], Found]) -> Found | None:
        """What the newest or the best checkpoint gives that is not damaged; None when there is none at all."""
        self.wait()
        saved = self.saved()
        for each in self._by_rank(saved) if best else reversed(saved):
            if each.newer:
                raise CheckpointError(f"{each.path}: {each.trouble}", "newer", NEWER)
            try:
                return read(each.path)
            except DamagedError as error:
                warnings.warn(f"passed over a damaged checkpoint: {error.message}", RuntimeWarning, stacklevel=4)
        if saved:
            raise CheckpointError(*self._why_none(saved, best))
        return None

    def _why_none(self, saved: list[Saved], best: bool) -> tuple[str, str]:
        if best and not self._by_rank(saved):
            return f"no checkpoint in {self.folder} has a finite {self.rule.metric!r}", "no-best"
        return f"none of the {len(saved)} checkpoints in {self.folder} is whole", "damaged"

    def _by_rank(self, saved: list[Saved]) -> list[Saved]:
        by_name = {each.path.name: each for each in saved}
        found = [Kept(each.path.name, each.step, each.metrics.get(self.rule.metric)) for each in saved]
        return [by_name[each.name] for each in ranked(found, self.rule)]

    def saved(self) -> list[Saved]:
        """Every checkpoint here, by step, as a look without reading its tensors tells."""
        return saved_in(self.folder)

    def find(self, *, best: bool = False) -> Path | None:
        """The folder of the newest or the best whole one, all its files verified; None when there is none.

        Damaged ones are told by warnings. CheckpointError where all are damaged, or a newer modelyard wrote them.
        """
        return self._first(best, _verified)

    def for_trainer(self, trainer: Trainer, *, every: int | None = None) -> TrainerCheckpoints:
        """Lets a Trainer of transformers save here every so many steps, without a number after each epoch."""
        from modelyard.registry.checkpoints.trainer import TrainerCheckpoints

        return TrainerCheckpoints(self, trainer, every)

    def for_lightning(self, *, every: int | None = None) -> LightningCheckpoints:
        """A callback for Lightning's Trainer that saves here every so many steps, without a number after each epoch."""
        from modelyard.registry.checkpoints.lightning import LightningCheckpoints

        return LightningCheckpoints(self, every)

    def wait(self) -> None:
        """Waits until the last save is on the disk, and raises its error."""
        if self._behind is not None:
            self._behind.wait()

    def close(self) -> None:
        """Waits, and gives back the memory of copies."""
        if self._behind is not None:
            self._behind.close()
        self._copies.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _verified(path: Path) -> Path:
    verify(path)
    return path
