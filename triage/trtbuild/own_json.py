"""Our own settings file beside the build script that ``triage fix MODEL --target tensorrt`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from triage.trtbuild.settings import Settings, as_plain, from_plain

if TYPE_CHECKING:
    from triage.site import Site

NAME = "build_tensorrt.json"
SCHEMA = "triage.tensorrt/1"


class OwnJson:
    """The settings file of our build script; it holds every setting."""

    kind = "json"
    whole = True

    def __init__(self, name: str, body: Mapping[str, Any]) -> None:
        self.name = name
        self.body = dict(body)
        self.settings = from_body(body)

    def write(self, site: Site, wanted: Settings) -> None:
        """Stores the file with what is wanted."""
        site.write_text(self.name, text_of({**self.body, **to_body(wanted)}))


def read(site: Site, name: str = NAME) -> OwnJson | None:
    """The carrier of a file; None where it is not ours."""
    if not site.has(name):
        return None
    try:
        body = json.loads(site.text(name))
    except ValueError:
        return None
    ours = isinstance(body, dict) and body.get("schema") == SCHEMA
    return OwnJson(name, body) if ours else None


def from_body(body: Mapping[str, Any]) -> Settings:
    """Settings of a file's content."""
    tactics = body.get("tactic_sources")
    return Settings(
        profiles=from_plain(body.get("profiles", ())),
        flags=frozenset(body.get("flags", ())),
        pools=dict(body.get("memory_pools", {})),
        tactics=None if tactics is None else tuple(tactics),
        level=body.get("optimization_level"),
        layers=dict(body.get("layer_precisions", {})),
        plugins=tuple(body.get("plugins", ())),
        typed=bool(body.get("strongly_typed", False)),
        timing_cache=body.get("timing_cache"),
        calibration=body.get("calibration"),
        model=body.get("model"),
        plan=body.get("plan"),
        shapes={name: tuple(dims) for name, dims in (body.get("shapes") or {}).items()},
    )


def to_body(settings: Settings) -> dict[str, Any]:
    """A file's content of settings."""
    return {
        "schema": SCHEMA,
        "model": settings.model,
        "plan": settings.plan,
        "profiles": as_plain(settings.profiles),
        "flags": sorted(settings.flags),
        "memory_pools": dict(settings.pools),
        "tactic_sources": None if settings.tactics is None else list(settings.tactics),
        "optimization_level": settings.level,
        "layer_precisions": dict(settings.layers),
        "plugins": list(settings.plugins),
        "strongly_typed": settings.typed,
        "timing_cache": settings.timing_cache,
        "calibration": settings.calibration,
        "shapes": {name: list(dims) for name, dims in settings.shapes.items()},
    }


def text_of(body: Mapping[str, Any]) -> str:
    """JSON with one key a line and short lists on one."""
    rows = [f"  {json.dumps(key)}: {_short(value)}" for key, value in body.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _short(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return "[\n" + ",\n".join(_rows(each, "    ") for each in value) + "\n  ]"
    return json.dumps(value)


def _rows(table: Mapping[str, Any], lead: str) -> str:
    rows = ",\n".join(f"{lead}  {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    return f"{lead}{{\n{rows}\n{lead}}}" if table else f"{lead}{{}}"
