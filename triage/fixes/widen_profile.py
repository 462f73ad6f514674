"""Widen the profile's range to what is asked for.

What it changes: the least and the most sizes of an optimization profile, so that every shape that the build is asked
to run lies inside: the one that was refused, those of stored arrays, those written in its scripts. Best sizes stay.
Inputs that share a dimension by name are widened together.

When it is wrong: where the refused request itself is the mistake (a frame of the wrong size). A wider range never
changes numbers; it can cost memory and speed.

Proof: the engine is built and takes the request that was refused; outputs are compared as the recipe says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal
from triage.trtbuild import look, ranges
from triage.trtbuild.settings import Profile, Range, by_x

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("profile-shape-out-of-range", "profile-invalid", "max-batch-size-mismatch")
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal]:
    """The range that covers everything asked for; where nothing says what that is, a guess."""
    for view in look.views(site):
        profiles = [dict(profile) for profile in view.settings.profiles]
        if not (profiles and all(profiles) and view.inputs and view.carrier.whole and view.builds):
            continue
        if not all(_sound(view, profile) for profile in profiles):
            continue
        ways = list(_ways(view, profiles))
        if not ways and site.found.causes[:1] == ("profile-shape-out-of-range",):
            ways = [_guessed(view, profiles)]
        for rank, (what, made) in enumerate(ways):
            if made != profiles:
                yield Proposal(f"{view.carrier.name}: {what}", view.parameters(made), rank=rank)


def _ways(view: View, profiles: list[dict[str, Range]]) -> Iterator[tuple[str, list[dict[str, Range]]]]:
    """First with every shape that stands anywhere, where the model takes them; then with what was really run only."""
    for asked in (view.hinted, view.asked):
        missing = [one for one in ranges.outside(profiles[0], asked) if not _covered(profiles, *one)]
        if not missing:
            continue
        made = [ranges.widened(view.inputs, profiles[0], asked), *profiles[1:]]
        if ranges.consistent(made[0], view.trial.fits):
            name, dims = missing[0]
            yield f"let {name} be {by_x(dims)}: now {look.told(made[0])}", made


def _covered(profiles: list[dict[str, Range]], name: str, dims: tuple[int, ...]) -> bool:
    return any(name in profile and profile[name].covers(dims) for profile in profiles)


def _sound(view: View, profile: Profile) -> bool:
    known = {each.name: each for each in view.inputs}
    return all(name in known and known[name].fits_range(found) for name, found in profile.items())


def _guessed(view: View, profiles: list[dict[str, Range]]) -> tuple[str, list[dict[str, Range]]]:
    """Every dynamic dimension down to half and up to four times, where the model takes that; the first down to one."""
    known = {each.name: each for each in view.inputs}
    asked: dict[str, list[tuple[int, ...]]] = {}
    for name, found in profiles[0].items():
        free = [True] * len(found.least) if found.values else [not isinstance(dim, int) for dim in known[name].dims]
        least = [1 if at == 0 else max(1, size // 2) for at, size in enumerate(found.least)]
        asked[name] = [
            tuple(low if moves else size for low, size, moves in zip(least, found.least, free, strict=True)),
            tuple(4 * size if moves else size for size, moves in zip(found.most, free, strict=True)),
        ]
    for part in (asked, {name: dims[1:] for name, dims in asked.items()}):
        made = ranges.widened(view.inputs, profiles[0], part)
        if ranges.consistent(made, view.trial.fits):
            return f"nothing says which shape was refused; now {look.told(made)}", [made, *profiles[1:]]
    return "", profiles


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the wider range."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

with trt.Builder(trt.Logger()) as builder, builder.create_builder_config() as config:
    network = builder.create_network(1)
    trt.OnnxParser(network, trt.Logger()).parse_from_file("model.onnx")
    profile = builder.create_optimization_profile()
    profile.set_shape("input", (1, 8), (2, 8), (4, 8))
    config.add_optimization_profile(profile)
    open("model.plan", "wb").write(builder.build_serialized_network(network, config))
    for frames in {frames}:
        run("model.plan", (frames, 8))
"""


def _write(folder: str, frames: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(frames=frames))


def _before(folder: str) -> None:
    _write(folder, "(1, 12, 30)")


def _inside(folder: str) -> None:
    _write(folder, "(1, 2, 4)")


def _after(site: Site) -> None:
    (view,) = look.views(site)
    found = view.settings.profiles[0]["input"]
    assert found.covers((12, 8))  # noqa: S101
    assert found.covers((30, 8))  # noqa: S101
    assert found.opt == (2, 8)  # noqa: S101


_LOG = "[TRT] [E] 3: Runtime dimension does not satisfy any optimization profile.\nshape (12, 8) of input was refused\n"
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("onnx", "libcst")),
    Example(_inside, None, applies=False, needs=("onnx", "libcst"), found=Found(causes=("profile-invalid",))),
)
