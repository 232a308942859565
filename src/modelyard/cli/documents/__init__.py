"""The JSON documents of the command line, as types."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.archiving import Archived, Recalled
from modelyard.cli.documents.changing import (
    BreakLine,
    BudgetLine,
    Checked,
    JournalLine,
    Journals,
    Made,
    MoveLine,
    PinLine,
    Pinned,
    PlanLine,
    Planned,
    ReceiptLine,
    RefusedLine,
    SkippedLine,
    StepLine,
)
from modelyard.cli.documents.converting import AgreementLine, Converted, LeftOutLine, WrittenLine
from modelyard.cli.documents.deduping import (
    AlikeLine,
    Duplicated,
    EqualFileLine,
    EqualLine,
    FormatsLine,
    PhaseLine,
)
from modelyard.cli.documents.environments import Frozen, Proved, Rebuilt
from modelyard.cli.documents.looking import (
    ArtifactLine,
    Built,
    ComplaintLine,
    DiskLine,
    Examined,
    FileLine,
    KindLine,
    Listing,
    OpportunityLine,
    Overview,
    PartLine,
    ProblemLine,
    PruneLine,
    RootLine,
    SharerLine,
    Shown,
    StoreLine,
    Top,
    TopLine,
    Totals,
    Used,
    UseLine,
    Where,
    WhereLine,
)
from modelyard.cli.documents.reading import DtypeLine, Headers, InsideLine, InspectedLine, NeedLine, TensorLine
from modelyard.cli.documents.registering import (
    Aliases,
    Compared,
    Described,
    EntryLine,
    Founded,
    Registered,
    SavedVersion,
    TakenOut,
    TensorDifference,
    VerifiedLine,
    VerifiedVersions,
    VersionLine,
)
from modelyard.cli.documents.scanning import FindingLine, ScannedFiles, ScannedLine
from modelyard.cli.documents.verifying import OutcomeLine, RepairLine, VerifiedFiles

__all__ = [
    "DOCUMENTS", "AgreementLine", "Aliases", "AlikeLine", "Archived", "ArtifactLine", "BreakLine", "BudgetLine",
    "Built", "Checked", "Compared", "ComplaintLine", "Converted", "Described", "DiskLine", "DtypeLine",
    "Duplicated", "EntryLine", "EqualFileLine", "EqualLine", "Examined", "FileLine", "FindingLine", "FormatsLine",
    "Founded", "Frozen", "Headers", "InsideLine", "InspectedLine", "JournalLine", "Journals", "KindLine",
    "LeftOutLine", "Listing", "Made", "MoveLine", "NeedLine", "OpportunityLine", "OutcomeLine", "Overview",
    "PartLine", "PhaseLine", "PinLine", "Pinned", "PlanLine", "Planned", "ProblemLine", "Proved", "PruneLine",
    "Rebuilt", "Recalled", "ReceiptLine", "RefusedLine", "Registered", "RepairLine", "RootLine", "SavedVersion",
    "ScannedFiles", "ScannedLine", "SharerLine", "Shown", "SkippedLine", "StepLine", "StoreLine", "TakenOut",
    "TensorDifference", "TensorLine", "Top", "TopLine", "Totals", "UseLine", "Used", "VerifiedFiles",
    "VerifiedLine", "VerifiedVersions", "VersionLine", "Where", "WhereLine", "WrittenLine",
]  # fmt: skip

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "modelyard": Overview,
    "ls": Listing,
    "show": Shown,
    "top": Top,
    "where": Where,
    "dupes": Duplicated,
    "clean": Planned,
    "dedupe": Planned,
    "link": Planned,
    "move": Planned,
    "apply": Made,
    "env freeze": Frozen,
    "env restore": Rebuilt,
    "env prove": Proved,
    "undo": Made,
    "purge": Made,
    "journal": Journals,
    "pin": Pinned,
    "check": Checked,
    "scan": ScannedFiles,
    "verify": VerifiedFiles,
    "doctor": Examined,
    "inspect": Headers,
    "convert": Converted,
    "archive": Archived,
    "recall": Recalled,
    "registry init": Founded,
    "registry ls": Registered,
    "registry show": Described,
    "registry save": SavedVersion,
    "registry load": TakenOut,
    "registry verify": VerifiedVersions,
    "registry diff": Compared,
    "registry alias": Aliases,
    "registry rm": Made,
    "demo": Built,
}
