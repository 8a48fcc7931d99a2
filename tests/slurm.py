"""A stand-in for Slurm's sbatch: the tasks of a job array as processes of this machine."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

DIRECTIVES = {
    "job-name": r"\w+",
    "array": r"\d+-\d+",
    "cpus-per-task": r"\d+",
    "mem": r"\d+G",
    "time": r"\d\d:\d\d:\d\d",
    "output": r"[\w%.-]+",
    "signal": r"B:INT@\d+",
}


class Job:
    """As `sbatch --array=... SCRIPT ARGUMENTS`. Raises ValueError for a directive that it does not
    know, or one that comes after the first command, where Slurm does not look.
    """

    def __init__(self, script: Path, *arguments: str, array: str, cwd: Path) -> None:
        settings = {**directives(script.read_text()), "array": array}
        first, last = map(int, settings["array"].split("-"))
        self.signal = getattr(signal, f"SIG{settings['signal'][2:].partition('@')[0]}")
        (cwd / "bin").mkdir()
        program = cwd / "bin" / "interp-utils"  # the one that is tested
        program.write_text(
            f"#!/bin/sh\nexec {sys.executable} -c "
            "'import sys; from interp_utils.cli import main; sys.exit(main())' \"$@\"\n"
        )
        program.chmod(0o755)
        root = Path(__file__).parents[1]
        self.logs, self.tasks = [], []
        for task in range(first, last + 1):
            environment = {
                **os.environ,
                "PATH": f"{program.parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(root),
                "SLURM_ARRAY_JOB_ID": "17",
                "SLURM_ARRAY_TASK_ID": str(task),
                "SLURM_CPUS_PER_TASK": settings["cpus-per-task"],
            }
            log = cwd / settings["output"].replace("%A", "17").replace("%a", str(task))
            with log.open("w") as output:
                command = ["bash", script, *arguments]
                self.tasks.append(
                    subprocess.Popen(
                        command, cwd=cwd, env=environment, stdout=output, stderr=output
                    )
                )
            self.logs.append(log)

    def time_is_nearly_up(self, task: int) -> None:
        """What --signal asks for, to the script's own process."""
        self.tasks[task].send_signal(self.signal)

    def kill(self) -> None:
        for task in self.tasks:
            task.kill()
            task.wait()


def directives(script: str) -> dict[str, str]:
    lines = [line for line in script.splitlines() if line.strip()]
    head = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    found = {}
    for i, line in enumerate(lines):
        if not line.startswith("#SBATCH"):
            continue
        match = re.fullmatch(r"#SBATCH --([a-z-]+)=(\S+)", line)
        if i > head or not match or not re.fullmatch(DIRECTIVES.get(match[1], "$^"), match[2]):
            raise ValueError(f"sbatch does not understand {line!r}")
        found[match[1]] = match[2]
    return found
