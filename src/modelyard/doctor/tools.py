"""Caches of tools that are no longer there, and notes that lead to environments that are gone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.inventory import Holding
from modelyard.problem import Problem
from modelyard.stores.json import parsed
from modelyard.units import size
from modelyard.uses.files import KernelSpec, kernel_folders
from modelyard.walk.text import shown

PROGRAMS = {
    "ollama": (("ollama",), ("/Applications/Ollama.app", "/etc/systemd/system/ollama.service")),
    "lmstudio": (("lms", "lm-studio", "lmstudio"), ("/Applications/LM Studio.app", "~/.lmstudio/bin/lms")),
    "llamacpp": (("llama-server", "llama-cli", "llama-run", "llama"), ()),
    "jan": (("jan", "Jan"), ("/Applications/Jan.app", "/usr/lib/Jan")),
    "gpt4all": (("gpt4all", "chat"), ("/Applications/gpt4all", "~/gpt4all")),
    "uv": (("uv",), ("~/.local/bin/uv", "~/.cargo/bin/uv")),
    "pixi": (("pixi",), ("~/.pixi/bin/pixi",)),
}
USUAL = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin", "/snap/bin", "~/.local/bin")
PACKAGES = {
    "torchhub": ("torch",),
    "torch-extensions": ("torch",),
    "inductor": ("torch",),
    "triton": ("triton", "pytorch-triton", "triton-windows"),
    "keras": ("keras", "tensorflow", "tf-keras"),
    "tfhub": ("tensorflow-hub",),
    "tfds": ("tensorflow-datasets",),
    "whisper": ("openai-whisper",),
    "modelscope": ("modelscope", "modelscope-hub"),
    "kagglehub": ("kagglehub",),
    "nltk": ("nltk",),
    "fastai": ("fastai", "fastdownload"),
    "paddlehub": ("paddlehub",),
    "vllm": ("vllm",),
    "flashinfer": ("flashinfer", "flashinfer-python"),
    "jax": ("jax",),
    "cupy": ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x"),
    "hf": ("huggingface-hub",),
    "hf-datasets": ("datasets",),
}
CAP = 65536
NOT_KNOWN = "whether the Python of this kernel is still there is unknown"


def wanted() -> frozenset[str]:
    """Packages that the checks ask for."""
    return frozenset(name for names in PACKAGES.values() for name in names) | {"pip"}


def without_program(examination: Examination) -> Iterator[Complaint]:
    """Stores of programs that are not found. It may lie elsewhere, so this is a note."""
    unknown: list[str] = []
    for holding in _own(examination):
        programs, places = PROGRAMS.get(holding.store.name, ((), ()))
        if not programs:
            continue
        if not examination.env.get("PATH"):
            unknown.append(holding.store.title)
        elif not _is_there(examination, programs, places):
            yield _orphaned(examination, holding, f"no program called {' or '.join(programs)} is on the PATH")
    if unknown:
        yield Complaint(
            "programs-unknown",
            "unchecked",
            unknown[0],
            f"the programs of this home are not known, so {', '.join(unknown)} may be installed or not",
            "caches of tools that are gone are not told",
            "modelyard doctor",
            "as the owner of the home",
        )


def _is_there(examination: Examination, programs: tuple[str, ...], places: tuple[str, ...]) -> bool:
    home = str(examination.home)
    folders = os.pathsep.join((examination.env["PATH"], *(folder.replace("~", home, 1) for folder in USUAL)))
    if any(shutil.which(program, path=folders) for program in programs):
        return True
    return any(os.path.lexists(place.replace("~", home, 1)) for place in places)


def without_package(examination: Examination) -> Iterator[Complaint]:
    """Stores of Python packages that none of the environments seen has."""
    count = len(examination.environments)
    there = {each.name for each in examination.packages}
    for holding in _own(examination) if count else ():
        names = PACKAGES.get(holding.store.name, ())
        if names and not there & set(names):
            yield _orphaned(examination, holding, f"none of the {count:,} environments seen here has {names[0]}")


def _own(examination: Examination) -> Iterator[Holding]:
    """Stores with something in a root of this home."""
    for holding in examination.inventory.holdings:
        if holding.artifacts and any(root.row is not None and not root.system for root in holding.roots):
            yield holding


def _orphaned(examination: Examination, holding: Holding, why: str) -> Complaint:
    spot = next(examination.of_store(holding.store.name))
    return Complaint(
        "orphaned-store",
        "note",
        examination.label(spot.path),
        f"{holding.store.title} keeps {size(holding.sizes.allocated)}, and {why}",
        "nothing may use it any more; a container or another user still could",
        examination.modelyard("ls", "--store", holding.store.name),
        "shows what is there; it removes nothing",
    )


def kernels(examination: Examination) -> Iterator[Complaint]:
    """Jupyter kernels whose Python is gone."""
    tree = examination.tree
    for place in kernel_folders(examination.env, examination.home, examination.platform):
        folder = tree.find(os.path.realpath(place))
        for _, row in sorted(tree.children(folder).items()) if folder is not None else ():
            file = tree.child(row, b"kernel.json")
            text = tree.read(file, CAP) if file is not None else b"{}"
            if isinstance(text, Problem):
                yield Complaint("kernel-unchecked", "unchecked", text.path, f"{text.path}: {text.message}", NOT_KNOWN)
                continue
            spec = parsed(text, KernelSpec)
            program = spec.argv[0] if isinstance(spec, KernelSpec) and spec.argv else ""
            if os.path.isabs(program) and "\0" not in program and not os.path.exists(program):
                yield from _dead(examination, row, program)


def _dead(examination: Examination, row: int, program: str) -> Iterator[Complaint]:
    """A kernel on a drive that is only unplugged is not dead."""
    label, name = examination.label(examination.path(row)), os.fsdecode(examination.tree.name(row))
    if not examination.missing(program):
        yield Complaint(
            "dead-kernel",
            "fault",
            label,
            f"the Jupyter kernel `{shown(name)}` starts {examination.label(program)}, which is gone",
            "it is offered in every notebook and fails to start",
            examination.words("jupyter", "kernelspec", "remove", name),
            f"asks, then removes {label} alone",
        )
