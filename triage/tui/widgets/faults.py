"""What became of a worker that ended by an error nobody expected: a sentence, in place of waiting for ever."""

from __future__ import annotations

from textual.worker import Worker, WorkerState

from triage.errors import ArchiveFault


def fault_of(event: Worker.StateChanged, group: str) -> ArchiveFault | None:
    """The fault of a worker of this group that failed; None where it did not."""
    if event.state is not WorkerState.ERROR or event.worker.group != group:
        return None
    error = event.worker.error
    return ArchiveFault(f"triage itself failed here: {type(error).__name__}: {error}. Please report it.")
