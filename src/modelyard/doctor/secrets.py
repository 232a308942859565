"""Secrets that others on this machine can read: their paths and modes alone, never their contents."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from modelyard.doctor.complaint import Complaint
from modelyard.doctor.examination import Examination
from modelyard.stores.places import expand, xdg_cache
from modelyard.walk.text import shown

PLACES = (
    ("~/.huggingface/token", "the Hugging Face token"),
    ("~/.ollama/id_ed25519", "the private key of Ollama"),
    ("~/.kaggle/kaggle.json", "the Kaggle key"),
    ("~/.kaggle/access_token", "the Kaggle token"),
    ("~/.config/kaggle/kaggle.json", "the Kaggle key"),
    ("~/.netrc", "the passwords in .netrc, where wandb keeps its key"),
    ("~/_netrc", "the passwords in _netrc, where wandb keeps its key"),
    ("~/.git-credentials", "the passwords of git, where `hf auth login` may put its token"),
    ("~/.mlflow/credentials", "the password of MLflow"),
    ("~/invokeai/api_keys.yaml", "the keys of InvokeAI"),
)
OTHERS, GROUP = (stat.S_IROTH, stat.S_IXOTH), (stat.S_IRGRP, stat.S_IXGRP)
MANY = 50


def readable_by_others(examination: Examination) -> Iterator[Complaint]:
    """Secrets with modes that let others in, where the folders above them do so too."""
    for path, what in _secrets(examination):
        try:
            seen = os.stat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue
        except OSError as error:
            yield _unseen(examination, path, what, error)
            continue
        if examination.platform == "windows":
            yield _unseen(examination, path, what, OSError("the rights of Windows are not read"))
            continue
        who = _readers(path, seen) if stat.S_ISREG(seen.st_mode) else ""
        if who:
            yield Complaint(
                "readable-secret",
                "danger",
                examination.label(path),
                f"{who} can read {what}: {examination.label(path)} has mode {stat.S_IMODE(seen.st_mode):o}",
                "whoever reads it can act in your name",
                examination.words("chmod", "600", path),
            )


def _secrets(examination: Examination) -> Iterator[tuple[str, str]]:
    env, home = examination.env, examination.home
    hub = expand(env["HF_HOME"], env, home) if env.get("HF_HOME") else f"{xdg_cache(env, home)[0]}/huggingface"
    found = dict(PLACES)
    found |= {f"{hub}/token": "the Hugging Face token", f"{hub}/stored_tokens": "the Hugging Face tokens"}
    named = {
        "HF_TOKEN_PATH": ("", "the Hugging Face token"),
        "KAGGLE_CONFIG_DIR": ("/kaggle.json", "the Kaggle key"),
        "INVOKEAI_ROOT": ("/api_keys.yaml", "the keys of InvokeAI"),
        "NETRC": ("", "the passwords in .netrc, where wandb keeps its key"),
    }
    found |= {env[name] + rest: what for name, (rest, what) in named.items() if env.get(name)}
    for path, what in found.items():
        yield expand(path, env, home), what
    credentials = examination.tree.find(os.path.realpath(f"{home}/.modelscope/credentials"))
    for row in sorted(examination.tree.children(credentials).values())[:MANY] if credentials is not None else ():
        yield examination.path(row), "the ModelScope token"


def _readers(path: str, seen: os.stat_result) -> str:
    """Who besides the owner gets as far as the file and may read it; empty for nobody."""
    folders = _modes_above(os.path.realpath(path))
    if seen.st_mode & OTHERS[0] and all(mode & OTHERS[1] for mode in folders):
        return "everybody on this machine"
    if seen.st_mode & GROUP[0] and all(mode & GROUP[1] for mode in folders) and not _is_own_group(seen):
        return f"the group {_group(seen.st_gid)}"
    return ""


def _modes_above(path: str) -> list[int]:
    modes = []
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        try:
            modes.append(os.stat(path).st_mode)
        except OSError:
            modes.append(0)  # what cannot be looked at lets nobody through
    return modes


def _is_own_group(seen: os.stat_result) -> bool:
    """Whether the group is the one that many systems give to each user alone."""
    import pwd

    try:
        return pwd.getpwuid(seen.st_uid).pw_name == _group(seen.st_gid)
    except KeyError:
        return False


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _unseen(examination: Examination, path: str, what: str, error: OSError) -> Complaint:
    reason = error.strerror or str(error)
    return Complaint(
        "secret-unchecked",
        "unchecked",
        examination.label(path),
        f"whether others can read {what} is unknown: {shown(reason)}",
        "its mode may be too wide",
    )
