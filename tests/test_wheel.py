"""The wheel in an environment without the checkout: what is in it, the README's snippets, the
shell.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
SMALL = "--d-model 8 --n-heads 2 --d-head 4 --d-mlp 16 --steps 20 --quiet"


def run(*command: object, folder: Path) -> str:
    """Its output. Nothing of this process's environment points to the checkout."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=kept, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "interp_utils", source / "interp_utils", ignore=compiled)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", source, folder=source)
    (built,) = source.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of commands of an environment that has the wheel, and this one's dependencies."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    commands = place / ("Scripts" if os.name == "nt" else "bin")
    (site,) = place.rglob("site-packages")
    # A line of a .pth file is a folder of modules; the .pth files in it, by which this checkout is
    # installed, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", place)
    options = ("--quiet", "--no-deps", "--no-index", "--ignore-installed")
    run(*pip, "install", *options, wheel, folder=place)
    return commands


def test_what_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "interp_utils").rglob("*") if path.is_file()]
    ours = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    assert "interp_utils/py.typed" in ours and ours <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"interp_utils"}
    assert any(name.endswith("LICENSE") for name in names)


def test_the_readmes_snippets_in_an_environment_without_the_checkout(installed, tmp_path):
    measuring, training = SNIPPETS[:2]
    (tmp_path / "snippets.py").write_text(
        f"""
from pathlib import Path
import plotly.graph_objects as go
import interp_utils
from interp_utils import models, ModelConfig, tasks
assert Path(interp_utils.__file__).is_relative_to({str(installed.parent)!r})
go.Figure.show = lambda figure: None
config = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16).for_task(tasks.modular_addition(59))
my_hooked_transformer = models.build(config)
{measuring}
{training.replace("25_000", "2").replace("p=113", "p=7")}
assert run.step == 2 and ablated.shape == (59, 59, 59)
"""
    )
    assert "25_000" in training and "p=113" in training
    run(installed / "python", "-W", "error", "snippets.py", folder=tmp_path)


def test_the_shell_in_an_environment_without_the_checkout(installed, wheel, tmp_path):
    shell = installed / "interp-utils"
    version = wheel.name.split("-")[1]
    assert run(shell, "--version", folder=tmp_path) == f"interp-utils {version}\n"
    run(shell, *f"train modular_addition --p 7 --out run {SMALL}".split(), folder=tmp_path)
    assert "restricted loss" in run(shell, "measure", "run", folder=tmp_path)
