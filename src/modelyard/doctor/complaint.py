"""What is wrong on a machine, as a value: where, what comes of it, and the command that mends it."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

Severity = Literal["danger", "fault", "note", "unchecked"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
TO_MEND: frozenset[Severity] = frozenset({"danger", "fault"})


class Complaint(Struct, frozen=True):
    """One thing that is wrong. A danger loses bytes or secrets, a fault costs time or space, a note is worth knowing,

    and what is unchecked could not be looked at.
    """

    code: str
    severity: Severity
    place: str
    """The path or the variable, as text."""
    message: str
    """What is wrong, in one sentence."""
    consequence: str
    """What comes of it."""
    command: str = ""
    """One line for the shell that mends it, or that shows what to choose from; empty where nothing is to be typed."""
    caution: str = ""
    """What the command removes or changes, where it does more than it says."""
