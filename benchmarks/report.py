"""What a part of the benchmark prints and leaves in results.md: its tables, then its goals."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).parent / "results.md"
TITLE = "# Results of `make bench`"


class Report:
    """The section of one part, printed while it grows."""

    def __init__(self, title: str, machine: str) -> None:
        self.title = title
        self._lines: list[str] = []
        self._goals: list[str] = []
        self.say(f"## {title}\n\n{machine}\n")

    def say(self, line: str = "") -> None:
        """Prints a line and keeps it."""
        print(line, flush=True)
        self._lines.append(line)

    def goal(self, words: str, value: float, limit: float) -> None:
        """Whether a promise holds: the value is at most the limit."""
        self._goals.append(f"- {'met' if value <= limit else 'MISSED'}: {words}: {value:.2f}, goal at most {limit:g}")

    def text(self) -> str:
        """The whole section."""
        goals = ["", "### Goals", "", *self._goals] if self._goals else []
        return "\n".join([*self._lines, *goals]).strip() + "\n"

    def keep(self) -> None:
        """Takes the place of the section that an earlier run left in results.md."""
        for line in self._goals:
            print(line, flush=True)
        before = RESULTS.read_text() if RESULTS.exists() else TITLE
        sections = dict(_sections(before))
        sections[self.title] = self.text()
        RESULTS.write_text(TITLE + "\n\n" + "\n".join(sections.values()))


def _sections(text: str) -> list[tuple[str, str]]:
    parts = ("\n" + text).split("\n## ")[1:]
    return [(each.partition("\n")[0], f"## {each.strip()}\n") for each in parts]
