"""The folder of one run: which run it is, and its checkpoints that are whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from ...errors import CheckpointError
from ...storage import differences, is_draft, replacing

RUN, DONE = "run.json", "saved.json"


def claim(folder: Path, identity: dict[str, Any]) -> Path | None:
    """Make the folder that of this run; the newest whole checkpoint in it, or None. Broken ones go."""
    here = json.loads(json.dumps(identity))
    note = folder / RUN
    if note.exists():
        try:
            there = json.loads(note.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{note} is damaged ({error}); choose another folder") from error
        different = differences(there, here) if isinstance(there, dict) else "it is no record of a run"
        if different:
            raise CheckpointError(f"{folder} belongs to another run ({different}); choose another folder")
    else:
        with replacing(note) as draft:
            draft.write_text(json.dumps(here), encoding="utf-8")
    found = {int(path.name.partition("-")[2]): path for path in folder.glob("checkpoint-*")}
    for step in [step for step, path in found.items() if not (path / DONE).exists()]:
        shutil.rmtree(found.pop(step), ignore_errors=True)
    return found[max(found)] if found else None


def seal(checkpoint: Path, seconds: dict[str, float]) -> None:
    """Mark a checkpoint as whole, with digests of its files and the seconds that the run has taken."""
    with replacing(checkpoint / DONE) as draft:
        draft.write_text(json.dumps({"files": _digests(checkpoint), "seconds": seconds}), encoding="utf-8")


def seconds_before(checkpoint: Path | None) -> dict[str, float]:
    """The seconds that the run had taken at a sealed checkpoint; none where there is no checkpoint.

    CheckpointError if one of its files is not what was sealed.
    """
    if checkpoint is None:
        return {}
    try:
        saved = json.loads((checkpoint / DONE).read_text(encoding="utf-8"))
        if saved["files"] != _digests(checkpoint):
            raise ValueError("its files are not those that were written")
        return {str(key): float(value) for key, value in saved["seconds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{checkpoint} is damaged ({error}); delete that folder") from error


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != DONE and not is_draft(path):
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
