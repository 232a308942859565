"""Looks once more before a plan is made that was not made just now."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from modelyard.api import lately
from modelyard.cli.errors import HelpfulError
from modelyard.cli.looking import everyone, look, place
from modelyard.cli.options import Request
from modelyard.plan import Plan, Root, root_path
from modelyard.policies.rules import Rules

FRESH = 20.0
"""Seconds for which what a plan saw is believed."""


def doubts(request: Request, plan: Plan, ruled: Rules) -> Mapping[str, str]:
    """By artifact why it must stay by now; nothing where the disk was looked at just now to make the plan."""
    seen = datetime.fromisoformat(plan.origin.seen or plan.created)
    if 0 <= time.time() - seen.timestamp() < FRESH:
        return {}
    home = _folder(plan.origin.home)
    if home != place(request)[1]:
        request = request._replace(home=home)
    roots = [_folder(root) for root in plan.origin.roots]
    more = [root for root in roots if not root.is_relative_to(home.resolve())]
    found, _ = look(request._replace(roots=(*request.roots, *(root for root in more if root.is_dir()))))
    if found.partial:
        raise HelpfulError("interrupted; nothing was changed", "run it again", 130)
    return lately.doubts(found, everyone(request, found), plan, ruled, time.time_ns())


def _folder(root: Root) -> Path:
    return Path(os.fsdecode(root_path(root)))
