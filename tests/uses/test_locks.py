"""What lock files stand for, and who holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

import makers
from modelyard.apply import marks
from modelyard.plan import Path as Place
from modelyard.plan import Step
from modelyard.uses.guard import Guard
from modelyard.uses.locks import guarded
from reclaiming import holding, locking


@pytest.mark.parametrize(
    ("lock", "thing"),
    [
        ("uv/.lock", "uv"),
        ("hub/.locks/models--acme--tiny/abc.lock", "hub/models--acme--tiny"),
        ("hub/blobs/ab/abcd.lock", "hub/blobs/ab/abcd"),
        ("datasets/csv/default/0.0.0/1234_builder.lock", "datasets/csv/default/0.0.0/1234"),
        ("pkgs/tiny-1.0-0.lock", "pkgs/tiny-1.0-0"),
        ("pkgs/pkgs.lock", "pkgs"),
        ("modelscope/.lock/model_1234.lock", "modelscope"),
        ("jax/.lockfile", "jax"),
        ("torch_extensions/py311_cpu/answer/lock", "torch_extensions/py311_cpu/answer"),
        ("tfhub_modules/0123.lock", "tfhub_modules/0123"),
        ("project/.dvc/tmp/lock", "project/.dvc"),
        ("hub/blobs/ab/abcd", ""),
        ("project/poetry.locked", ""),
    ],
)
def test_what_a_lock_stands_for(lock: str, thing: str) -> None:
    assert guarded(b"/home/" + lock.encode()) == (b"/home/" + thing.encode() if thing else b"")


def why(home: Path, path: Path) -> str:
    """The reason to refuse to take something away."""
    seen = marks.take(bytes(path))
    assert seen is not None
    return Guard([bytes(home)], seen.uid).why(Step("remove", Place.of(bytes(path)), seen, "thing"))


def test_what_is_locked_stays_and_what_lies_beside_it_goes(home: Path) -> None:
    hub = home / "hub"
    blob = makers.write(hub / "models--acme--tiny" / "blobs" / "abc")
    other = makers.write(hub / "models--acme--tiny-2" / "blobs" / "abc")
    lock = makers.write(hub / ".locks" / "models--acme--tiny" / "abc.lock", b"")
    assert why(home, blob) == ""  # it lies there, and nobody holds it
    for taken in (locking(lock), locking(lock, shared=True), holding(lock)):  # the last one waits for it
        with taken as process:
            assert f"(process {process.pid}) holds its lock {lock}" in why(home, blob)
            assert f"(process {process.pid}) holds its lock" in why(home, blob.parents[1])
            assert why(home, other) == ""
    assert why(home, blob) == ""
