"""Documents of the verbs that change something: plans, receipts, journals."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.looking import SCHEMA_VERSION, ProblemLine


class StepLine(msgspec.Struct):
    """One change of a plan, in the order in which they are made."""

    do: str
    path: str
    artifact: str
    recovery: str
    proof: str
    freed: int


class SkippedLine(msgspec.Struct):
    """An artifact that was left out of a plan, or of which something stays, and why."""

    artifact: str
    why: str


class BreakLine(msgspec.Struct):
    """Somebody who asks for an artifact of the plan by name, and would not find it."""

    artifact: str
    who: str
    evidence: str


class MoveLine(msgspec.Struct):
    """What gets another place. `how` its owner is told: `file` gets `lines`; `say` are lines for a person."""

    artifact: str
    store: str
    source: str
    target: str
    how: str
    why: str
    bytes: int
    entries: int
    renamed: bool
    file: str | None
    lines: list[str]
    say: list[str]
    notes: list[str]


class PlanLine(msgspec.Struct):
    """What would change. `freed` is of the whole set; `exact` false: at least so much.

    `fetch` are the bytes to be fetched again at most, each file once, in `fetch_seconds` at `rate` bits a second.
    """

    id: str
    title: str
    digest: str
    steps: list[StepLine]
    freed: int
    exact: bool
    worst_proof: str
    skipped: list[SkippedLine]
    fetch: int
    rate: int
    fetch_seconds: int
    breaks: list[BreakLine]
    moves: list[MoveLine] = []


class Planned(msgspec.Struct):
    """A plan that was made and not applied."""

    plan: PlanLine
    schema_version: int = SCHEMA_VERSION


class RefusedLine(msgspec.Struct):
    """A step that was not made, and why."""

    path: str
    why: str


class ReceiptLine(msgspec.Struct):
    """What was done: steps, bytes as predicted, and bytes as measured where some were freed for good."""

    journal_id: str
    done: int
    skipped: list[RefusedLine]
    failed: list[RefusedLine]
    freed_predicted: int
    freed_measured: int | None
    for_good: int = 0
    """Things that services removed: none of them waits in the trash."""
    capsules: list[str] = []
    """Capsules that were written before environments went."""


class Made(msgspec.Struct):
    """What a verb that changes something did."""

    receipt: ReceiptLine
    schema_version: int = SCHEMA_VERSION


class JournalLine(msgspec.Struct):
    """A plan that was applied: how many of its steps wait in the trash, were undone, were purged."""

    id: str
    title: str
    created: str
    steps: int
    in_trash: int
    undone: int
    purged: int
    freed: int


class Journals(msgspec.Struct):
    """Every plan that was applied, the oldest first."""

    journals: list[JournalLine]
    problems: list[ProblemLine]
    schema_version: int = SCHEMA_VERSION


class PinLine(msgspec.Struct):
    """An id that is in no plan, and whether the survey found it."""

    id: str
    here: bool


class Pinned(msgspec.Struct):
    """Everything that is pinned."""

    pins: list[PinLine]
    schema_version: int = SCHEMA_VERSION


class BudgetLine(msgspec.Struct):
    """A limit of the settings, bytes: a store's name with the most it may take, or a disk with the least to be free."""

    name: str
    limit: int
    found: int
    exceeded: bool


class Checked(msgspec.Struct):
    """Every budget, the exceeded ones first."""

    budgets: list[BudgetLine]
    schema_version: int = SCHEMA_VERSION
