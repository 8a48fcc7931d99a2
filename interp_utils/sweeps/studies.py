"""Where an Optuna study is stored, and how it is told from others. Only this module opens it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from interp_utils.runs import storage as disk

if TYPE_CHECKING:
    import optuna

JOURNAL, FOLDER = "study.journal", "folder.json"


def import_optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "sweeps need Optuna: pip install 'interp-utils[sweeps]'", name="optuna"
        ) from None
    return optuna


def load(out: str | Path, storage: str | Path | None = None, study: str = "sweep") -> optuna.Study:
    """The study of a sweep, to look at: `.trials_dataframe()`, `.best_trial`,
    `optuna.visualization`.

    Raises FileNotFoundError where there is no journal, ValueError where the storage has no such
    study.
    """
    optuna = import_optuna()
    journal = Path(storage or Path(out) / JOURNAL)
    if "://" not in str(storage) and not journal.is_file():
        raise FileNotFoundError(
            f"there is no sweep in {Path(out).resolve()}: {journal} is missing; if a database "
            "holds it, say which"
        )
    opened = _open_storage(Path(out), storage)
    names = optuna.get_all_study_names(opened)
    if study not in names:
        raise ValueError(f"there is no study {study!r} in this storage; it has {names}")
    return optuna.load_study(study_name=study, storage=opened)


def open_study(
    folder: Path, storage: str | Path | None, name: str, about: Mapping[str, Any] | None
) -> optuna.Study:
    """The study, created where the storage has none of this name. The caller holds the folder's
    lock.

    Raises ValueError where the study's runs are in another folder, or its `about` differs.
    """
    study = import_optuna().create_study(
        storage=_open_storage(folder, storage), study_name=name, load_if_exists=True
    )
    there, here = study.user_attrs, {"folder": _identity(folder)}
    if there.get("folder", here["folder"]) != here["folder"]:
        raise ValueError(
            f"study {name!r} has its runs in another folder than {folder}: all its workers share "
            "one folder; or take another name"
        )
    if about is not None:
        here["about"] = json.loads(disk.json_bytes(about))  # as it will be read back
        before = there.get("about", here["about"])
        if different := sorted(
            key
            for key in before.keys() | here["about"].keys()
            if before.get(key) != here["about"].get(key)
        ):
            changes = ", ".join(
                f"{key} = {before.get(key)!r} there, {here['about'].get(key)!r} here"
                for key in different
            )
            raise ValueError(
                f"study {name!r} is there with other settings ({changes}); take another name: "
                "runs of the same settings are found again"
            )
    for key in here.keys() - there.keys():
        study.set_user_attr(key, here[key])
    return study


def _identity(folder: Path) -> str:
    """An identifier of the folder, the same wherever the folder is mounted: workers of several
    folders may use one database.
    """
    if not (folder / FOLDER).exists():
        disk.write_atomic(folder / FOLDER, disk.json_bytes({"id": uuid.uuid4().hex}))
    return json.loads((folder / FOLDER).read_bytes())["id"]


def _open_storage(folder: Path, storage: str | Path | None) -> optuna.storages.BaseStorage:
    """A database by its URL, or a journal file."""
    optuna = import_optuna()
    if "://" in str(storage):
        # Servers end connections that stay open for the hours of a training: none does.
        from sqlalchemy.pool import NullPool

        url = _with_driver(str(storage))
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs={"poolclass": NullPool})
        except Exception as error:  # SQLAlchemy's, Optuna's, or that of the database's module
            reasons = [error] if error.__cause__ is None else [error, error.__cause__]
            reason = ": ".join(str(each).splitlines()[0].rstrip(".") for each in reasons)
            raise ValueError(
                f"cannot open this storage ({reason}); a database's URL is e.g. "
                "sqlite:///sweeps.db or postgresql://host/name"
            ) from error
    path = Path(storage or folder / JOURNAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(path), lock_obj=_JournalLock(path))
    )


def is_server(storage: str | Path | None) -> bool:
    """Whether workers on several machines can share this storage."""
    return "://" in str(storage) and not str(storage).startswith("sqlite")


def _with_driver(url: str) -> str:
    """A database's URL, which for PostgreSQL names the driver, psycopg 3: the driver that
    SQLAlchemy chooses by itself depends on SQLAlchemy's version.
    """
    scheme, rest = url.split("://", 1)
    if scheme != "postgresql":
        return url
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ModuleNotFoundError(
            "PostgreSQL needs psycopg 3: pip install 'interp-utils[postgresql]'", name="psycopg"
        ) from error
    return f"postgresql+psycopg://{rest}"


class _JournalLock:
    """The journal's lock, in place of Optuna's own, which outlives a killed process by half a
    minute.

    A record that a kill or a full disk has cut short would make all later records unreadable, and
    is removed.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, filelock.FileLock(f"{path}.flock")

    def acquire(self) -> bool:
        self.lock.acquire()
        with self.path.open("rb+") as journal:
            if journal.seek(0, os.SEEK_END):
                journal.seek(-1, os.SEEK_END)
                if journal.read() != b"\n":
                    journal.seek(0)
                    journal.truncate(journal.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self.lock.release()
