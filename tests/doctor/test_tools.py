"""Caches of tools that are gone, kernels without a Python, and settings that reach nobody."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import makers
from doctor.patients import only, rc, told
from doctor.test_environments import venv
from modelyard.doctor import services

TORCH = ".cache/torch/hub/checkpoints"


def ollama(home: Path) -> None:
    """A model of Ollama."""
    models = home / ".ollama/models"
    layer = makers.ollama_blob(models, b"w" * 5000)
    makers.ollama_model(models, "registry.ollama.ai/library/llama3/8b", [layer])


def program(folder: Path, name: str) -> dict[str, str]:
    """A program and the PATH that leads to it alone."""
    makers.write(folder / name, "#!/bin/sh\n").chmod(0o755)
    return {"PATH": str(folder)}


def test_models_of_a_program_that_is_gone_are_a_note(home: Path) -> None:
    ollama(home)
    found = only(told("orphaned-store", home, {"PATH": "/nowhere", "HOME": str(home)}))
    assert (found.severity, found.command) == ("note", "modelyard ls --store ollama")
    assert "no program called ollama is on the PATH" in found.message
    assert not told("orphaned-store", home, program(home / "my bin", "ollama"))


def test_of_another_home_the_programs_are_not_known_and_that_is_told(home: Path) -> None:
    ollama(home)
    assert not told("orphaned-store", home)
    assert only(told("programs-unknown", home)).severity == "unchecked"


def test_weights_of_a_package_that_no_environment_has_are_a_note(home: Path) -> None:
    makers.write(home / TORCH / "resnet50-0676ba61.pth", b"w" * 5000)
    assert not told("orphaned-store", home), "without environments nothing is known"
    environment = venv(home / "project/.venv", "numpy-2.0")
    found = only(told("orphaned-store", home))
    assert (found.severity, found.place) == ("note", "~/.cache/torch/hub")
    assert "none of the 1 environments seen here has torch" in found.message
    makers.write(environment / "lib/python3.11/site-packages/torch-2.5.1+cu124.dist-info/METADATA")
    assert not told("orphaned-store", home)


def kernel(home: Path, name: str, python: str, folder: str = ".local/share/jupyter") -> None:
    """A Jupyter kernel that starts this Python."""
    spec = {"argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": name}
    makers.write(home / folder / "kernels" / name / "kernel.json", json.dumps(spec))


def test_a_kernel_without_its_python_is_told(home: Path) -> None:
    kernel(home, "old 'project'", f"{home}/gone/bin/python")
    found = only(told("dead-kernel", home))
    assert found.severity == "fault"
    assert found.command == """jupyter kernelspec remove 'old '"'"'project'"'"''"""
    assert found.caution == "asks, then removes ~/.local/share/jupyter/kernels/old 'project' alone"


@pytest.mark.parametrize("python", ["python3", "/usr/bin/env", "/mnt/modelyard-unplugged/env/bin/python", "", "\0"])
def test_other_kernels_are_well(python: str, home: Path) -> None:
    kernel(home, "fine", python)
    makers.write(home / ".local/share/jupyter/kernels/broken/kernel.json", "{")
    assert not told("dead-kernel", home)


def test_kernels_lie_elsewhere_on_macos_and_by_a_variable(home: Path) -> None:
    kernel(home, "mac", f"{home}/gone", "Library/Jupyter")
    kernel(home, "own", f"{home}/gone", "jupyter")
    assert {each.place for each in told("dead-kernel", home, platform="macos")} == {"~/Library/Jupyter/kernels/mac"}
    env = {"JUPYTER_DATA_DIR": f"{home}/jupyter"}
    assert only(told("dead-kernel", home, env)).place == "~/jupyter/kernels/own"


def test_a_kernel_that_cannot_be_read_is_told(home: Path) -> None:
    makers.write(home / ".local/share/jupyter/kernels/big/kernel.json", b" " * 100_000)
    assert only(told("kernel-unchecked", home)).severity == "unchecked"


def test_a_variable_that_the_service_does_not_see_is_a_note(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, app = makers.write(home / "ollama.service"), makers.write(home / "Ollama.app/x")
    monkeypatch.setattr(services, "UNITS", (str(unit),))
    monkeypatch.setattr(services, "APPS", (str(app),))
    env = {"OLLAMA_MODELS": f"{home}/my models"}
    linux, mac = (only(told("variable-out-of-reach", home, env, each)) for each in ("linux", "macos"))
    assert linux.command.startswith("sudo systemctl edit ollama  # [Service] ")
    assert mac.command == f"launchctl setenv OLLAMA_MODELS '{home}/my models'"
    assert {linux.severity, mac.severity} == {"note"}


def test_without_a_service_the_shells_variable_is_all_there_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "UNITS", ("/nowhere",))
    rc(home, f"export OLLAMA_MODELS={home}/models")
    assert not told("variable-out-of-reach", home)


def test_names_of_kernels_that_are_no_utf8(home: Path) -> None:
    kernel(home, os.fsdecode(b"k\xffernel"), f"{home}/gone/python")
    assert only(told("dead-kernel", home)).command == "jupyter kernelspec remove $'k\\xffernel'"
