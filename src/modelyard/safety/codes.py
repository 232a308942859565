"""What each code of a finding means, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A code: what it stands for in one line, why it matters, and what to do."""

    title: str
    meaning: str
    advice: str


_DELETE = "do not load it; get the model from its maker, or as safetensors"
_VET = "read the code that it names before loading it, or get the weights as safetensors"
_AGAIN = "get or make the file again; until then treat it as unsafe"
_SHAPE = "load it only when its maker and the loader are known to you"
_UNPACK = "unpack it and scan what it holds"
CODES: dict[str, Code] = {
    "dangerous-name": Code(
        "it asks for something that runs code, changes files or opens connections",
        "Loading imports the named thing. Nothing that saves models asks for it, called or not.",
        _DELETE,
    ),
    "dangerous-call": Code(
        "it calls something that runs code, changes files or opens connections",
        "The call happens while the file loads, with the arguments shown, before any check of the result.",
        _DELETE,
    ),
    "unvetted-name": Code(
        "it needs code that nobody here has looked at",
        "Loading imports the named module and may run what it holds. Own classes and less known packages look so.",
        _VET,
    ),
    "unvetted-call": Code("it calls code that nobody here has looked at", "The call happens while it loads.", _VET),
    "unvetted-use": Code(
        "it uses a vetted name in another way than vetted",
        "The name is known to be harmless as something else: a class that is made, a function that is kept.",
        _VET,
    ),
    "unvetted-arguments": Code(
        "it calls a vetted name with arguments that are not",
        "Some functions are safe with plain numbers and texts and with nothing else.",
        _DELETE,
    ),
    "computed-name": Code(
        "it computes the name of what it imports",
        "A name that does not stand in the file can be anything. Honest files spell their names.",
        _DELETE,
    ),
    "computed-call": Code(
        "it calls what another call gave",
        "What that is cannot be known without running it. Honest files call names.",
        _DELETE,
    ),
    "changed-name": Code(
        "it changes a class, a function or a module for the whole program",
        "What is set there runs later, in code that trusts it.",
        _DELETE,
    ),
    "changed-data": Code("it gives a state to what has none", "No honest file does.", _DELETE),
    "wrong-target": Code(
        "it puts items into what is not made for them",
        "That calls methods by surprise; in torch before 2.10 it could overwrite memory (CVE-2026-24747).",
        _DELETE,
    ),
    "hooked-object": Code(
        "it makes the loader call what the file put into an object",
        "Unpicklers ask an object itself for __setstate__, append and extend, and call what they find there.",
        _DELETE,
    ),
    "kept-callable": Code(
        "it keeps a function to be called later that is only safe in one place",
        "Whoever calls it later chooses other arguments.",
        _DELETE,
    ),
    "extension-code": Code(
        "it asks for something by a number", "What the number stands for is not in the file.", _DELETE
    ),
    "outside-buffer": Code("it needs bytes that lie elsewhere", "They were not looked at.", "scan those bytes too"),
    "persistent-id": Code(
        "it needs a loader of its own", "What the loader does for such an id is not in the file.", _SHAPE
    ),
    "memory-bomb": Code("loading it would take the memory away", "It asks for far more room than it fills.", _DELETE),
    "frame-mismatch": Code(
        "it is two programs in one",
        "An instruction straddles a frame (PEP 3154). Python before 3.13.15 and 3.14.7 runs other instructions from"
        " some sources than from others (gh-154848). Both were followed.",
        _DELETE,
    ),
    "broken-stream": Code(
        "it breaks off or cannot be followed",
        "What stands before the break runs all the same and is judged; the rest is not known.",
        _AGAIN,
    ),
    "unaccounted-bytes": Code(
        "bytes behind the end that nothing explains", "Some readers look there, and people hide things there.", _AGAIN
    ),
    "too-long": Code("it is longer than what is followed", "The rest is not known.", _SHAPE),
    "too-deep": Code("files lie too deep inside each other", "The innermost were not looked at.", _UNPACK),
    "too-large": Code("it unpacks to more than is unpacked", "A small file that fills a disk.", _DELETE),
    "idle-pickle": Code(
        "a dangerous pickle is kept as text", "Nothing in this file loads it; code that uses the file might.", _VET
    ),
    "broken-archive": Code("an archive that cannot be listed or unpacked", "What it holds is not known.", _AGAIN),
    "archive-mismatch": Code(
        "readers of this archive disagree", "Python's zipfile and torch see different contents or refuse.", _AGAIN
    ),
    "path-escape": Code(
        "unpacking it would write outside its folder", "Links and paths with .. do that.", "do not unpack it"
    ),
    "polyglot": Code("it is two kinds of file in one", "Each reader sees another one.", _AGAIN),
    "unsupported": Code(
        "a kind of file that is not looked into",
        "Whether loading it runs code is not known.",
        "unpack what is packed and scan that; ask who made it what any other file is",
    ),
    "unreadable": Code("it could not be read", "Nothing is known of it.", "make it readable and scan again"),
    "broken-file": Code("a file of a known kind that cannot be read to its end", "The rest is not known.", _AGAIN),
    "keras-lambda": Code(
        "a layer is Python bytecode out of the file",
        "Loading rebuilds the function; calling the model runs it. Keras refuses that with safe_mode=True.",
        _VET,
    ),
    "external-data": Code(
        "it takes data from another file",
        "A path that leads outside the folder reads whatever the user may read.",
        "load it only from a folder of its own without links",
    ),
    "custom-operator": Code(
        "it needs operators that a library must bring", "The library is code like any other.", _VET
    ),
    "graph-operation": Code(
        "an operator reaches files, connections or Python", "It does so when the graph runs.", _DELETE
    ),
    "template-attribute": Code(
        "a chat template reaches further than a chat needs",
        "Rendering it without a sandbox runs code (CVE-2024-34359).",
        "do not use its template; take the one of the model it was made from",
    ),
    "remote-code": Code(
        "code of the repository runs when its user agrees",
        "trust_remote_code=True, a custom pipeline or a handler imports and runs Python files.",
        "read those files, and pin the revision that was read",
    ),
    "native-code": Code("machine code", "Loading a library or starting a program runs it.", _VET),
    "code-file": Code(
        "code lies beside the weights",
        "Loading the weights needs none of it: it runs when its user agrees (trust_remote_code, custom pipelines, "
        "handlers) or starts it.",
        "read it before it runs, and leave trust_remote_code off",
    ),
    "secret": Code(
        "a secret stands in the file", "Whoever gets the file can use it.", "revoke the secret, then remove it"
    ),
    "header-lies": Code(
        "its header is not what it says", "Readers of less care may read past the end or see other tensors.", _AGAIN
    ),
    "needs-pickle": Code("an array of objects, kept as a pickle", "It was followed like every pickle.", ""),
}  # fmt: skip


def advice(code: str) -> str:
    """What to do about a finding."""
    return CODES[code].advice
