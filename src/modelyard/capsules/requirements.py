"""The list of packages for pip, readable on its own."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.capsules.capsule import Package, Sources


def requirements(packages: Sequence[Package], sources: Sequence[Sources]) -> str:
    """Every distribution that pip would install, with the hashes that are known; the others as comments."""
    lines = [
        "# pip install --no-deps --find-links wheels -r requirements.txt, with the wheels of this capsule unpacked"
    ]
    lines += [_line(each) for each in packages if each.source != "conda"]
    for each in sources:
        lines.append(
            f"# {each.name} was edited in {each.folder}" + (f", {each.remote} at {each.commit}" if each.commit else "")
        )
    return "\n".join(lines) + "\n"


def _line(each: Package) -> str:
    if each.source == "sources":
        return f"# {each.pinned} was edited in place"
    if each.source == "nowhere":
        return f"# {each.pinned} came from {each.url or 'nowhere'} and is not inside"
    if each.source == "url":
        return located(each)
    return "  # ".join([each.pinned, *each.hashes])  # as comments: with one hash pip wants all of them


def located(each: Package) -> str:
    """A requirement by its address."""
    if not each.commit:
        return f"{each.name} @ {each.url}" + "".join(f" --hash={hash_}" for hash_ in each.hashes)
    address = each.url if each.url.startswith("git+") else f"git+{each.url}"
    part = f"#subdirectory={each.subdirectory}" if each.subdirectory else ""
    return f"{each.name} @ {address}@{each.commit}{part}"
