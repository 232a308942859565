"""Settings that do not reach the program that should read them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.doctor.variables import place
from modelyard.walk.text import shown

UNITS = ("/etc/systemd/system/ollama.service", "/usr/lib/systemd/system/ollama.service")
APPS = ("/Applications/Ollama.app",)


def out_of_reach(examination: Examination) -> Iterator[Complaint]:
    """`OLLAMA_MODELS` in a shell, while a service or an app that reads no shell's files runs the server."""
    starts = {"linux": UNITS, "macos": APPS}.get(examination.platform, ())
    server = next((path for path in starts if os.path.lexists(path)), None)
    for each in examination.set_values("OLLAMA_MODELS") if server else ():
        command = examination.words("launchctl", "setenv", "OLLAMA_MODELS", each.value)
        caution = "until the next start; then quit and open the app"
        if examination.platform == "linux":
            line = examination.quoted(f'Environment="OLLAMA_MODELS={each.value}"')
            command = f"sudo systemctl edit ollama  # [Service] {line}"
            caution = "opens an editor: put the two parts behind `#` on a line each, then restart the service"
        yield Complaint(
            "variable-out-of-reach",
            "note",
            place(examination, each),
            f"OLLAMA_MODELS is set for shells, and {shown(server or '')} starts a server that reads no shell's files",
            f"that server keeps its models elsewhere than {shown(each.value)}",
            command,
            caution,
        )
