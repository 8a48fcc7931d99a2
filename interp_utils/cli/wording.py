"""What --help says about the suite and about each command, with an example."""

from __future__ import annotations

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
    "study": "interp-utils study faster --only 'fast_*'",
    "claims": "interp-utils claims --check",
}
SUMMARIES = {
    "train": "train a model on a task, or continue a run that stopped",
    "resume": "continue an unfinished run under its own settings",
    "sweep": "train many models that differ in some options, with as many workers as you start",
    "measure": "what a trained model learned, as a table of numbers; every snapshot as CSV",
    "list": "every run below a folder, with its last losses and accuracies",
    "verify": (
        "check every file of every run, and the losses and accuracies of its last snapshot "
        "against the log"
    ),
    "ship": "train a run by its recipe, and export the part that ships",
    "study": "train what ships as rows of a table, and add the rows that are missing",
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
    "study": "\nEach training ends once it has generalised and settled, has its row in "
    "docs/studies/NAME, and its run is removed. Whatever is interrupted is gone"
    "\non with by the same command. Without a name it lists the studies.",
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
