"""What keeps models beside modelyard: an environment for the others, and how each saves and loads one."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

REQUIREMENTS = Path(__file__).parent.parent / "requirements" / "registries.txt"
MINE, RAW = "modelyard", "raw write + fsync"
BEGIN = """
import json, os, sys, time
folder, layers = sys.argv[1], int(sys.argv[2])
def files():
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
def settle(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
def told(**figures):
    print(json.dumps(figures))
"""
MODEL = """
import torch
torch.manual_seed(7)
with torch.device("meta"):
    model = torch.nn.Sequential(*(torch.nn.Linear(4096, 4096, bias=False) for _ in range(layers)))
model.to_empty(device="cpu")
for each in model.parameters():
    each.data.view(torch.int32).random_(0, 1 << 30)
"""
"""Layers of 64 MiB with bits that nothing compresses."""
SAVES = {
    RAW: """
def prepare(): pass
def save():
    with open(folder + "/raw", "wb", buffering=0) as file:
        for each in model.parameters():
            view = memoryview(each.detach().view(-1).view(torch.uint8).numpy())
            while view:
                view = view[file.write(view):]
""",
    MINE: """
def prepare():
    global registry
    import modelyard
    registry = modelyard.Registry(folder + "/models")
    registry.save(torch.nn.Linear(2, 2), "other")
def save(): registry.save(model, "net")
""",
    "safetensors": """
def prepare():
    global save_file
    from safetensors.torch import save_file
def save(): save_file(model.state_dict(), folder + "/model.safetensors")
""",
    "torch.save": """
def prepare(): pass
def save(): torch.save(model.state_dict(), folder + "/model.pt")
""",
    "joblib": """
def prepare():
    global joblib
    import joblib
def save(): joblib.dump({name: each.numpy() for name, each in model.state_dict().items()}, folder + "/model.joblib")
""",
    "MLflow": """
def prepare():
    global mlflow
    import mlflow.pytorch
    mlflow.set_tracking_uri("sqlite:///" + folder + "/mlflow.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("bench", artifact_location=folder + "/artifacts"))
def save():
    with mlflow.start_run():
        mlflow.pytorch.log_model(model, name="net", pip_requirements=["torch"], serialization_format="pickle")
""",
    "BentoML": """
def prepare():
    global bentoml
    os.environ["BENTOML_HOME"] = folder + "/bentoml"
    import bentoml
def save():
    with bentoml.models.create("net") as made:
        torch.save(model.state_dict(), made.path + "/model.pt")
""",
    "safetensors, dvc add": """
import subprocess
def prepare():
    global save_file
    from safetensors.torch import save_file
    for words in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(words, cwd=folder, check=True)
def save():
    save_file(model.state_dict(), folder + "/model.safetensors")
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "model.safetensors"], cwd=folder, check=True)
""",
}
"""By name: what is made ready before the clock runs, and what is measured."""
SAVE = """
prepare()
os.sync()
before = set(files())
began = time.perf_counter()
save()
for each in set(files()) - before:
    settle(each)
taken = time.perf_counter() - began
blocks = {os.stat(each).st_ino: os.stat(each).st_blocks * 512 for each in files()}
told(save=taken, disk=sum(blocks.values()))
"""
LOADS = {
    MINE: """
def prepare():
    global registry
    import modelyard
    registry = modelyard.Registry(folder + "/models")
    registry.load("other")
def load(): return registry.load("net").state_dict()
""",
    "modelyard, a private copy, digested": """
def prepare():
    global registry
    import modelyard
    registry = modelyard.Registry(folder + "/models")
    registry.load("other")
def load(): return registry.load("net", mmap=False).state_dict()
""",
    "safetensors": """
def prepare():
    global load_file
    from safetensors.torch import load_file
def load(): return load_file(folder + "/model.safetensors")
""",
    "torch.save": """
def prepare(): pass
def load(): return torch.load(folder + "/model.pt", weights_only=True)
""",
    "joblib": """
def prepare():
    global joblib
    import joblib
def load(): return {name: torch.from_numpy(each) for name, each in joblib.load(folder + "/model.joblib").items()}
""",
    "MLflow": """
def prepare():
    global mlflow
    import mlflow.pytorch
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
    mlflow.set_tracking_uri("sqlite:///" + folder + "/mlflow.db")
def load():
    number = mlflow.get_experiment_by_name("bench").experiment_id
    (found,) = mlflow.search_logged_models([number], output_format="list")
    return mlflow.pytorch.load_model(found.model_uri).state_dict()
""",
    "BentoML": """
def prepare():
    global bentoml
    os.environ["BENTOML_HOME"] = folder + "/bentoml"
    import bentoml
def load(): return torch.load(bentoml.models.get("net").path_of("model.pt"), weights_only=True)
""",
}
"""By name: what is made ready before the clock runs, and what gives a state dict."""
LOAD = """
import torch
torch.set_num_threads(1)
prepare()
if sys.argv[3] == "cold":
    for each in files():
        descriptor = os.open(each, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
began = time.perf_counter()
found = load()
loaded = time.perf_counter() - began
if sys.argv[3] == "warm":
    copy = torch.empty(8 << 20, dtype=torch.uint8)
    for each in found.values():
        flat = each.reshape(-1).view(torch.uint8)
        for piece in flat.split(len(copy)):
            copy[:len(piece)].copy_(piece)
told(load=loaded, read=time.perf_counter() - began)
"""
READ = """
largest = max(files(), key=os.path.getsize)
copy = memoryview(bytearray(8 << 20))
began = time.perf_counter()
with open(largest, "rb", buffering=0) as file:
    while file.readinto(copy):
        pass
told(load=0, read=time.perf_counter() - began)
"""


def environment(folder: Path) -> Path:
    """Makes the environment of the others, or takes the one that MODELYARD_REGISTRIES names; its Python.

    It sees the packages of this Python as well, so that all of them save with the same torch.
    """
    if named := os.environ.get("MODELYARD_REGISTRIES"):
        return Path(named) / "bin" / "python"
    place = folder / "registries"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    python = place / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    (Path(site) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*command, "-r", str(REQUIREMENTS)], check=True)
    return python
