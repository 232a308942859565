"""The modelyard command: one file a verb, imported when it runs, so that help is instant."""

from __future__ import annotations

import importlib
import io
import sys

import click

from modelyard import __version__
from modelyard.cli.options import Request, with_place

COMMANDS = {
    "ls": "List artifacts, largest first.",
    "show": "Everything known about one artifact.",
    "top": "The largest files and what they belong to.",
    "where": "Every root of every store, and how it was found.",
    "inspect": "What a model file is: format, tensors, precision, what it needs.",
    "scan": "What loading a model would execute; nothing is executed.",
    "verify": "Whether everything is still as it was given, byte for byte.",
    "convert": "A safe copy of a model file as safetensors, proven equal.",
    "archive": "Put a model on another disk or into an object store; a stub stays.",
    "recall": "Bring back what was archived, byte for byte.",
    "registry": "Save, list, verify and compare one's own models.",
    "doctor": "What is wrong on this machine, with the commands that mend it.",
    "dupes": "What is kept more than once: files, tensors, formats.",
    "clean": "Give space back and lose nothing: a plan, one question, undo.",
    "dedupe": "Keep equal bytes once: shared extents, or hard links where they are safe.",
    "link": "Use a model of one tool in another without a second copy.",
    "move": "Another place for a store or a model, proven, told to its owner.",
    "apply": "Make a plan that was saved.",
    "undo": "Bring back what a plan removed.",
    "purge": "Free what waits in the trash.",
    "pin": "Name what no plan may ever hold.",
    "check": "Whether the budgets of the settings hold, for cron and CI.",
    "journal": "Every plan that was applied, and what became of it.",
    "serve": "A saved model behind HTTP.",
    "env": "Freeze environments into capsules, prove and restore them.",
    "demo": "Build a sample workstation in a new folder.",
}


class Verbs(click.Group):
    """Knows its verbs by name and loads a verb only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"modelyard.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1, 0.4)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@with_place
@click.version_option(__version__, "-V", "--version", prog_name="modelyard")
@click.pass_context
def modelyard(ctx: click.Context, request: Request) -> int:
    """What machine-learning work takes on this machine. Without a command: the overview on one screen.

    Only clean, dedupe, link, move, archive, recall, apply, undo, purge, pin, `verify --repair` and `registry rm` change
    anything; `env`, `convert`, `registry` and `demo` write new files.
    """
    ctx.obj = request
    if ctx.invoked_subcommand is None:
        from modelyard.cli.overview import overview

        return overview(request)
    return 0


def main() -> None:
    """Runs the command and turns what goes wrong into an exit code and a sentence that helps."""
    from modelyard.cli.errors import guarded

    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = io.TextIOWrapper(io.BytesIO())
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(guarded(_run))


def _run() -> object:
    """Invokes the command by its parts: click's own main turns a closed pipe into an error."""
    with modelyard.make_context("modelyard", sys.argv[1:]) as context:
        return modelyard.invoke(context)
