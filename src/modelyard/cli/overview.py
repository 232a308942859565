"""The overview: every store, every kind, the disk, and where most could come back, on one screen."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from modelyard import api
from modelyard.cli import as_json, documents
from modelyard.cli.looking import exit_code, look
from modelyard.cli.options import Request
from modelyard.cli.output import bar, console, freed, shorten
from modelyard.inventory import Inventory
from modelyard.policies.opportunities import Opportunity
from modelyard.units import size
from modelyard.walk.text import shown

BAR = 44
WORTH_A_LINE = 1 << 20
LOW = 34
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red", "bright_black")


def overview(request: Request) -> int:
    """Surveys and prints the overview, as a screen or as JSON."""
    found, seconds = look(request)
    chances = api.opportunities(found, time.time_ns())
    if request.json:
        as_json.emit(document(found, chances))
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
        as_json.totals(inventory.totals),
        inventory.overlap,
        [documents.DiskLine(disk.device, disk.total, disk.free) for disk in inventory.disks],
        stores,
        kinds,
        [_chance_line(each) for each in chances],
        as_json.problems(inventory.problems),
    )


def _chance_line(chance: Opportunity) -> documents.OpportunityLine:
    sizes = chance.sizes
    return documents.OpportunityLine(chance.title, len(chance.ids), sizes.freed, sizes.exact, chance.command)


def screen(found: api.Survey, chances: Sequence[Opportunity], seconds: float, out: Console) -> Group:
    """Everything on one screen; nothing wraps. On a low one there are no blank lines and no commands."""
    low = out.is_terminal and out.height < LOW
    walked = f"  {found.tree.totals().entries:,} entries in {seconds:.1f} s{', partial' if found.partial else ''}"
    home = shorten(shown(found.home), max(out.width - len(walked) - 11, 12))
    parts: list[list[RenderableType]] = [[Text.assemble(("modelyard", "bold"), f"  {home}", (walked, "dim"))]]
    if found.artifacts:
        parts += [[_stores(found, out.width)], [_kinds(found, out.width)]]
    else:
        words = "No model, environment, checkpoint or cache here."
        parts.append([Text(words), Text("`modelyard where` tells where it looked.", "dim")])
    parts += [
        [_disks(found)] if found.disks else [],
        _chances(chances, out.width, low=low),
        _problems(found, out.width),
    ]
    between = [] if low else [Text()]
    lines = [each for part in parts if part for each in (*between, *part)]
    return Group(*lines[len(between) :])


def _grid(rows: Sequence[Sequence[Text]], justify: str) -> Table:
    drawn = Table.grid(padding=(0, 2, 0, 0))
    for each in justify:
        drawn.add_column(justify="right" if each == "r" else "left", no_wrap=True)
    for at, each in enumerate(justify):
        if each == "r":  # a cut number is a wrong number
            drawn.columns[at].min_width = max((row[at].cell_len for row in rows), default=0)
    for row in rows:
        drawn.add_row(*row)
    return drawn


def _bars(
    rows: Sequence[list[Text]], values: Sequence[float], colours: Sequence[str], justify: str, width: int
) -> Table:
    """Rows with a bar behind each that takes the room left; without the bars where there is none."""
    taken = sum(max(row[at].cell_len for row in rows) + 2 for at in range(len(rows[0])))
    room = min(width - taken, BAR)
    if room < 4:
        return _grid(rows, justify)
    most = max(values, default=0) or 1
    drawn = [Text(bar(value / most, room), colour) for value, colour in zip(values, colours, strict=True)]
    return _grid([[*row, each] for row, each in zip(rows, drawn, strict=True)], justify + "l")


def _stores(inventory: Inventory, width: int) -> Table:
    rows = [[Text(head, "bold") for head in ("Store", "Items", "Apparent", "On disk", "Frees")]]
    values = [0.0]
    for each in sorted(inventory.holdings, key=lambda held: -held.sizes.allocated):
        if not each.artifacts and each.unclaimed <= WORTH_A_LINE:
            continue
        sizes = each.sizes
        cells = (each.store.title, f"{each.artifacts:,}", size(sizes.apparent), size(sizes.allocated), freed(sizes))
        rows.append([Text(cell) for cell in cells])
        values.append(sizes.allocated)
        if each.unclaimed > WORTH_A_LINE:
            rows.append([Text(cell, "dim") for cell in ("  unclaimed", "", "", size(each.unclaimed), "never")])
            values.append(0.0)
    total = inventory.totals
    cells = ("Total", f"{len(inventory.artifacts):,}", size(total.apparent), size(total.allocated), freed(total))
    rows.append([Text(cell, "bold") for cell in cells])
    if inventory.overlap > 0:
        rows.append([Text("  counted once", "dim"), Text(), Text(), Text(size(inventory.overlap), "dim"), Text()])
    values += [0.0] * (len(rows) - len(values))
    return _bars(rows, values, ["cyan"] * len(rows), "lrrrr", width)


def _kinds(inventory: Inventory, width: int) -> Table:
    total = sum(sizes.allocated for _, sizes in inventory.kinds.values()) or 1
    values = [sizes.allocated for _, sizes in inventory.kinds.values()]
    rows = [
        [Text(kind), Text(size(value)), Text(f"{100 * value / total:.0f} %")]
        for kind, value in zip(inventory.kinds, values, strict=True)
    ]
    twice = sum(values) - inventory.totals.allocated
    if twice > 0:
        rows.append([Text("  in two kinds", "dim"), Text(size(twice), "dim"), Text()])
        values.append(0)
    return _bars(rows, values, [COLOURS[at % len(COLOURS)] for at in range(len(rows))], "lrr", width)


def _disks(inventory: Inventory) -> Table:
    rows = []
    for disk in inventory.disks:
        used = 1 - disk.free / disk.total if disk.total else 0.0
        colour = "red" if used > 0.9 else "yellow" if used > 0.75 else "green"
        words = f"{size(disk.free)} free of {size(disk.total)}"
        share = Text(bar(used, BAR // 2), colour) + Text(f" {100 * used:.0f} % used", "dim")
        rows.append([Text(shorten(f"disk {shown(disk.device)}", 24)), Text(words), share])
    return _grid(rows, "lrl")


def _chances(chances: Sequence[Opportunity], width: int, *, low: bool) -> list[RenderableType]:
    """The reasons, with their commands behind them where these fit, below them where not, on a low screen without."""
    if not chances:
        return []
    rows = [[Text(freed(each.sizes)), Text(f"{len(each.ids):,}"), Text(each.title)] for each in chances]
    taken = sum(max(row[at].cell_len for row in rows) + 2 for at in range(3))
    commands = [Text(each.command, "dim") for each in chances]
    if taken + max(command.cell_len for command in commands) <= width:
        rows = [[*row, command] for row, command in zip(rows, commands, strict=True)]
    elif not low:
        below = [[row, [Text(), Text(), command]] for row, command in zip(rows, commands, strict=True)]
        rows = [line for pair in below for line in pair]
    more = Text("modelyard clean plans what of it can go without loss, and asks", "dim")
    return [Text("Biggest opportunities", "bold"), _grid(rows, "rrll"[: len(rows[0])]), more]


def _problems(inventory: Inventory, width: int) -> list[RenderableType]:
    found = inventory.problems
    if not found:
        return []
    head = Text(f"{len(found):,} problem{'s' if len(found) > 1 else ''}", "bold yellow")
    half = width // 2
    lines = [Text(f"  {shorten(each.path, half)}: {shorten(each.message, half - 6)}") for each in found[:3]]
    more = [Text("  all of them: modelyard --json", "dim")] if len(found) > 3 else []
    return [head, *lines, *more]
