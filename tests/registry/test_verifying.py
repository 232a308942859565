"""What is not as it was saved is told, each kind apart; differences of two versions; which came from which."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import modelyard as my
from modelyard.registry.errors import RegistryError
from registry.forging import forge


def test_corrupt_missing_extra_and_unreadable_are_told_apart(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    which = [registry.save({"w": np.full(100, float(each))}, "net") for each in range(6)]
    paths = [registry.path(each) for each in which]
    data = bytearray((paths[0] / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (paths[0] / "model.safetensors").chmod(0o644)
    (paths[0] / "model.safetensors").write_bytes(data)
    (paths[1] / "config.json").unlink()
    (paths[2] / "code").mkdir()
    (paths[2] / "code" / "late.py").write_text("x")
    (paths[3] / "model.safetensors").unlink()
    (paths[3] / "model.safetensors").mkdir()
    forge(paths[4], "model.safetensors", bytes(data[:-9]))
    found = {(each.version[-5:], each.path): each for each in registry.verify()}
    states = {key: each.state for key, each in found.items() if each.state != "ok"}
    assert states == {
        ("1.0.0", "model.safetensors"): "corrupt", ("1.1.0", "config.json"): "missing",
        ("1.2.0", "code/late.py"): "extra", ("1.3.0", "model.safetensors"): "unreadable",
        ("1.4.0", "model.safetensors"): "corrupt",
    }  # fmt: skip
    assert found["1.0.0", "model.safetensors"].why == "its bytes were changed"
    assert "ends" in found["1.4.0", "model.safetensors"].why
    assert all(each.state == "ok" for each in registry.verify(which[5]))


def test_sums_that_are_gone_or_damaged(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    path = registry.path(registry.save({"w": np.ones(3)}, "net")) / "SHA256SUMS"
    for text, state in (("x", "corrupt"), (f"{'0' * 64}  ../x\n", "corrupt"), (None, "missing")):
        path.unlink()
        if text is not None:
            path.write_text(text)
        assert state in {each.state for each in registry.verify()}
        with pytest.raises(RegistryError):
            registry.load("net")


def test_sha256sum_of_the_system_checks_a_version(tmp_path: Path) -> None:
    code = tmp_path / "my code"
    (code / "sub").mkdir(parents=True)
    for name in ("train.py", "sub/größe.py", "back\\slash.py", "line\nbreak.py"):
        (code / name).write_text(name)
    registry = my.Registry(tmp_path / "models")
    path = registry.path(registry.save({"w": np.ones(3)}, "net", code=code))
    command = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(command, cwd=path, capture_output=True, check=False).returncode == 0
    assert (path / "code" / "line\nbreak.py").read_text() == "line\nbreak.py"
    assert all(each.state == "ok" for each in registry.verify())
    (path / "code" / "train.py").chmod(0o644)
    (path / "code" / "train.py").write_text("evil")
    assert subprocess.run(command, cwd=path, capture_output=True, check=False).returncode == 1
    assert [each.path for each in registry.verify() if each.state == "corrupt"] == ["code/train.py"]


def test_two_versions_compared(tmp_path: Path) -> None:
    registry = my.Registry(tmp_path)
    one: dict[str, Any] = {
        "same": np.arange(5), "values": np.zeros(3, np.float32), "shape": np.zeros(3), "dtype": np.zeros(2),
        "gone": np.ones(1), "half": np.ones(4, ml_dtypes.bfloat16), "big": np.zeros(2_000_000, np.uint8),
    }  # fmt: skip
    other = {
        **one,
        "values": np.array([0, 0.5, -2], np.float32),
        "shape": np.zeros(4),
        "dtype": np.zeros(2, np.float32),
    }
    del other["gone"]
    other["new"], other["half"] = np.ones(2), np.full(4, 1.5, ml_dtypes.bfloat16)
    other["big"] = one["big"].copy()
    other["big"][-1] = 200
    registry.save(one, "net", metrics={"f1": 0.5, "loss": 1}, training={"lr": 0.1, "model": {"depth": 2}})
    registry.save(other, "net", metrics={"f1": 0.7}, training={"lr": 0.1, "model": {"depth": 3}})
    found = registry.diff("net@1.0.0", "net@1.1.0")
    assert {(each.name, each.change, each.largest) for each in found.tensors} == {
        ("values", "values", 2.0), ("shape", "shape", None), ("dtype", "dtype", None), ("gone", "removed", None),
        ("new", "added", None), ("half", "values", 0.5), ("big", "values", 200.0),
    }  # fmt: skip
    assert found.same_tensors == 1
    assert [(each.name, each.before, each.after) for each in found.metrics] == [
        ("f1", "0.5", "0.7"), ("loss", "1.0", "-")]  # fmt: skip
    assert ("training.model.depth", "2", "3") in [(each.name, each.before, each.after) for each in found.config]
    assert registry.diff("net@1.0.0", "net@1.0.0").equal and not found.equal


def test_which_version_came_from_which(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "models")
    registry = my.Registry(tmp_path / "link")
    first = registry.save({"w": np.ones(1)}, "base")
    second = registry.save({"w": np.ones(1)}, "tuned", parent="base")
    third = registry.save({"w": np.ones(1)}, "tuned", parent=str(second))
    assert [each.reference for each in registry.lineage(third)] == [str(third), str(second), str(first)]
    receipt = registry.rm(first)
    assert (receipt.done, receipt.failed) == (1, [])
    chain = registry.lineage("tuned")
    assert [(each.reference, each.metadata is None) for each in chain] == [
        ("tuned@1.1.0", False), ("tuned@1.0.0", False), ("base@1.0.0", True)]  # fmt: skip
    path = registry.path(second)
    metadata = json.loads((path / "metadata.json").read_text())
    forge(path, "metadata.json", json.dumps({**metadata, "parent": str(third)}).encode())
    assert len(registry.lineage("tuned")) == 2, "a ring ends where it began"
