"""Our own build script and its settings file, written into a build's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from triage import folders
from triage.trtbuild import own_json
from triage.trtbuild.settings import Settings

if TYPE_CHECKING:
    from triage.site import Site

SCRIPT = "build_tensorrt.py"


def script_text() -> str:
    """The build script."""
    return _packaged("_build_tensorrt.py")


def calibrator_text() -> str:
    """The module that feeds INT8 calibration, to be stored as ``int8_calibration.py``."""
    return _packaged("_calibrator.py")


def _packaged(name: str) -> str:
    with open(folders.package_folder("trtbuild", name), encoding="utf-8") as stream:
        return stream.read()


def settings_text(settings: Settings, more: Mapping[str, Any] | None = None) -> str:
    """Its settings file."""
    return own_json.text_of({**own_json.to_body(settings), **(more or {})})


def write(site: Site, settings: Settings) -> None:
    """Writes both into a site."""
    site.write_text(SCRIPT, script_text())
    site.write_text(own_json.NAME, settings_text(settings))
