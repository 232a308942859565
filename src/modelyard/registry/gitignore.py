"""A `.gitignore` that keeps models out of a repository and what is known of them in."""

from __future__ import annotations


def gitignore() -> str:
    """The text of the file."""
    return "*.safetensors\n"
