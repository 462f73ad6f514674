"""All that can be moved to a newer interface in one build: Python names, TensorRT objects, and options of tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from triage.pysource import exporters, moves, options, trtmoves
from triage.pysource.changes import Changes

if TYPE_CHECKING:
    from triage.site import Site


def proposals(site: Site) -> Iterator[tuple[str, dict[str, Any]] | tuple[str, str]]:
    """(what, parameters) of what can be written, (why, what to do) of what cannot."""
    flow = exporters.project_flow(site)
    made = Changes(flow.project)
    done = moves.move_all(flow, site.log)
    said = list(dict.fromkeys(done.said))
    moves.finish(flow.project.sources())
    for place in done.keys:
        made.drop(place)
    packed = made.packed()
    if packed and said:
        yield "move " + "; ".join(said[:4]) + (f" and {len(said) - 4} more" if len(said) > 4 else ""), packed
    yield from _of_tensorrt(site)
    yield from options.proposals(site)
    for move in done.refused:
        yield (
            f"{move.name} is gone since {move.package} {move.gone} and has no successor with the same meaning",
            move.note,
        )


def _of_tensorrt(site: Site) -> Iterator[tuple[str, dict[str, Any]] | tuple[str, str]]:
    flow = exporters.project_flow(site)
    made = Changes(flow.project)
    said, refused = trtmoves.move_all(flow, site.log, site.found.tool_version)
    packed = made.packed()
    if packed and said:
        shown = "; ".join(said[:4]) + (f" and {len(said) - 4} more" if len(said) > 4 else "")
        yield f"move the script to this TensorRT: {shown}", packed
    for row in refused:
        yield f"{row.owner}.{row.name} is gone since TensorRT {row.gone}: it changed what is built", row.note
