"""The suite from a shell: `interp-utils train`, `resume`, `sweep`, `measure`, `list`,
`verify`, `ship`, `study`, `claims`.

Only what --help needs is imported here; a command imports torch when it runs.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from interp_utils.cli.wording import ABOUT, DETAILS, EXAMPLES, EXIT_CODES, SUMMARIES

TRAINING = ("train", "sweep")


class Parser(argparse.ArgumentParser):
    """A parser of whole option names only: a new option never changes what an old command means.
    Errors are raised.
    """

    def __init__(self, **settings: object) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings
        )

    def parse_known_args(
        self, *args: object, **settings: object
    ) -> tuple[argparse.Namespace, list[str]]:
        namespace, unknown = super().parse_known_args(*args, **settings)
        if unknown:  # raised by the command's own parser, whose --help has the command's options
            self.error(f"there is no option or argument {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see {self.prog} --help")


def parser(training: Collection[str] = TRAINING, own: str | None = None) -> Parser:
    """The parser of the whole command line. training: those of `train` and `sweep` whose options
    are read off the library, which imports torch. own: MODULE:FUNCTION of a user's own task.
    """
    examples = "\n".join(f"  {example}" for example in EXAMPLES.values())
    whole = Parser(
        prog="interp-utils", description=ABOUT, epilog=f"examples:\n{examples}\n\n{EXIT_CODES}"
    )
    whole.add_argument(
        "--version", action="version", version=f"interp-utils {version('interp-utils')}"
    )
    commands = whole.add_subparsers(
        dest="command", metavar="COMMAND", required=True, title="commands"
    )
    of = {
        name: commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.{DETAILS[name]}",
            epilog=f"example:\n  {EXAMPLES[name]}\n\n{EXIT_CODES}",
        )
        for name, summary in SUMMARIES.items()
    }
    if training:
        from interp_utils.cli import options, sweeping

        adding = {"train": None, "sweep": sweeping.add_options}
        for name in training:
            options.add_tasks(of[name], EXIT_CODES, adding[name], own)
    of["resume"].add_argument("path", metavar="PATH", type=Path, help="the run's folder")
    add_running(of["resume"])
    measure = of["measure"]
    measure.add_argument("path", metavar="PATH", type=Path, help="the run's folder")
    measure.add_argument(
        "--out", metavar="FILE.csv", type=Path, help="write the measures of every snapshot there"
    )
    measure.add_argument("--force", action="store_true", help="replace FILE.csv if it is there")
    add_running(measure)
    of["list"].add_argument(
        "folders",
        metavar="FOLDER",
        nargs="*",
        type=Path,
        default=[Path("checkpoints")],
        help="default: checkpoints",
    )
    of["verify"].add_argument(
        "folders",
        metavar="FOLDER",
        nargs="*",
        type=Path,
        default=[Path("checkpoints")],
        help="default: checkpoints",
    )
    of["ship"].add_argument("names", metavar="NAME", nargs="*", help="recipes, one after the other")
    for name in ("ship", "study"):
        of[name].add_argument(
            "--runs", type=Path, metavar="FOLDER", default=Path("runs"), help="default: runs"
        )
    of["study"].add_argument("name", metavar="NAME", nargs="?", help="the study")
    of["study"].add_argument(
        "--only", metavar="PATTERN", nargs="+", help="trainings, e.g. 'fast_*' (default: all)"
    )
    of["study"].add_argument(
        "--minutes",
        metavar="N",
        type=float,
        default=math.inf,
        help="begin no other training after so long (default: no limit)",
    )
    of["claims"].add_argument("--check", action="store_true", help="compare, and write nothing")
    for name in ("study", "claims"):
        of[name].add_argument(
            "--docs", type=Path, metavar="FOLDER", default=Path("docs"), help="default: docs"
        )
    for name in ("ship", "claims"):
        of[name].add_argument(
            "--checkpoints",
            type=Path,
            metavar="FOLDER",
            default=Path("checkpoints"),
            help="default: checkpoints",
        )
    for name in ("ship", "study", "claims"):
        of[name].add_argument("--quiet", action="store_true", help="no progress bar")
    return whole


def add_running(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--device", help="cpu, cuda, cuda:1, ... (default: a GPU where there is one)"
    )
    command.add_argument("--quiet", action="store_true", help="no progress bar")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        argv, own = own_task(argv)
        arguments = parser([name for name in TRAINING if name in argv[:1]], own).parse_args(argv)
        from interp_utils.cli import commands

        return commands.run(arguments)
    except SystemExit as ended:  # --help
        return int(ended.code or 0)
    except ValueError as wrong:
        return complain(wrong, 2)
    except KeyboardInterrupt as stopped:
        return complain(stopped, 130)


def own_task(argv: list[str]) -> tuple[list[str], str | None]:
    """The command line with the MODULE:FUNCTION of `--task` in place of a task's name, and this
    MODULE:FUNCTION. For commands that take a run, the module is imported, and defines its kind.
    """
    index = next((i for i, word in enumerate(argv) if word.split("=")[0] == "--task"), None)
    if index is None:
        return argv, None
    word, *rest = argv[index:]
    own = word.partition("=")[2] if "=" in word else "".join(rest[:1])
    others = argv[:index] + (rest if "=" in word else rest[1:])
    if not all(own.partition(":")):
        raise ValueError(f"argument --task: expected MODULE:FUNCTION, got {own!r}")
    if argv[0] in TRAINING:
        return [others[0], own, *others[1:]], own
    from interp_utils.cli import constructors

    constructors.constructor(own)
    return others, own


def complain(error: BaseException, code: int) -> int:
    print(f"interp-utils: {explain(error)}", file=sys.stderr)
    return code


def explain(error: BaseException) -> str:
    """An error's message, with the fields of configurations, and None, spelt like options."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    message = re.sub(r"ModelConfig\.seed\b", "--model-seed", str(error)) or "stopped"
    message = re.sub(
        r"(?:Model|Train)Config\.(\w+)", lambda field: "--" + field[1].replace("_", "-"), message
    )
    return re.sub(r"(--[\w-]+) None\b", r"\1 none", message)
