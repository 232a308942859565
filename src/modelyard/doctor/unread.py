"""What could not be looked at, so that nobody takes silence for health."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination

AS_ROOT = "unreadable"


def problems(examination: Examination) -> Iterator[Complaint]:
    """What the survey and the examination could not read or understand."""
    for each in (*examination.inventory.problems, *examination.unread):
        command = ""
        if each.code == AS_ROOT and examination.platform != "windows":
            command = examination.words("sudo", "modelyard", "doctor", "--home", str(examination.home))
        yield Complaint(
            f"unread-{each.code}",
            "unchecked",
            each.path,
            f"{each.path}: {each.message}",
            each.hint or "what lies there was not examined",
            command,
        )
