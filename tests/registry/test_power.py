"""The power goes away at every single call of a save: what is listed afterwards is whole."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import modelyard as my
from apply.work import CALLS, Crash
from modelyard.apply.disk import Disk


class Off(Disk):
    """A disk that does nothing any more from one call on, of which a write did half."""

    def __init__(self, stop: int) -> None:
        super().__init__()
        self.calls, self._stop = 0, stop

    def __getattribute__(self, name: str) -> object:
        method = super().__getattribute__(name)
        if name not in CALLS:
            return method

        def counted(*words: object, **named: object) -> object:
            self.calls += 1
            if self.calls == self._stop and name == "append":
                descriptor, data = words
                os.write(descriptor, data[: len(data) // 2])  # type: ignore[arg-type,index]
            if self.calls >= self._stop:
                raise Crash
            return method(*words, **named)

        return counted


def test_the_power_goes_away_at_every_call_of_a_save_and_of_an_alias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = my.Registry(tmp_path / "models")
    weights = {"w": np.arange(3000.0)}
    registry.save(weights, "net")
    registry.alias("net", "last", "1.0.0")
    for stop in range(1, 200):
        disk = Off(stop)
        monkeypatch.setattr("modelyard.registry.registry.Disk", lambda disk=disk: disk)
        try:
            which = registry.save(weights, "net")
            registry.alias("net", "last", str(which))
        except Crash:
            ended = False
        else:
            ended = True
        monkeypatch.undo()
        assert all(each.state == "ok" for each in registry.verify()), f"stopped at call {stop}"
        assert registry.load("net@last", verify=True)["w"][-1] == 2999
        assert registry.aliases("net")["last"] in registry.versions("net")
        if ended:
            break
    assert ended and stop > 20
    left = [each for each in (tmp_path / "models" / "net").iterdir() if each.name.startswith(".modelyard-version")]
    for each in left:
        os.utime(each, (0, 0))
    registry.save(weights, "net")
    assert left and not any(each.exists() for each in left)
