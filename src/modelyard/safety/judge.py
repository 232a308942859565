"""Judges what a pickle reaches: every name, every call with its arguments, every state, by the policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from modelyard.safety.finding import Finding, Verdict
from modelyard.safety.hooks import is_hooked, is_spelled, is_spelled_state
from modelyard.safety.policy import Dangerous, Name, Use, Vetted, lookup
from modelyard.safety.rules import is_own_attribute, objection
from modelyard.safety.values import Long, Made, Mapped, Reference, Unknown, Value, clipped, shown_value

MANY = 200
"""How many findings of each severity one stream keeps."""
NAMES = 100_000
LOADED = 256
"""How many byte strings of one stream are followed."""
Answer = Callable[[Value], tuple[str, Value]]
"""What is wrong with a persistent id, and what it stands for."""
SCRIPTED = Vetted("torch", "class", frozenset(("name", "call", "new", "state")), "any", "a class of the script itself")
MAKERS = ("array", "maker", "unpickler", "rebuild", "enum lookup")
OPENER = "opener"
"""Classes of arrays that open files when they are called, and none where numpy makes an empty one of them."""
GETATTR = ("builtins", "getattr")
FILLS: dict[str, Use] = {"append": "append", "set items": "items", "add": "add"}


class Judge:
    """Watches a machine. `member` is where the stream lies; `persistent` says what is wrong with a persistent id.

    `script` is for the archives of TorchScript: torch's own reader, which imports nothing, looks their classes up.
    """

    def __init__(self, member: str = "", persistent: Answer | None = None, script: bool = False) -> None:
        self.member, self.script = member, script
        self.findings: dict[tuple[str, str], Finding] = {}
        self.names: dict[Name, int] = {}
        """Every name that is asked for, with the offset of the first time."""
        self.inside: list[Value] = []
        """Byte strings that are loaded as pickles in their turn."""
        self.idle: list[Value] = []
        """Byte strings that look like pickles and that nothing loads."""
        self._persistent = persistent
        self._counts: Counter[Verdict] = Counter()

    def find(self, code: str, severity: Verdict, runs: str, offset: int) -> None:
        """Notes a finding once for each thing that would run."""
        if (code, runs) not in self.findings and self._counts[severity] < MANY:
            self._counts[severity] += 1
            self.findings[code, runs] = Finding(code, severity, runs, self.member, offset)

    def _known(self, module: str, name: str) -> Vetted | Dangerous | None:
        return SCRIPTED if self.script and module.startswith("__torch__") else lookup(module, name)

    def reference(self, name: Reference, offset: int) -> bool:
        """A name is looked up: its module is imported."""
        if len(self.names) < NAMES:
            self.names.setdefault(Name(name.module, name.name), offset)
        known = self._known(name.module, name.name)
        shown = clipped(str(name), 120)
        if isinstance(known, Dangerous):
            self.find("dangerous-name", "dangerous", f"{shown}: {known.does}", offset)
        elif known is None or known.kind == OPENER:
            self.find("unvetted-name", "suspicious", shown, offset)
        return isinstance(known, Vetted) and known.guarded

    def unnameable(self, module: Value, name: Value, offset: int) -> bool:
        """A name that the stream computes; False where that cannot be text."""
        if not (_may_be_text(module) and _may_be_text(name)):
            return False
        self.find("computed-name", "dangerous", f"{shown_value(module)} . {shown_value(name)}", offset)
        return True

    def call(self, callee: Value, made: Made, offset: int) -> None:
        """Something is called or made."""
        if not isinstance(callee, Reference):
            what = "what a call gave" if isinstance(callee, Made) else shown_value(callee)
            self.find("computed-call", "dangerous", f"calls {what} with {shown_value(made.arguments)}", offset)
            return
        known = self._known(callee.module, callee.name)
        if isinstance(known, Dangerous):
            self.find("dangerous-call", "dangerous", _shown(callee, made), offset)
        elif known is None:
            self.find("unvetted-call", "suspicious", _shown(callee, made), offset)
        else:
            self._vetted_call(known, callee, made, offset)

    def _vetted_call(self, known: Vetted, callee: Reference, made: Made, offset: int) -> None:
        use = used_by(made)
        if isinstance(made.arguments, tuple) and any(map(is_spelled_state, made.arguments)):
            self._hook("gives it attributes whose names are spelled by calls", offset)
        if use not in known.uses:
            what = f"{_shown(callee, made)}: vetted as {known.kind}, not to be called"
            self.find("unvetted-use", "dangerous" if known.kind == OPENER else "suspicious", what, offset)
        elif (use == "call" or made.arguments != () or made.named) and (why := objection(known.rule, made, self)):
            what = f"{_shown(callee, made)}: {why}"
            if known.kind == "enum lookup" and is_own_attribute(made):
                self.find("unvetted-use", "suspicious", what, offset)
            else:
                self.find("unvetted-arguments", "dangerous", what, offset)

    def attribute(self, callee: Value, arguments: Value) -> Reference | None:
        """The vetted name that `getattr` gives of a class: a pickle may ask for it with a dot instead."""
        if not isinstance(callee, Reference) or (callee.module, callee.name) != GETATTR:
            return None
        if not isinstance(arguments, tuple) or len(arguments) != 2:
            return None
        owner, name = arguments
        if not isinstance(owner, Reference) or not isinstance(name, str):
            return None
        found = Reference(owner.module, f"{owner.name}.{name}")
        return found if isinstance(self._known(found.module, found.name), Vetted) else None

    def build(self, target: Value, state: Value, offset: int) -> None:
        """A state is given to an object. Given to a class, a function or a module it changes that for everybody."""
        if is_spelled_state(state) or (isinstance(target, Made) and target.built):
            self._hook("gives an object two states, or one whose names are spelled by calls", offset)
        if isinstance(target, Reference):
            self.find("changed-name", "dangerous", f"changes {clipped(str(target), 120)} itself", offset)
        elif isinstance(target, Made):
            cls = class_of(target)
            known = self._known(cls.module, cls.name) if cls else None
            if cls is None:
                self.find("computed-call", "dangerous", "gives a state to what a computed call gave", offset)
            elif isinstance(known, Vetted) and "state" not in known.uses and known.kind not in ("random", OPENER):
                self.find("unvetted-use", "dangerous", f"gives a state to {clipped(str(cls), 120)}", offset)
        elif not isinstance(target, Unknown):
            self.find("changed-data", "dangerous", f"gives a state to {shown_value(target)}", offset)

    def fill(self, how: str, target: Value, items: list[Value], offset: int) -> None:
        """Items go into something by its own methods."""
        if isinstance(target, Made) and (cls := class_of(target)) is not None:
            known = self._known(cls.module, cls.name)
            if isinstance(known, Vetted) and items and target.built:
                self._hook("fills an object after its state, by methods that the state may have brought", offset)
            if not isinstance(known, Vetted) or FILLS[how] in known.uses:
                return  # an unvetted one was found when it was named
        if items or isinstance(target, Made):
            what = shown_value(target)
            self.find("wrong-target", "dangerous", f"would {how} in {what}, which is not made for it", offset)

    def keep(self, value: Value, offset: int) -> None:
        """A name that may be called by a rule is kept as a value, where nobody keeps the rule."""
        if isinstance(value, Reference):
            known = self._known(value.module, value.name)
            if isinstance(known, Vetted) and known.guarded:
                self.find("kept-callable", "dangerous", f"keeps {clipped(str(value), 120)} to be called later", offset)

    def pairs(self, target: Value, pairs: list[Value], offset: int) -> None:
        """Keys and values go into a dict or an object."""
        if is_hooked(pairs):
            self._hook("puts something to be called where the unpickler looks for __setstate__", offset)
        if is_spelled(pairs):
            if isinstance(target, Mapped):
                target.spelled = True
            else:
                self._hook("spells the name of an attribute by a call", offset)

    def _hook(self, what: str, offset: int) -> None:
        self.find("hooked-object", "dangerous", what, offset)

    def outside(self, what: str, about: Value, offset: int) -> Value:
        """A value that the stream does not hold."""
        if what == "extension":
            self.find("extension-code", "dangerous", f"whatever is registered under the number {about}", offset)
        elif what == "buffer":
            self.find("outside-buffer", "unknown", "a buffer that is kept elsewhere", offset)
        else:
            why, value = "its loader alone knows what it means", None
            if self._persistent is not None:
                why, value = self._persistent(about)
            if why:
                self.find("persistent-id", "unknown", f"the persistent id {shown_value(about)}: {why}", offset)
            return Unknown(what, about) if value is None else value
        return Unknown(what, about)

    def looks_like_pickle(self, data: Value, offset: int) -> None:
        """A text or byte string begins like a pickle."""
        if len(self.idle) < MANY:
            self.idle.append(data)

    def oddity(self, code: str, what: str, offset: int) -> None:
        """Something that no honest writer of pickles does."""
        self.find(code, "dangerous", what, offset)

    # what the rules ask

    def call_inside(self, callee: Reference, arguments: Value) -> str:
        """What is wrong with a call that a vetted function makes; empty for nothing."""
        known = self._known(callee.module, callee.name)
        if not isinstance(known, Vetted) or "call" not in known.uses:
            return f"calls {clipped(str(callee), 80)}, which is not vetted to be called"
        return objection(known.rule, Made(callee, "REDUCE", arguments), self)

    def pickle_inside(self, data: Value) -> str:
        """Notes bytes that are loaded in their turn."""
        if not isinstance(data, bytes | bytearray | Long):
            return "loads what is no plain bytes"
        if any(each is data for each in self.inside):
            return ""
        if len(self.inside) >= LOADED:
            return "loads more byte strings than are followed"
        self.inside.append(data)
        return ""


def used_by(made: Made) -> Use:
    """How a call uses what it calls: as a class that makes an empty instance, or as a function."""
    if made.how in ("NEWOBJ", "NEWOBJ_EX"):
        return "new"
    known = lookup(made.made_by.module, made.made_by.name) if made.made_by else None
    empty = made.how in ("OBJ", "INST") and made.arguments == ()
    return "new" if empty and isinstance(known, Vetted) and "new" in known.uses else "call"


def _may_be_text(value: Value) -> bool:
    """Whether a value may be text: what an unknown call gives may be, an instance of a vetted class is not."""
    if isinstance(value, Made) and value.made_by is not None and value.how in ("NEWOBJ", "NEWOBJ_EX"):
        known = lookup(value.made_by.module, value.made_by.name)
        return not isinstance(known, Vetted) or value.made_by.module == "builtins"
    return isinstance(value, str | Long | Made | Unknown)


def class_of(made: Made) -> Reference | None:
    """The class of what a call gives, as far as the stream tells: the one that a vetted maker was given, or itself."""
    maker = made.made_by
    known = lookup(maker.module, maker.name) if maker else None
    given = made.arguments if isinstance(made.arguments, tuple) else ()
    if not isinstance(known, Vetted) or known.kind not in MAKERS:
        return maker
    at = 1 if known.rule == "rebuild by name" else 0
    first = given[at] if len(given) > at else None
    return first if isinstance(first, Reference) else maker


def _shown(callee: Reference, made: Made) -> str:
    """A call as people read it; most are vetted and never shown."""
    return f"{clipped(str(callee), 120)}{_arguments(made)}"


def _arguments(made: Made) -> str:
    """The arguments of a call as people read them."""
    inner = shown_value(made.arguments)
    text = inner if inner.startswith("(") else f"(*{inner})"
    return text if made.named is None else f"{text[:-1]}, **{shown_value(made.named)})"
