"""The overview: every store, every kind, the disk, and where most could come back, on one screen."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from modelyard import api
from modelyard.cli import documents
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request
from modelyard.cli.output import bar, console, freed, shorten
from modelyard.inventory import Inventory
from modelyard.policies.opportunities import Opportunity
from modelyard.units import size
from modelyard.walk.text import shown

BAR = 22
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red", "bright_black")


def overview(request: Request) -> int:
    """Surveys and prints the overview, as a screen or as JSON."""
    found, seconds = look(request)
    chances = api.opportunities(found, time.time_ns())
    if request.json:
        documents.emit(document(found.inventory, chances))
    else:
        out = console()
        out.print(screen(found, chances, seconds, out))
    return exit_code(found)


def document(inventory: Inventory, chances: Sequence[Opportunity]) -> documents.Overview:
    """The overview as data."""
    stores = [
        documents.StoreLine(
            each.store.name,
            each.store.title,
            each.artifacts,
            each.sizes.apparent,
            each.sizes.allocated,
            each.sizes.freed,
            each.sizes.exact,
            each.unclaimed,
        )
        for each in inventory.holdings
    ]
    kinds = [
        documents.KindLine(kind, count, sizes.apparent, sizes.allocated, sizes.freed, sizes.exact)
        for kind, (count, sizes) in inventory.kinds.items()
    ]
    return documents.Overview(
        shown(inventory.home),
        [shown(start) for start in inventory.starts],
        inventory.partial,
        documents.totals(inventory.totals),
        inventory.overlap,
        [documents.DiskLine(disk.device, disk.total, disk.free) for disk in inventory.disks],
        stores,
        kinds,
        [_chance_line(each) for each in chances],
        documents.problems(inventory.problems),
    )


def _chance_line(chance: Opportunity) -> documents.OpportunityLine:
    sizes = chance.sizes
    return documents.OpportunityLine(chance.title, len(chance.ids), sizes.freed, sizes.exact, chance.command)


def screen(found: api.Survey, chances: Sequence[Opportunity], seconds: float, out: Console) -> Group:
    """Everything on one screen; nothing wraps."""
    inventory = found.inventory
    title = Text.assemble(
        ("modelyard", "bold"),
        f"  {shorten(shown(inventory.home), max(out.width - 50, 20))}",
        (f"  {len(found.tree):,} entries in {seconds:.1f} s{', partial' if inventory.partial else ''}", "dim"),
    )
    parts: list[RenderableType] = [title, Text()]
    if inventory.artifacts:
        parts += [_stores(inventory), Text(), _kinds(inventory), Text()]
    else:
        parts += [
            Text("No model, environment, checkpoint or cache here. `modelyard where` tells where it looked."),
            Text(),
        ]
    parts += [*_disks(inventory), *_chances(chances), *_problems(inventory, out.width)]
    return Group(*parts)


def _grid(*justify: str) -> Table:
    drawn = Table.grid(padding=(0, 2))
    for each in justify:
        drawn.add_column(justify="right" if each == "r" else "left", no_wrap=True)
    return drawn


def _stores(inventory: Inventory) -> Table:
    drawn = _grid("l", "r", "r", "r", "r", "l")
    drawn.add_row(*(Text(head, "bold") for head in ("Store", "Items", "Apparent", "On disk", "Freed if removed", "")))
    most = max((each.sizes.allocated for each in inventory.holdings), default=0) or 1
    for each in sorted(inventory.holdings, key=lambda held: -held.sizes.allocated):
        if each.artifacts or each.unclaimed:
            drawn.add_row(
                each.store.title,
                f"{each.artifacts:,}",
                size(each.sizes.apparent),
                size(each.sizes.allocated),
                freed(each.sizes),
                Text(bar(each.sizes.allocated / most, BAR), "cyan"),
            )
            if each.unclaimed > 1 << 20:
                drawn.add_row(
                    Text("  unclaimed", "dim"),
                    "",
                    "",
                    Text(size(each.unclaimed), "dim"),
                    Text("never offered", "dim"),
                    "",
                )
    both = inventory.totals
    note = f"{size(inventory.overlap)} under two stores, counted once" if inventory.overlap > 0 else ""
    drawn.add_row(
        Text("Total", "bold"),
        Text(f"{len(inventory.artifacts):,}", "bold"),
        Text(size(both.apparent), "bold"),
        Text(size(both.allocated), "bold"),
        Text(freed(both), "bold"),
        Text(note, "dim"),
    )
    return drawn


def _kinds(inventory: Inventory) -> Table:
    drawn = _grid("l", "r", "r", "l")
    total = sum(sizes.allocated for _, sizes in inventory.kinds.values()) or 1
    for at, (kind, (_, sizes)) in enumerate(inventory.kinds.items()):
        share = sizes.allocated / total
        drawn.add_row(
            kind, size(sizes.allocated), f"{100 * share:.0f} %", Text(bar(share, 2 * BAR), COLOURS[at % len(COLOURS)])
        )
    return drawn


def _disks(inventory: Inventory) -> list[RenderableType]:
    drawn = _grid("l", "r", "l")
    for disk in inventory.disks:
        used = 1 - disk.free / disk.total if disk.total else 0.0
        colour = "red" if used > 0.9 else "yellow" if used > 0.75 else "green"
        drawn.add_row(
            shorten(f"disk {shown(disk.device)}", 36),
            f"{size(disk.free)} free of {size(disk.total)}",
            Text(bar(used, BAR), colour) + Text(f" {100 * used:.0f} % used", "dim"),
        )
    return [drawn]


def _chances(chances: Sequence[Opportunity]) -> list[RenderableType]:
    if not chances:
        return []
    drawn = _grid("r", "r", "l", "l")
    for each in chances:
        drawn.add_row(freed(each.sizes), f"{len(each.ids):,}", each.title, Text(each.command, "dim"))
    return [Text(), Text("Biggest opportunities", "bold"), drawn]


def _problems(inventory: Inventory, width: int) -> list[RenderableType]:
    found = inventory.problems
    if not found:
        return []
    lines: list[RenderableType] = [
        Text(),
        Text(f"{len(found):,} problem{'s' if len(found) > 1 else ''}", "bold yellow"),
    ]
    lines += [
        Text(f"  {shorten(each.path, width // 2)}: {shorten(each.message, width // 2 - 6)}") for each in found[:3]
    ]
    if len(found) > 3:
        lines.append(Text("  all of them: modelyard --json", "dim"))
    return lines
