"""The verbs of modelyard. The command line and other programs call only this."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.api.surveying import KEEP as KEEP
    from modelyard.api.surveying import Everyone as Everyone
    from modelyard.api.surveying import Prune as Prune
    from modelyard.api.surveying import Sharer as Sharer
    from modelyard.api.surveying import Survey as Survey
    from modelyard.api.surveying import everyone as everyone
    from modelyard.api.surveying import examine as examine
    from modelyard.api.surveying import find_artifact as find_artifact
    from modelyard.api.surveying import largest as largest
    from modelyard.api.surveying import opportunities as opportunities
    from modelyard.api.surveying import sharers as sharers
    from modelyard.api.surveying import store_names as store_names
    from modelyard.api.surveying import survey as survey
    from modelyard.api.surveying import this_platform as this_platform


SURVEYING = frozenset((
    "KEEP", "Prune", "Sharer", "Survey", "everyone", "examine", "find_artifact", "largest", "opportunities", "sharers",
    "store_names", "survey", "this_platform",
))  # fmt: skip
"""What surveys, and what is asked of a survey: imported when it is asked for, a scan of a file needs none of it."""


def __getattr__(name: str) -> object:
    """One of them. AttributeError for any other name."""
    if name not in SURVEYING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("modelyard.api.surveying"), name)
