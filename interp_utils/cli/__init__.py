"""The suite from a shell: `interp-utils train`, `resume`, `sweep`, `measure`, `list`,
`verify`, `ship`, `claims`.

Only what --help needs is imported here; a command brings torch with it when it runs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

ABOUT = (
    "Train small transformers on algorithmic tasks, and measure what they learned. The "
    "commands do what the library does, on the same runs."
)
EXAMPLES = {
    "train": (
        "interp-utils train modular_addition --p 53 --frac-train 0.5 --lr 3e-3 --steps 2000 "
        "--out runs/mine"
    ),
    "resume": "interp-utils resume runs/mine",
    "sweep": "interp-utils sweep modular_addition --p 53 --frac-train 0.5 --steps 2000 "
    "--vary lr=1e-3,3e-3 --vary model-seed=0,1,2 --out runs/sweep",
    "measure": "interp-utils measure runs/mine --out measures.csv",
    "list": "interp-utils list runs",
    "verify": "interp-utils verify checkpoints runs/mine",
    "ship": "interp-utils ship p113_seed1",
    "claims": "interp-utils claims --check",
}
SUMMARIES = {
    "train": "train a model on a task, or go on with it where it stopped",
    "resume": "go on with an unfinished run, as it was configured",
    "sweep": "train many models that differ in some options, with as many workers as you start",
    "measure": "what a trained model learned, as a table of numbers; every snapshot as CSV",
    "list": "every run below a folder, with its last losses and accuracies",
    "verify": (
        "check every file of every run, and the losses and accuracies of its last snapshot "
        "against the log"
    ),
    "ship": "train a run by its recipe, and export what ships of it",
    "claims": "measure every shipped run, and write the published claims with their verdicts",
}
DETAILS = {
    "train": (
        "\n`interp-utils train TASK --help` lists the options of a task, its model and its "
        "training."
        "\nA task of your own is a function that returns a Task: `interp-utils train --task "
        "MODULE:FUNCTION` has its arguments as options."
    ),
    "resume": (
        "\nIt ends with the weights of a run that never stopped. A finished run stays as it is."
        "\nThis command and those below take `--task MODULE:FUNCTION`, too, where a run's task is "
        "of a kind of your own."
    ),
    "sweep": "\nEvery combination of the listed values is trained once; with --trials N that many "
    "are chosen by what did best so far."
    "\nThe same command in another terminal, or on another machine with the same folder (and "
    "--storage a database), is another worker."
    "\nAfter a crash or Ctrl-C it goes on, too: a worker that dies leaves its trial to the "
    "others, who train on from its last save."
    "\n`interp-utils sweep TASK --help` lists the options of a task, its model, its training and "
    "the sweep; `interp-utils sweep --task MODULE:FUNCTION --help` of a task of your own.",
    "measure": "\nA run of an experiment gets the row of numbers that its claims are decided by: "
    "for modular addition key frequencies, restricted and excluded"
    "\nloss and ablations (Nanda et al. 2023), for sorting copying scores. Any other run gets its "
    "losses and accuracies.",
    "list": "\nHeld-out numbers are on the test pairs, or the validation lists of sorting. A "
    "damaged run is listed with what is wrong,"
    "\nand the exit code is then 1.",
    "verify": "\nDigests first; then losses (relative tolerance 1e-2) and accuracies (two inputs, "
    "or 1e-3 if that is more)"
    "\nof the last snapshot, again from its weights. Earlier rows of the log are checked by their "
    "digest alone.",
    "ship": "\nThe whole run goes to runs/NAME and can be interrupted; the snapshots that ship go "
    "to checkpoints/NAME, where nothing is replaced."
    "\nWithout a name it lists the recipes of every experiment.",
    "claims": "\nWrites claims.json, the numbers, and claims.md, the verdicts that follow from "
    "them. --check changes nothing: it compares with what is"
    "\nthere, to a few per cent, as another machine rounds otherwise.",
}
EXIT_CODES = """exit codes:
  0    fine
  1    it failed: a damaged run, numbers that differ, a training that diverged, a run without
       what is to be measured
  2    wrong usage: an option, a value or a path
  3    the run is in use by another process
  130  interrupted (Ctrl-C)"""


TRAINING = (["train"], ["sweep"])


class Parser(argparse.ArgumentParser):
    """Whole option names only, so that a new option never changes what an old command means; errors
    are raised.
    """

    def __init__(self, **settings: object) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings
        )

    def parse_known_args(
        self, *args: object, **settings: object
    ) -> tuple[argparse.Namespace, list[str]]:
        namespace, unknown = super().parse_known_args(*args, **settings)
        if unknown:  # said by the command, not by the whole, whose --help does not have its options
            self.error(f"there is no option or argument {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see {self.prog} --help")


def parser(training: bool = True, own: str | None = None) -> Parser:
    """The whole command line. training False leaves out the options of `train` and `sweep`, which
    import torch. own: MODULE:FUNCTION of a task of the user's.
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

        options.add_tasks(of["train"], EXIT_CODES, own=own)
        options.add_tasks(of["sweep"], EXIT_CODES, sweeping.add_options, own)
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
    of["ship"].add_argument(
        "--runs", type=Path, metavar="FOLDER", default=Path("runs"), help="default: runs"
    )
    of["claims"].add_argument("--check", action="store_true", help="compare, and write nothing")
    of["claims"].add_argument(
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
        arguments = parser(argv[:1] in TRAINING, own).parse_args(argv)
        from interp_utils.cli import commands

        return commands.run(arguments)
    except SystemExit as ended:  # --help
        return int(ended.code or 0)
    except ValueError as wrong:
        return complain(wrong, 2)
    except KeyboardInterrupt as stopped:
        return complain(stopped, 130)


def own_task(argv: list[str]) -> tuple[list[str], str | None]:
    """The command line with the MODULE:FUNCTION of `--task` where a task's name would be, and that
    MODULE:FUNCTION. Commands that take a run have its module imported, which defines its kind.
    """
    index = next((i for i, word in enumerate(argv) if word.split("=")[0] == "--task"), None)
    if index is None:
        return argv, None
    word, *rest = argv[index:]
    own = word.partition("=")[2] if "=" in word else "".join(rest[:1])
    others = argv[:index] + (rest if "=" in word else rest[1:])
    if not all(own.partition(":")):
        raise ValueError(f"argument --task: expected MODULE:FUNCTION, got {own!r}")
    if argv[:1] in TRAINING:
        return [others[0], own, *others[1:]], own
    from interp_utils.cli import constructors

    constructors.constructor(own)
    return others, own


def complain(error: BaseException, code: int) -> int:
    print(f"interp-utils: {explain(error)}", file=sys.stderr)
    return code


def explain(error: BaseException) -> str:
    """An error's message, with the configurations' fields, and None, spelt as options are."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    message = re.sub(r"ModelConfig\.seed\b", "--model-seed", str(error)) or "stopped"
    message = re.sub(
        r"(?:Model|Train)Config\.(\w+)", lambda field: "--" + field[1].replace("_", "-"), message
    )
    return re.sub(r"(--[\w-]+) None\b", r"\1 none", message)
