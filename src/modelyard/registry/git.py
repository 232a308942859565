"""The commit of the code that saves a model, read from the repository's own files."""

from __future__ import annotations

import os

from modelyard.capsules.git_repository import repository
from modelyard.problem import Problem
from modelyard.registry.metadata import Git


def commit_here() -> Git | None:
    """The commit that the working folder was checked out from; None where it lies in no repository."""
    found = repository(os.getcwd())
    if found is None or isinstance(found, Problem):
        return None
    return Git(commit=found.commit, dirty=None, remote=found.remote)
