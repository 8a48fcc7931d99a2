"""The rules of the house, read off the files."""

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "interp_utils"
MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# What each part may import of ours, beside itself and `devices`. Data flows one way.
MAY_IMPORT = {
    "configs": set(),
    "devices": set(),
    "group_tables": set(),
    "losses": {"precision"},
    "plots": set(),
    "precision": set(),
    "tasks": {"group_tables"},
    "analysis": {"group_tables", "losses", "precision"},
    "models": {"configs", "tasks"},
    "runs": {"analysis", "configs", "losses", "models", "tasks"},
    "measures": {"analysis", "losses", "models", "plots", "precision", "runs", "tasks"},
    "exploring": {"analysis", "measures", "models", "plots", "runs"},
    "training": {"analysis", "configs", "losses", "models", "runs", "tasks"},
    "sweeps": {"configs", "measures", "runs", "tasks", "training"},
    "experiments": {
        "analysis",
        "configs",
        "group_tables",
        "measures",
        "models",
        "runs",
        "sweeps",
        "tasks",
        "training",
    },
    "cli": {
        "analysis",
        "configs",
        "experiments",
        "measures",
        "models",
        "runs",
        "sweeps",
        "tasks",
        "training",
    },
}


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    """Full names of what a module imports when it runs: what it names only for type checkers does
    not count.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path != PACKAGE / "__init__.py"],
    ids=lambda path: path.name,
)
def test_imports_point_one_way(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert own in MAY_IMPORT, f"give {own} its place in the house"
    ours = {part(name) for name in imports(path) if name.startswith("interp_utils")}
    assert ours <= MAY_IMPORT[own] | {own, "devices"}


def test_the_architecture_says_what_may_be_imported():
    law = (ROOT / "docs" / "architecture.md").read_text().split("## The law")[1].split("## ")[0]
    said = {
        room.removesuffix("/").removesuffix(".py"): set(re.findall(r"`(\w+)`", allowed))
        for rooms, allowed in re.findall(r"^\| (`.*) \| (.*) \|$", law, re.M)
        for room in re.findall(r"`([^`]+)`", rooms)
    }
    assert said == MAY_IMPORT


def test_only_models_knows_transformer_lens():
    knowing = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if any(name.startswith("transformer_lens") for name in imports(path))
    }
    assert knowing == {"models/transformer/building.py"}


def of_params(node: ast.AST) -> bool:
    """`x.params[...]` or `x.params.get(...)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        read = node.func.value if node.func.attr in ("get", "pop") else None
    else:
        read = node.value if isinstance(node, ast.Subscript) else None
    return isinstance(read, ast.Attribute) and read.attr == "params"


def test_nothing_reads_what_is_for_people():
    """A task's `params` describe it; code reads its typed fields."""
    sources = [path.read_text() for path in MODULES] + [code_of(path) for path in NOTEBOOKS]
    trees = map(ast.parse, sources)
    found = [ast.unparse(node) for tree in trees for node in ast.walk(tree) if of_params(node)]
    assert found == []
    for reading in ("task.params['p']", "run.task.params.get('group', '')"):
        assert of_params(ast.parse(reading, mode="eval").body)


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("import interp_utils", ["torch", "pandas", "plotly", "transformer_lens"]),
        (
            "import interp_utils.cli; interp_utils.cli.parser(training=())",
            ["torch", "pandas", "plotly", "transformer_lens"],
        ),
        ("import interp_utils.analysis.fourier", ["pandas", "plotly", "transformer_lens"]),
        (
            "from interp_utils import CachedModel, ModelConfig, Run, TrainConfig, tasks, train, "
            "models",
            ["pandas", "plotly", "transformer_lens"],
        ),
    ],
)
def test_importing_loads_nothing_heavy(code, without):
    heavy = subprocess.check_output(
        [
            sys.executable,
            "-c",
            f"{code}; import sys; print([m for m in {without} if m in sys.modules])",
        ],
        text=True,
    )
    assert heavy.strip() == "[]"


def test_importing_changes_nothing_of_the_users():
    """Environment, torch's settings, plotly's template and renderer, random states."""
    code = """
import os, random
import numpy, pandas, plotly.io, torch

def state():
    return (
        dict(os.environ), random.getstate(), torch.get_rng_state().tolist(),
        numpy.random.get_state()[1].tolist(), torch.get_default_dtype(), torch.get_num_threads(),
        torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(),
        plotly.io.templates.default, plotly.io.renderers.default, list(plotly.io.templates),
        pandas.options.display.max_rows, pandas.options.display.precision,
    )

before = state()
import interp_utils
for name in interp_utils.__all__:
    getattr(interp_utils, name)
print([i for i, (was, now) in enumerate(zip(before, state())) if was != now])
"""
    changed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert changed.strip() == "[]"


def test_every_public_name_is_there():
    import interp_utils

    for name in interp_utils.__all__:
        assert getattr(interp_utils, name) is not None
    assert set(interp_utils.__all__) <= set(dir(interp_utils))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        interp_utils.nothing  # noqa: B018


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.stem != "__init__"], ids=lambda path: path.name
)
def test_public_annotations_are_valid(path):
    """An annotation that cannot be evaluated is silently not checked."""
    import collections.abc
    import importlib

    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    lazily_imported = {"pd", "HookedTransformer", "CachedModel", "Task", "Run", "optuna"}
    for name, function in vars(module).items():
        if (
            inspect.isfunction(function)
            and function.__module__ == module.__name__
            and not name.startswith("_")
        ):
            for annotation in inspect.unwrap(function).__annotations__.values():
                if not (
                    isinstance(annotation, str)
                    and any(lazy in annotation for lazy in lazily_imported)
                ):
                    eval(annotation, {**vars(module), "collections": collections}) if isinstance(
                        annotation, str
                    ) else annotation


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_p_is_built_in_and_nothing_unsafe_or_printed(path):
    tree = ast.parse(path.read_text())
    if path.name != "recipes.py":  # whose purpose is to name published settings
        assert not [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and node.value in (113, 12769)
        ]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | imports(path)
    assert not names & {
        "pickle",
        "eval",
        "exec",
        *(() if path.parent.name == "cli" else ("print",)),
    }  # a shell is there to print in
    attributes = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    assert not attributes & {"torch.load", "torch.save", "pickle.load"}


EVERYWHERE = [
    path for room in ("benchmarks", "tests", "tools") for path in (ROOT / room).glob("*.py")
]
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef


@pytest.mark.parametrize("path", [*MODULES, *EVERYWHERE], ids=lambda path: path.name)
def test_docstrings_are_whole(path):
    """A quotation mark that is left from joining two lines closes a sentence that goes on."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        written = ast.get_docstring(node, clean=False) if isinstance(node, DOCUMENTED) else None
        if written is None:
            continue
        first, *rest = written.split("\n")
        assert not re.search(r'"\n\s*"', written), f"a stray quotation mark in {first!r}"
        assert written.count('"') % 2 == 0, f"a quotation that is not closed in {first!r}"
        assert not rest or not rest[-1].strip(), f"the closing marks of {first!r} have no line"


def test_modules_are_a_page_or_two():
    """Those that are longer have a second idea, which waits for a module of its own."""
    lines = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 260} == {}


def cells_of(notebook: Path) -> list[dict]:
    cells = json.loads(notebook.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def code_of(notebook: Path) -> str:
    return "\n".join("".join(cell["source"]) for cell in cells_of(notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_clean(path):
    first = json.loads(path.read_text())["cells"][0]
    assert first["cell_type"] == "markdown"
    assert re.match(rf"# {path.stem[:2]} · ", "".join(first["source"]))
    code, source = cells_of(path), code_of(path)
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]], (
        "run nbstripout"
    )
    checked = re.compile(r"assert |checks\.says\(")
    assert sum(bool(checked.search("".join(cell["source"]))) for cell in code) >= 3
    assert not re.search(r"sys\.path|!pip|%pip|/home/|/root/|/work/", source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 10, f"{node.name} belongs in the package"


def test_environment_and_constraints_follow_pyproject():
    environment = (ROOT / "environment.yml").read_text()
    assert re.findall(r"^ +- (.+)$", environment, re.M) == [
        "python=3.11",
        "pip",
        "pip:",
        "-c constraints.txt",
        "-e .[notebooks]",
    ]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    constraints = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!]+", line) for line in constraints), (
        "name==version lines only"
    )
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in constraints}
    extras = PYPROJECT["project"]["optional-dependencies"]
    needed = [
        *PYPROJECT["project"]["dependencies"],
        *(requirement for extra in extras.values() for requirement in extra),
    ]
    for requirement in needed:
        name = re.match(r"[a-z0-9-]+", requirement)[0]
        assert name in pinned | {"interp-utils"}, f"{name} is not in constraints.txt"
        assert "<" in requirement or "==" in requirement or name == "interp-utils", (
            f"{name} has no upper bound"
        )
    assert "torch==2.13.0" in needed and "torch==2.13.0" in constraints


def test_ci_runs_what_the_readme_says():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    readme = (ROOT / "README.md").read_text()
    assert readme.index("make notebooks") < readme.index("make test")
    for notebook in NOTEBOOKS:
        assert notebook.name in readme, f"{notebook.name} is missing from the README's table"


def test_the_readmes_example_runs(monkeypatch):
    import plotly.graph_objects as go

    from interp_utils import ModelConfig, models, tasks

    monkeypatch.setattr(go.Figure, "show", lambda figure: None)
    block = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[0]
    assert 8 <= len([line for line in block.splitlines() if line.strip()]) <= 12
    config = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16).for_task(
        tasks.modular_addition(59)
    )
    names = {"my_hooked_transformer": models.build(config)}
    exec(block, names)
    assert names["ablated"].shape == (59, 59, 59) and names["keys"]
