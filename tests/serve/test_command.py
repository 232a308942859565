"""`modelyard serve` as it is typed: real models answer as they do in Python, and it stops after the last answer."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelyard.registry.errors import RegistryError, UnsafeError
from modelyard.registry.registry import Registry
from modelyard.serve.choosing import Served, Wish
from modelyard.serve.running import access_for
from modelyard.serve.service import Access, Limits
from serve.serving import PATIENCE, ask, served
from typed import Run


@contextmanager
def running(*words: str, **env: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The URL of a server in a process of its own."""
    command = [sys.executable, "-m", "modelyard", "serve", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}) as process:
        assert process.stderr
        try:
            first = process.stderr.readline()
            found = re.search(r"http://\S+", first)
            assert found, first + process.stderr.read()
            yield found[0], process
        finally:
            process.kill()


@pytest.fixture
def registry(home: Path) -> Registry:
    """An empty registry in the folder that the command looks into."""
    return Registry(home / "models")


def answers(registry: Registry, which: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What a server of it says."""
    with (
        Served(registry, which) as held,
        served(held.service(held.predictor(Wish()), Limits(), Access())) as url,
    ):
        answer = ask(f"{url}/predict", {"inputs": inputs})
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json["outputs"]
        return found


def test_a_table_with_text_and_the_probabilities_of_its_classes(registry: Registry) -> None:
    table = pandas.DataFrame({"age": numpy.arange(40.0), "city": ["Oslo", "Quito"] * 20})
    encode = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(encode, RandomForestClassifier(5, random_state=0)).fit(table, ["yes", "no"] * 20)
    registry.save(model, "table", example_input=table[:3])
    found = answers(registry, "table", {"age": [3, 18.5], "city": ["Oslo", "Quito"]})
    asked = pandas.DataFrame({"age": [3, 18.5], "city": ["Oslo", "Quito"]})
    assert found["output"] == model.predict(asked).tolist()
    assert found["probabilities"] == model.predict_proba(asked).tolist()


def test_a_torch_module_with_two_inputs(registry: Registry) -> None:
    model = torch.nn.Bilinear(3, 2, 4)
    registry.save(
        model, "pair", config={"in1_features": 3, "in2_features": 2, "out_features": 4},
        example_input=(torch.ones(1, 3), torch.ones(1, 2)),
    )  # fmt: skip
    found = answers(registry, "pair", {"input_0": [[1, 2, 3]], "input_1": [[4, 5]]})
    with torch.no_grad():
        assert found["output"] == model(torch.tensor([[1.0, 2, 3]]), torch.tensor([[4.0, 5]])).tolist()


def test_a_version_that_does_not_say_what_it_takes(registry: Registry) -> None:
    registry.save(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]), "bare")
    with Served(registry, "bare") as held, pytest.raises(RegistryError, match="does not say what it takes"):
        held.predictor(Wish())


def test_a_pickle_is_not_served_unasked(registry: Registry) -> None:
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    registry.save(model, "pickled", allow_pickle=True, example_input=numpy.ones((2, 1)))
    with Served(registry, "pickled") as held, pytest.raises(UnsafeError):
        held.predictor(Wish())


def test_a_model_changed_on_the_disk_is_not_served(registry: Registry) -> None:
    registry.save(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]), "line", example_input=numpy.ones((2, 1)))
    path = registry.path("line") / "model.skops"
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with Served(registry, "line") as held, pytest.raises(RegistryError, match="not the file that was saved"):
        held.predictor(Wish())


class Thinking(torch.nn.Module):
    """Takes a while for its answer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One more, later."""
        import time

        time.sleep(1)
        return x + 1


def test_told_to_stop_it_answers_first_and_then_stops(registry: Registry) -> None:
    registry.save(Thinking(), "thinking", example_input=torch.ones(1, 2), code=Path(__file__))
    given: list[Any] = []
    trust = f"{Thinking.__module__}.{Thinking.__qualname__}"
    path = os.pathsep.join(sys.path)
    with running("thinking", "--trust", trust, PYTHONPATH=path) as (url, process):
        body = {"inputs": {"input": [[1, 2]]}}
        asking = threading.Thread(target=lambda: given.append(ask(f"{url}/predict", body)))
        asking.start()
        while b"modelyard_open_requests 2.0" not in ask(f"{url}/metrics").body:  # this one and the other
            assert asking.is_alive()
        process.send_signal(signal.SIGINT)
        asking.join(PATIENCE)
        assert process.wait(PATIENCE) == 0
    assert given[0].json["outputs"] == {"output": [[2, 3]]}


def test_outside_of_this_machine_a_token_is_needed(home: Path) -> None:
    assert access_for("127.0.0.1", "").token == ""
    assert access_for("::1", "").hosts >= {"localhost", "[::1]"}
    for host in ("0.0.0.0", "::", "192.0.2.7", "example.org"):
        assert len(access_for(host, "").token) > 30
        assert access_for(host, "mine") == Access("mine")


def test_what_goes_wrong_is_told_with_what_to_do(registry: Registry, run: Run, home: Path) -> None:
    assert run("serve", "nothing").code == 1
    registry.save(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]), "line", example_input=numpy.ones((2, 1)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = run("serve", "line", "--port", str(taken.getsockname()[1]))
    assert (answer.code, "--port 0" in answer.err) == (1, True)
    (home / "empty").touch()
    assert run("serve", "line", "--token-file", str(home / "empty")).code == 1
    assert run("serve", "line", "--max-body", "0").code == 2
