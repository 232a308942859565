"""Works on a hub cache with whichever client is installed; prints one JSON document. Run by hub_client.Client."""

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module  # by name: the version is chosen by PYTHONPATH, and older ones have no types

hub = import_module("huggingface_hub")


def snapshot(address: str, revision: str, *files: str) -> None:
    """Downloads a revision, or some files of it."""
    kinds, name = address.split("/", 1)
    hub.snapshot_download(name, repo_type=kinds[:-1], revision=revision, allow_patterns=list(files) or None)


def probe(address: str, revision: str, file: str) -> None:
    """Asks for a file that need not exist, which leaves a note in `.no_exist`."""
    kinds, name = address.split("/", 1)
    try:
        hub.hf_hub_download(name, file, repo_type=kinds[:-1], revision=revision)
    except hub.errors.EntryNotFoundError:
        return


def scan() -> dict[str, object]:
    """What the client itself says is in its cache."""
    seen = hub.scan_cache_dir()
    repos = {
        f"{repo.repo_type}/{repo.repo_id}": {
            "size": repo.size_on_disk,
            "revisions": {each.commit_hash: sorted(each.refs) for each in repo.revisions},
        }
        for repo in seen.repos
    }
    return {"size": seen.size_on_disk, "repos": repos, "warnings": [str(each) for each in seen.warnings]}


def delete(*commits: str) -> None:
    """Deletes revisions the way the client does."""
    hub.scan_cache_dir().delete_revisions(*commits).execute()


def upload(*files: str) -> dict[str, str]:
    """Puts files into the chunk store and gives their Xet hash by path."""
    stored = import_module("hf_xet").upload_files(list(files), os.environ["XET_STORE"], None, None, None, None)
    return {file: each.hash for file, each in zip(files, stored, strict=True)}


def complaint(address: str, revision: str) -> str:
    """What the client calls the hub's refusal of a revision, empty where it has it."""
    kinds, name = address.split("/", 1)
    try:
        hub.HfApi().repo_info(name, repo_type=kinds[:-1], revision=revision)
    except hub.errors.HfHubHTTPError as error:
        return type(error).__name__
    return ""


def listing(address: str, revision: str) -> list[str]:
    """Every file of a revision, page after page."""
    kinds, name = address.split("/", 1)
    tree = hub.HfApi().list_repo_tree(name, repo_type=kinds[:-1], revision=revision, recursive=True)
    return sorted(each.path for each in tree)


VERBS: tuple[Callable[..., object], ...] = (snapshot, probe, scan, delete, upload, complaint, listing)
if __name__ == "__main__":
    verb = next(each for each in VERBS if each.__name__ == sys.argv[1])
    print(json.dumps(verb(*sys.argv[2:])))
