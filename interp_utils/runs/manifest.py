"""The manifest, run.json: what it says about a run is checked before any file it names is touched.

    run.json                      the manifest: configurations, step, versions, size and sha256 of
                                  every other file
    task.safetensors              every input, label and the train mask
    metrics-<step>.json           one row per logged step
    snapshots/<step>.safetensors  weights under HookedTransformer's names
    state-<step>.safetensors      weights and optimiser moments, to resume from (absent in a run
                                  that ships)

A save writes new files first, and renames the manifest into place last. Whenever the process dies,
the manifest on disk describes files that exist.
"""

from __future__ import annotations

import functools
import json
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from interp_utils import models
from interp_utils.configs import RunConfig, TrainConfig, UnknownSetting
from interp_utils.runs import storage
from interp_utils.runs.origin import Origin
from interp_utils.runs.storage import DamagedFile
from interp_utils.tasks import AnyTask, UnknownKind

FORMAT = 1
MANIFEST = "run.json"
TASK = "task.safetensors"
# errors that a value of another kind causes
WRONG = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
# errors for what another version, or a module that was not imported, knows
UNKNOWN = (UnknownKind, UnknownSetting, models.UnknownFamily)


def snapshot_name(step: int) -> str:
    return f"snapshots/{step:08d}.safetensors"


def metrics_name(step: int) -> str:
    return f"metrics-{step:08d}.json"


def state_name(step: int) -> str:
    return f"state-{step:08d}.safetensors"


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest at a path. Raises DamagedFile where the file is not a manifest, UnknownFamily
    where its model's family was not imported, another ValueError where this version does not know
    an entry.
    """
    manifest = storage.manifest_from_bytes(path.read_bytes(), path)
    if manifest.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {manifest.get('format')!r}; this version reads {FORMAT}; install "
            "the version that wrote it"
        )
    try:
        _check_manifest(manifest)
    except UNKNOWN as error:
        raise not_known(path, error, manifest) from None
    except WRONG as error:
        raise DamagedFile(path, f"not a run's manifest: {error}") from None
    return manifest


def not_known(path: Path, error: ValueError, manifest: Mapping[str, Any]) -> ValueError:
    """The error, with the file and the version that wrote it. Since the manifest has a digest of
    itself, the file is not damaged: this version does not know what another one wrote.
    """
    wrote = manifest["versions"].get("interp-utils", "an unknown version")
    return type(error)(
        f"{path}: {error} (written by interp-utils {wrote}, this is {version('interp-utils')})"
    )


def _check_manifest(manifest: Mapping[str, Any]) -> None:
    """Raises ValueError, or another of WRONG, unless every entry is as in a run.

    Names in a manifest are paths that are read, written and deleted: only names of a run's own
    files pass.
    """
    kinds = {
        "format": int,
        "task": dict,
        "model": dict,
        "train": dict,
        "step": int,
        "versions": dict,
        "files": dict,
    }
    if "origin" in manifest:
        kinds["origin"] = dict
    found = {key: type(value) for key, value in manifest.items()}
    wrong = sorted(key for key in kinds if kinds[key] is not found.get(key))
    if wrong:
        raise ValueError(f"these entries are missing or of another type: {', '.join(wrong)}")
    if found != kinds:
        raise UnknownSetting(f"a manifest has no {', '.join(sorted(found.keys() - kinds.keys()))}")
    model, train = (
        models.config_from_json(manifest["model"]),
        TrainConfig.from_json(manifest["train"]),
    )
    step, files, task = manifest["step"], manifest["files"], manifest["task"]
    if not 0 <= step <= train.steps:
        raise ValueError(f"the step {step} is not in 0 .. {train.steps}")
    if "origin" in manifest and Origin.from_json(manifest["origin"]).step > step:
        raise ValueError(f"the step {step} is before that of the origin")
    required, optional = {TASK, metrics_name(step)}, {state_name(step)}
    if step == train.steps:  # otherwise `model()` would return an earlier snapshot
        required.add(snapshot_name(step))
    snapshots = {
        name: re.fullmatch(r"snapshots/([0-9]{8,})\.safetensors", name)
        for name in files.keys() - required - optional
    }
    foreign = sorted(
        n
        for n, m in snapshots.items()
        if not m or n != snapshot_name(int(m[1])) or int(m[1]) > step
    )
    if foreign or required - files.keys():
        raise ValueError(
            f"files missing: {sorted(required - files.keys())}; files that do not belong to a run "
            f"at step {step}: {foreign}"
        )
    for name, description in files.items():
        if {key: type(value) for key, value in description.items()} != {
            "bytes": int,
            "sha256": str,
        }:
            raise ValueError(f"{name} is not described by its bytes and sha256")
    if model.n_layers > sum(description["bytes"] for description in files.values()):
        raise ValueError(f"a model of {model.n_layers} layers does not fit into its files")
    a, b = (0, 0) if task.get("grid") is None else task["grid"]
    sizes = (*task.get("n_classes", ()), a, b, task.get("d_vocab", 0))
    if (
        type(task.get("name")) is not str
        or type(task.get("params")) is not dict
        or any(type(size) is not int for size in sizes)
    ):
        raise ValueError("the task is not described by name, params and sizes")


def make_manifest(
    task: AnyTask,
    config: RunConfig,
    step: int,
    files: Mapping,
    versions: Mapping[str, str],
    origin: Origin | None = None,
) -> dict[str, Any]:
    """The manifest of a run, as it will be read back."""
    body = {
        "format": FORMAT,
        "task": task.about(),
        "model": config.model.to_json(),
        "train": config.train.to_json(),
        "step": step,
        "versions": dict(versions),
        "files": dict(sorted(files.items())),
    }
    if origin is not None:
        body["origin"] = origin.to_json()
    return json.loads(json.dumps(body))  # tuples become lists


@functools.cache
def versions() -> Mapping[str, str]:
    """The versions of the libraries that train on this machine, read once: every save asks, and
    each is parsed from a package's metadata.
    """
    packages = {name: version(name) for name in ("interp-utils", "torch", "numpy")}
    return {"python": platform.python_version(), **packages}
