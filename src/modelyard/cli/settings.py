"""What the user set: rules from the settings file and pins; a command that removes things needs them whole."""

from __future__ import annotations

from msgspec.structs import replace

from modelyard import api
from modelyard.api import pins, settings
from modelyard.apply.rooms import known_rooms
from modelyard.cli.errors import HelpfulError
from modelyard.cli.looking import place
from modelyard.cli.options import Request
from modelyard.policies.rules import Rules
from modelyard.problem import Problem


def rules(request: Request) -> Rules:
    """The rules and pins of whoever's home is looked at. HelpfulError where they cannot be understood."""
    env, home, _ = place(request)
    read = settings.rules(env, home, api.this_platform(), api.store_names())
    pinned = pins.read(known_rooms(env, home, api.this_platform()))
    for each in (read, pinned):
        if isinstance(each, Problem):
            raise HelpfulError(f"{each.path}: {each.message}", each.hint)
    assert isinstance(read, Rules)
    assert isinstance(pinned, frozenset)
    return replace(read, pins=pinned)
