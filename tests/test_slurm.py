"""The job array of the guide, run by a stand-in for Slurm."""

import time
from pathlib import Path

import optuna
import pytest

from interp_utils import sweeps
from tests import slurm

SCRIPT = Path(__file__).parents[1] / "docs" / "site" / "guides" / "sweep.sbatch"
TRAINING = "--p 5 --frac-train 0.6 --d-model 16 --n-heads 2 --d-head 8 --d-mlp 32 --steps 600"
ARGUMENTS = f"modular_addition {TRAINING} --vary model-seed=0,1,2 --out runs"


@pytest.fixture
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


def under_way(out: Path) -> int:
    """How many trials have begun to train and are not done."""
    if not (out / "study.journal").exists():
        return 0
    trials = sweeps.load(out).get_trials(deepcopy=False)
    runs = [trial.user_attrs.get("run") for trial in trials if trial.state.name == "RUNNING"]
    return sum(run is not None and (out / run / "run.json").exists() for run in runs)


def test_the_job_array_of_the_guide(tmp_path, quiet):
    """The time of one of its two tasks is up: the other goes on with its trial."""
    job = slurm.Job(SCRIPT, *ARGUMENTS.split(), array="0-1", cwd=tmp_path)
    try:
        while under_way(tmp_path / "runs") < 2:
            assert None in [task.poll() for task in job.tasks], job.logs[1].read_text()
            time.sleep(0.02)
        job.time_is_nearly_up(0)
        codes = [task.wait() for task in job.tasks]
    finally:
        job.kill()
    said = [log.read_text() for log in job.logs]
    assert codes == [130, 0], said
    assert "worker 0 of job 17" in said[0] and "goes on from there" in said[0]
    assert "3 trials are done, 0 diverged" in said[1]
    trials = sweeps.load(tmp_path / "runs").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert sorted(trial.params["model_seed"] for trial in trials) == [0, 1, 2]


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("#SBATCH --array=0-7", "#SBATCH --array 0-7"),
        ("#SBATCH --mem=4G", "#SBATCH --memory=4G"),
        ("#SBATCH --mem=4G", "true\n#SBATCH --mem=4G"),
    ],
)
def test_the_stand_in_sees_a_fault(line, instead):
    text = SCRIPT.read_text()
    assert slurm.directives(text)["array"] == "0-7"
    with pytest.raises(ValueError, match="sbatch does not understand"):
        slurm.directives(text.replace(line, instead))
