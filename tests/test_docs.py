"""The documentation says what the program does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from modelyard.stores import ADAPTERS

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_stores_is_that_of_the_adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stale? `make docs` writes it again."""
    monkeypatch.syspath_prepend(str(DOCS))
    import store_page

    assert (DOCS / "stores.md").read_text() == store_page.page()
    sys.modules.pop("store_page")


def test_every_store_stands_in_it_with_kinds_recovery_and_evidence() -> None:
    text = (DOCS / "stores.md").read_text()
    for adapter in ADAPTERS:
        section = text.partition(f"## {adapter.STORE.title} ({adapter.STORE.name})\n")[2].partition("\n## ")[0]
        for label in ("| kinds |", "| comes back |", "| last use |"):
            assert label in section, adapter.STORE.name
        assert len(section.strip().split("\n")[0]) > 20, "what it is"


@pytest.mark.parametrize("page", [DOCS / "stores.md", DOCS.parent / "README.md", DOCS / "vocabulary.md"])
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in re.findall(r"(?m)^#+ .*$", text)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        assert not path or (page.parent / path).exists(), target
        assert path or anchor in headings, target
