"""Bytes on disk that can be trusted: they are written atomically, by one writer at a time, and
their digest is checked when they are read.

Files are safetensors and JSON; nothing here ever writes or reads a pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor


class DamagedFile(ValueError):
    """A file is not what its run says it is. The message names the file, what is wrong and what to
    do.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: {problem}; restore this file from a copy, or train the run again in a new "
            "folder"
        )


class RunInUse(RuntimeError):
    """Another process is writing to this folder."""


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file. After it returns `path` holds `content`, even after a power cut. If it fails
    or is killed, the old content stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a folder; a rename there is durable by itself.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_temporary_files(folder: Path) -> None:
    """Deletes what a killed `write_atomic` left behind. The caller must hold the folder's lock."""
    for leftover in folder.rglob(".*.tmp"):
        if re.fullmatch(r"\..+\.(json|safetensors)\.[^.]+\.tmp", leftover.name):
            leftover.unlink(missing_ok=True)


def describe(content: bytes) -> dict[str, Any]:
    """What a manifest says about a file: its size and sha256."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def read_checked(path: Path, description: Mapping[str, Any]) -> bytes:
    """The bytes of a file. Raises DamagedFile unless they fit the description in the manifest,
    run.json.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise DamagedFile(path, "this file, which run.json names, is missing") from None
    actual = describe(content)
    if actual != dict(description):
        raise DamagedFile(
            path,
            f"expected {description['bytes']} bytes with sha256 {description['sha256'][:12]}... "
            "according to run.json, "
            f"found {actual['bytes']} bytes with sha256 {actual['sha256'][:12]}...",
        )
    return content


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Content of a safetensors file. Each tensor is written by itself, even where two tensors share
    memory.
    """
    held: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        memory = plain.untyped_storage().data_ptr()
        separate[name] = plain.clone() if memory in held else plain
        held.add(memory)
    return safetensors.torch.save(separate)


def tensors_from_bytes(content: bytes, path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(content)
    except (
        SafetensorError,
        KeyError,
        ValueError,
        RuntimeError,
    ) as error:  # the last three: a dtype that is not torch's
        raise DamagedFile(path, f"not a safetensors file ({error})") from None


def compact(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of integers of at least 0, or masks, in the smallest type that holds their values."""
    return {name: _shrunk(tensor) for name, tensor in tensors.items()}


def _shrunk(tensor: Tensor) -> Tensor:
    largest = int(tensor.max())
    if largest < 2**8:
        return tensor.to(torch.uint8)
    if largest < 2**15:
        return tensor.to(torch.int16)
    return tensor.to(torch.int32 if largest < 2**31 else torch.int64)


def manifest_to_bytes(manifest: Mapping[str, Any]) -> bytes:
    """JSON with a digest of itself, by which an edited manifest is noticed."""
    body = json_bytes(manifest)
    return json_bytes({**manifest, "sha256": hashlib.sha256(body).hexdigest()})


def manifest_from_bytes(content: bytes, path: Path) -> dict[str, Any]:
    """The manifest. Raises DamagedFile unless content is byte for byte what would be written."""
    try:
        manifest = json.loads(content)
        del manifest["sha256"]
        intact = manifest_to_bytes(manifest) == content
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedFile(path, "not a run's manifest (truncated or overwritten)") from None
    if not intact:
        raise DamagedFile(path, "the content does not fit its own sha256 (edited or damaged)")
    return manifest


def json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


@contextmanager
def exclusive(folder: Path, name: str = ".lock", wait: bool = False) -> Iterator[None]:
    """Holds the folder for this process. The operating system frees the folder when the process
    ends, however it ends.

    name: the file that is locked; a folder may have one for each of its parts.
    Raises RunInUse if another process holds it; with `wait`, waits for that process instead.
    """
    lock = filelock.FileLock(folder / name, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RunInUse(
            f"{folder} is being written by another process; wait for it, or choose another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()
