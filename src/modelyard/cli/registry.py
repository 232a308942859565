"""`modelyard registry`: one's own models by name and version; one entry a verb, imported when it runs."""

from __future__ import annotations

import importlib

import click

from modelyard.cli.options import Request, with_place

VERBS = {
    "init": ("keeping", "Make a registry."),
    "ls": ("looking", "List models and versions."),
    "show": ("looking", "Everything known about one version."),
    "save": ("keeping", "Save a model file as a version."),
    "load": ("keeping", "Verify a version, and copy its files out."),
    "export": ("exporting", "Write a version as ONNX, compared with the original."),
    "verify": ("comparing", "Whether every file is what was saved."),
    "diff": ("comparing", "What differs between two versions."),
    "alias": ("keeping", "Let a name mean a version."),
    "rm": ("removing", "Put versions into the trash."),
    "card": ("sharing", "The model card of a version."),
    "push": ("sharing", "Copy a version to a folder, a URL or the Hugging Face Hub."),
    "pull": ("sharing", "Bring a version from there."),
    "import": ("sharing", "Take a folder of models, or a store of MLflow or BentoML."),
    "gitignore": ("keeping", "Print what keeps models out of a repository."),
}
"""By verb: the module `registry_...` that has it under that name, and a line of help."""


class Verbs(click.Group):
    """Knows its verbs by name and loads one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"modelyard.cli.registry_{VERBS[cmd_name][0]}")
        found = getattr(module, f"{cmd_name}_command")
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group("registry", cls=Verbs)
@with_place
@click.pass_context
def command(ctx: click.Context, request: Request) -> None:
    """Save, list, verify and compare one's own models, by name and version.

    A registry is a folder: `models/NAME/v1.2.0/` with the weights, `metadata.json` and `SHA256SUMS`. Versions never
    change once they are saved. NAME@1.2.0 is a version, NAME the latest one, NAME@production an alias, NAME@^1 a range.
    """
    ctx.obj = request
