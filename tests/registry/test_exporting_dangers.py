"""An export is beside its version whole or not at all: killed, no room, two at once, files that are others now."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import modelyard as my
from modelyard.api import exporting
from modelyard.library import RegistryError
from walk.disks import mounted

X = np.random.default_rng(3).random((30, 4))
KILLED = """
import os, random, signal, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import modelyard as my
import modelyard.convert.onnx_sklearn
from sklearn.linear_model import LinearRegression
registry = my.Registry(sys.argv[1])
model = LinearRegression().fit(np.eye(4), np.ones(4))
for whole in range(2):  # the first imports what it needs
    which, began = registry.save(model, "line"), time.monotonic()
    registry.export(which)
    lasts = time.monotonic() - began
chance = random.Random(5)
hit = 0
for moment in range(8):
    which = registry.save(model, "line")
    ready, go = os.pipe()
    child = os.fork()
    if not child:
        os.write(go, b".")
        registry.export(which)
        os._exit(0)
    os.read(ready, 1)
    time.sleep(chance.random() * lasts)
    os.kill(child, signal.SIGKILL)
    hit += os.waitpid(child, 0)[1] != 0
    told = registry.metadata(which)
    assert ("model.onnx" in [each.path for each in told.files]) == bool(told.exports)
    assert registry.load(which, verify=True).n_features_in_ == 4
    assert all(each.state == "ok" for each in registry.verify(which)), registry.verify(which)
    registry.path(which)
print(hit)
"""


@pytest.fixture
def registry(home: Path) -> my.Registry:
    """A registry with a model that is exported fast."""
    registry = my.Registry(home / "models")
    registry.save(LinearRegression().fit(X, X[:, 0]), "line", example_input=X[:3])
    return registry


@pytest.mark.filterwarnings("ignore")
def test_killed_at_eight_moments_the_version_is_whole(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, home / "models"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1, "no kill hit an export, so nothing was tried"


@pytest.mark.filterwarnings("ignore")
def test_a_full_disk_keeps_the_version_as_it_was(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m") as disk:
        registry = my.Registry(disk)
        registry.save(LinearRegression().fit(X, X[:, 0]), "line", example_input=X[:3])
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(4096))
        before = (registry.path("line") / "metadata.json").read_bytes()
        with pytest.raises((OSError, RegistryError)) as caught:
            registry.export("line")
        assert "space" in str(caught.value).lower()
        assert (registry.path("line") / "metadata.json").read_bytes() == before
        assert sorted(path.name for path in registry.path("line").parent.iterdir()) == ["v1.0.0"]
        filler.unlink()
        registry.export("line")
        assert all(each.state == "ok" for each in registry.verify())


@pytest.mark.filterwarnings("ignore")
def test_of_two_exporters_of_one_version_the_second_is_told(
    registry: my.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[str] = []
    both, real = threading.Barrier(2), exporting._names
    monkeypatch.setattr(exporting, "_names", lambda *given: (both.wait(20), real(*given))[1])

    def export() -> None:
        try:
            answers.append(registry.export("line").path)
        except RegistryError as error:
            answers.append(error.code)

    threads = [threading.Thread(target=export) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == ["exists", "model.onnx"]
    assert len(registry.metadata("line").exports) == 1


@pytest.mark.filterwarnings("ignore")
def test_a_version_that_is_damaged_is_not_exported(registry: my.Registry) -> None:
    path = registry.path("line") / "model.skops"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(RegistryError, match="not the file that was saved"):
        registry.export("line")
    assert sorted(each.name for each in path.parent.iterdir()) == ["SHA256SUMS", "metadata.json", "model.skops"]


@pytest.mark.parametrize(
    ("name", "data"),
    [("x.npy", b"\x93NUMPY\x01\x00"), ("x.npz", b"PK\x03\x04"), ("x.json", b"{"), ("x.json", b"3"), ("x.txt", b"1")],
)
def test_an_example_that_is_torn_or_none_is_told(home: Path, name: str, data: bytes) -> None:
    from modelyard.registry.examples import read_example

    (home / name).write_bytes(data)
    with pytest.raises(RegistryError, match="no example of an input"):
        read_example(home / name, "sklearn")


def test_an_example_that_is_a_pickle_is_never_loaded(home: Path) -> None:
    from modelyard.registry.examples import read_example

    np.save(home / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(RegistryError, match="allow_pickle"):
        read_example(home / "x.npy", "torch")
