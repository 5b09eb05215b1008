"""The command line `twinrank`: subcommands load what they need when they run, so `verify` never loads torch."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import io
import sys
from typing import Any, NoReturn

import click

from twinrank.bridge._errors import UserError, explain, explain_usage
from twinrank.bridge._text import printable

__all__ = ["main"]

_COMMANDS = {
    "data": ("twinrank.training.cli:data", "Fetch and check the training data."),
    "train": ("twinrank.training.cli:train", "Train a ranking model from a config."),
    "schema": ("twinrank.training.cli:schema", "Show the tensors that a schema file makes, and their rows."),
    "export": ("twinrank.export.cli:export", "Export a trained run as a bundle."),
    "inspect": ("twinrank.export.cli:inspect", "Show what a bundle is: schema, heads, evidence, signature, origin."),
    "diff": ("twinrank.export.cli:diff", "Show what changed between two bundles, scores of the goldens too."),
    "sign": ("twinrank.export.cli:sign", "Sign a bundle with an EC key, offline (OpenSSF Model Signing)."),
    "attest": ("twinrank.export.cli:attest", "Attest what a bundle's goldens give on this host class."),
    "verify": ("twinrank.bridge._command_verify:verify", "Prove that every route gives a bundle's scores, to the bit."),
    "certify": ("twinrank.bridge._command_certify:command", "Say what another ONNX Runtime would change, by operator."),
    "replay": (
        "twinrank.bridge._command_replay:replay",
        "Replay ONNX test folders through Python and Java, and compare bits.",
    ),
    "rank": ("twinrank.bridge._command_rank:rank", "Rank one request in Python and print the slate."),
    "activate": ("twinrank.bridge._command_activate:activate", "Name the version of a model that servers serve."),
    "serve": ("twinrank.bridge._command_serve:serve", "Serve bundles over HTTP with the Java server."),
}


class _LazyGroup(click.Group):
    """A group that imports a subcommand's module when the subcommand is used, and turns user errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which people need them."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand."""
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name][0].split(":")
        try:
            command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("twinrank"):
                raise
            raise UserError(
                "missing_package", f"`{ctx.info_name} {cmd_name}` needs {error.name}", "install twinrank[bridge,export]"
            ) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a subcommand; what is none is told with the names that are like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            # click itself would look among the commands that are loaded, and here those are none.
            like = difflib.get_close_matches(args[0], _COMMANDS, n=2)
            if not like:
                raise
            named = " or ".join(repr(name) for name in like)
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {named}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; Ctrl-C gives the shells' 130, because 1 would say that a route differs."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(130)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; an error that a person can act on is printed without a traceback."""
        _print_anything()
        kwargs["standalone_mode"] = False  # click would print its own errors in a style of its own
        try:
            result = super().main(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("\ninterrupted", err=True)
            sys.exit(130)
        except click.ClickException as error:
            _fail(*explain_usage(error))
        except Exception as error:
            told = explain(error)
            if told is None:
                raise
            _fail(*told)
        sys.exit(result if isinstance(result, int) else 0)


def _fail(lines: list[str], exit_code: int) -> NoReturn:
    for line in lines:
        click.echo(printable(line), err=True)
    sys.exit(exit_code)


def _print_anything() -> None:
    """Let the streams escape what their encoding lacks: a report must not fail on a tick in an ASCII log."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""The score you trained is the score you serve, to the bit.

\b
  twinrank train training/configs/ml100k.yaml --out build/runs/ml100k
  twinrank export build/runs/ml100k --models build/models
  twinrank verify build/models/ml100k/1 --run build/runs/ml100k
  twinrank serve build/models --port 8080
""",
    epilog="Exit codes: 0 fine or equal, 1 a difference or bad data, 2 wrong usage or could not tell, 130 Ctrl-C.",
)
@click.version_option(importlib.metadata.version("twinrank"), prog_name="twinrank")
def main() -> None:
    """Run the command line."""
