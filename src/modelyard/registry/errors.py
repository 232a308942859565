"""What goes wrong with a model that is saved or loaded: what, why, and what to do."""

from __future__ import annotations

from modelyard.problem import Problem

PACKAGES = {"sklearn": "scikit-learn", "google": "protobuf"}
"""What packages are called where they are installed from."""


class RegistryError(Exception):
    """A sentence for a person, a stable code, and a hint."""

    def __init__(self, message: str, code: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message, self.code, self.hint = message, code, hint


class UnsafeError(RegistryError):
    """Loading would execute something, or trust what nobody vouches for."""


def missing(what: str, error: ImportError) -> RegistryError:
    """Something needs a package that is not installed."""
    package = (error.name or str(error)).partition(".")[0]
    hint = f"pip install {PACKAGES.get(package, package)}"
    return RegistryError(f"{what} needs {package}, which is not installed", "not-installed", hint)


def raised(problem: Problem) -> RegistryError:
    """A problem as an error."""
    return RegistryError(f"{problem.path}: {problem.message}", problem.code, problem.hint)
