"""A served model under load: requests a second with and without batching, beside a plain FastAPI application."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.report import Report

SECONDS = 5
CONNECTIONS = (1, 32, 128)
FEATURES = 64
MODELS = {"network": "a network of 2.1 million weights through onnxruntime", "forest": "200 trees of scikit-learn"}
ALONE, TOGETHER, PLAIN = "modelyard, one request a call", "modelyard, batching", "FastAPI by hand"
MAKE = """
import sys, numpy, onnx, modelyard
from onnx import helper, numpy_helper, TensorProto
from sklearn.ensemble import RandomForestClassifier
registry, width = modelyard.Registry(sys.argv[1]), int(sys.argv[2])
random = numpy.random.default_rng(1)
sides, nodes, weights, last = (width, 1024, 1024, 1024, 8), [], [], "x"
for at, (one, other) in enumerate(zip(sides, sides[1:])):
    weights.append(numpy_helper.from_array(random.normal(0, 0.05, (one, other)).astype("f4"), f"w{at}"))
    nodes.append(helper.make_node("MatMul", [last, f"w{at}"], [f"m{at}"]))
    nodes.append(helper.make_node("Relu", [f"m{at}"], [f"r{at}"]))
    last = f"r{at}"
sizes = (("x", width), (last, 8))
ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", side]) for name, side in sizes]
graph = helper.make_graph(nodes, "network", ports[:1], ports[1:], weights)
registry.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), "network")
x = random.normal(size=(500, width))
registry.save(RandomForestClassifier(200, n_jobs=1, random_state=1).fit(x, x.sum(1) > 0), "forest", example_input=x[:2])
"""
BY_HAND = """
import sys, numpy, uvicorn, modelyard
from fastapi import FastAPI
from pydantic import BaseModel
registry, name, port = modelyard.Registry(sys.argv[1]), sys.argv[2], int(sys.argv[3])
app = FastAPI()
class Body(BaseModel):
    inputs: dict[str, list[list[float]]]
if name == "network":
    import onnxruntime
    session = onnxruntime.InferenceSession(str(registry.path(name) / "model.onnx"))
    @app.post("/predict")
    def predict(body: Body):
        return {"outputs": session.run(None, {"x": numpy.array(body.inputs["x"], "f4")})[0].tolist()}
else:
    model = registry.load(name)
    @app.post("/predict")
    def predict(body: Body):
        x = numpy.array(body.inputs["input"])
        return {"outputs": model.predict(x).tolist(), "probabilities": model.predict_proba(x).tolist()}
uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
"""
SCRIPT = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[{body}]==]\n'


@dataclass(frozen=True, slots=True)
class Load:
    """What a client saw: answers a second, milliseconds until half and 99 of 100 were there, and how many failed."""

    rate: float
    half: float
    most: float
    failed: int


def ways(registry: Path, name: str, port: int) -> dict[str, Sequence[str]]:
    """The servers."""
    own = [str(Path(sys.executable).with_name("modelyard")), "serve", name, "--registry", str(registry)]
    own += ["--port", str(port), "--queue", "1000"]
    return {
        TOGETHER: own,
        ALONE: [*own, "--max-batch", "1", "--max-delay", "0"],
        PLAIN: [sys.executable, "-c", BY_HAND, str(registry), name, str(port)],
    }


@contextmanager
def server(command: Sequence[str], port: int, body: bytes) -> Iterator[None]:
    """A server that has answered once."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
            for _ in range(600):
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        answer.read()
                    break
                except OSError:
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()


def load(folder: Path, port: int, connections: int, body: bytes) -> Load:
    """What wrk measures, the client that loads it."""
    script = folder / "post.lua"
    script.write_text(SCRIPT.format(body=body.decode()))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(script)]
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/predict"], capture_output=True, text=True, check=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    assert rate, told
    return Load(float(rate[1]), _milliseconds(told, "50%"), _milliseconds(told, "99%"), int(failed[1]) if failed else 0)


def _milliseconds(told: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", told)
    assert found, told
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def part(report: Report, folder: Path, rounds: int) -> None:
    """Both models, with each way, at several numbers of connections."""
    registry, port = folder / "models", 18000 + os.getpid() % 1000
    subprocess.run([sys.executable, "-c", MAKE, str(registry), str(FEATURES)], check=True)
    report.say(f"One row of {FEATURES} numbers a request, JSON, over loopback, {SECONDS} s a measurement by wrk.")
    for name, words in MODELS.items():
        field = "x" if name == "network" else "input"
        body = json.dumps({"inputs": {field: [[round(0.01 * at, 2) for at in range(FEATURES)]]}}).encode()
        seen: dict[tuple[str, int], list[Load]] = {}
        for _ in range(rounds):
            for way, command in ways(registry, name, port).items():
                with server(command, port, body):
                    for each in CONNECTIONS:
                        seen.setdefault((way, each), []).append(load(folder, port, each, body))
        _table(report, words, seen)


def _table(report: Report, words: str, seen: Mapping[tuple[str, int], list[Load]]) -> None:
    report.say(f"\n### {words[0].upper()}{words[1:]}\n")
    report.say("| server | connections | requests/s | ms, half | ms, 99 % | failed | batching gives |")
    report.say("|---|---|---|---|---|---|---|")
    for (way, connections), loads in sorted(seen.items(), key=lambda item: (item[0][1], item[0][0])):
        best = seen[TOGETHER, connections]
        times = median(mine.rate / other.rate for mine, other in zip(best, loads, strict=True))
        numbers = f"{median(each.rate for each in loads):,.0f} | {median(each.half for each in loads):.1f}"
        tail = f"{median(each.most for each in loads):.1f} | {sum(each.failed for each in loads)}"
        report.say(
            f"| {way} | {connections} | {numbers} | {tail} | {'' if way == TOGETHER else f'{times:.2f} of it'} |"
        )
    if "forest" in words or "trees" in words:
        busy = max(CONNECTIONS)
        pairs = zip(seen[ALONE, busy], seen[TOGETHER, busy], strict=True)
        report.goal(
            f"{words}, {busy} connections: without batching / with", median(a.rate / b.rate for a, b in pairs), 0.5
        )
