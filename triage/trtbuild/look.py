"""What the repairs of TensorRT builds look at: each carrier with its model, what is asked of it, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from triage.trtbuild import carriers, requests
from triage.trtbuild.settings import Dims, Profile, Range, Settings, as_plain, from_plain
from triage.trtbuild.trial import Trial

if TYPE_CHECKING:
    from triage.site import Site
    from triage.trtbuild.carriers import Carrier
    from triage.trtbuild.inputs import Input


class View:
    """One carrier, and the model that it builds."""

    def __init__(self, site: Site, carrier: Carrier) -> None:
        self.site = site
        self.carrier = carrier
        self.model = carriers.model_path(site, carrier.settings)

    @property
    def settings(self) -> Settings:
        """What the carrier says."""
        return self.carrier.settings

    @cached_property
    def inputs(self) -> list[Input]:
        """The inputs of the model; empty where it cannot be read."""
        return carriers.inputs(self.site, self.model)

    @cached_property
    def asked(self) -> Mapping[str, Sequence[Dims]]:
        """Shapes that are really run or stored, by input."""
        return requests.by_name(self._all_asked, sure=True)

    @cached_property
    def hinted(self) -> Mapping[str, Sequence[Dims]]:
        """Shapes that stand anywhere, by input."""
        return requests.by_name(self._all_asked)

    @cached_property
    def _all_asked(self) -> list[requests.Asked]:
        return requests.asked(self.site, self.inputs)

    @cached_property
    def trial(self) -> Trial:
        """Tries shapes on the model."""
        return Trial(self.site.path(self.model or ""), self.inputs)

    @property
    def builds(self) -> bool:
        """Whether an engine is built here (and not only loaded)."""
        return bool(getattr(self.carrier, "builds", self.settings.model is not None or self.carrier.kind == "data"))

    def parameters(self, profiles: Sequence[Profile]) -> dict[str, Any]:
        """Parameters of a proposal that sets profiles."""
        return {"carrier": self.carrier.name, "kind": self.carrier.kind, "profiles": as_plain(profiles)}

    def change(self, **settings: Any) -> dict[str, Any]:
        """Parameters of a proposal that changes other settings."""
        return {"carrier": self.carrier.name, "kind": self.carrier.kind, "settings": settings}


def views(site: Site) -> list[View]:
    """Everything that speaks to TensorRT in this build."""
    return [View(site, carrier) for carrier in carriers.carriers(site)]


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Makes what ``parameters`` or ``change`` describes."""
    carrier = carriers.by_name(site, parameters["carrier"], parameters["kind"])
    wanted = carrier.settings
    changed: dict[str, Any] = {}
    if "profiles" in parameters:
        changed["profiles"] = from_plain(parameters["profiles"])
    for key, value in parameters.get("settings", {}).items():
        made = frozenset(value) if key == "flags" else tuple(value) if isinstance(value, list) else value
        changed[key] = made
    wanted = wanted._replace(**changed)
    carrier.write(site, wanted)


def told(profile: Mapping[str, Range]) -> str:
    """A profile in words."""
    return ", ".join(f"{name} {found}" for name, found in profile.items())
