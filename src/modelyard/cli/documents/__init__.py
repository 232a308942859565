"""The JSON documents of the command line, as types."""

from __future__ import annotations

import msgspec

from modelyard.cli.documents.changing import JournalLine as JournalLine
from modelyard.cli.documents.changing import Journals as Journals
from modelyard.cli.documents.changing import Made as Made
from modelyard.cli.documents.changing import PlanLine as PlanLine
from modelyard.cli.documents.changing import Planned as Planned
from modelyard.cli.documents.changing import ReceiptLine as ReceiptLine
from modelyard.cli.documents.changing import RefusedLine as RefusedLine
from modelyard.cli.documents.changing import SkippedLine as SkippedLine
from modelyard.cli.documents.changing import StepLine as StepLine
from modelyard.cli.documents.looking import ArtifactLine as ArtifactLine
from modelyard.cli.documents.looking import Built as Built
from modelyard.cli.documents.looking import DiskLine as DiskLine
from modelyard.cli.documents.looking import FileLine as FileLine
from modelyard.cli.documents.looking import KindLine as KindLine
from modelyard.cli.documents.looking import Listing as Listing
from modelyard.cli.documents.looking import OpportunityLine as OpportunityLine
from modelyard.cli.documents.looking import Overview as Overview
from modelyard.cli.documents.looking import PartLine as PartLine
from modelyard.cli.documents.looking import ProblemLine as ProblemLine
from modelyard.cli.documents.looking import PruneLine as PruneLine
from modelyard.cli.documents.looking import RootLine as RootLine
from modelyard.cli.documents.looking import SharerLine as SharerLine
from modelyard.cli.documents.looking import Shown as Shown
from modelyard.cli.documents.looking import StoreLine as StoreLine
from modelyard.cli.documents.looking import Top as Top
from modelyard.cli.documents.looking import TopLine as TopLine
from modelyard.cli.documents.looking import Totals as Totals
from modelyard.cli.documents.looking import Used as Used
from modelyard.cli.documents.looking import UseLine as UseLine
from modelyard.cli.documents.looking import Where as Where
from modelyard.cli.documents.looking import WhereLine as WhereLine

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "modelyard": Overview,
    "ls": Listing,
    "show": Shown,
    "top": Top,
    "where": Where,
    "clean": Planned,
    "apply": Made,
    "undo": Made,
    "purge": Made,
    "journal": Journals,
    "demo": Built,
}
