"""Answers to a wish to move something that are no plan."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not an error of the program
    """Why something is not moved, and what to do instead."""

    def __init__(self, why: str, instead: str) -> None:
        super().__init__(why)
        self.instead = instead


class Nothing(LookupError):  # noqa: N818 - an answer, not an error of the program
    """Nothing is called like that."""
