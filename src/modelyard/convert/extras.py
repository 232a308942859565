"""Packages that a conversion may need and modelyard does not bring: which extra has them, said before any work."""

from __future__ import annotations

from importlib.util import find_spec

from modelyard.problem import Problem

EXTRAS = {
    "torch": "torch", "onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx",
    "onnxmltools": "trees", "skl2onnx": "sklearn", "sklearn": "sklearn", "skops": "sklearn",
}  # fmt: skip
"""The extra of modelyard that brings a package."""


def wanted(package: str, what: str) -> Problem | None:
    """Why something cannot be done without a package that is not there, and how to get it. None where it is there."""
    if find_spec(package) is not None:
        return None
    hint = f"pip install 'modelyard[{EXTRAS[package]}]'"
    return Problem(package, "no-extra", f"{what} needs {package}, which is not installed", hint)
