"""Create an optimization profile from the model's inputs.

What it changes: the build gets one optimization profile with a range for every dynamic input: in its settings file,
its trtexec or Polygraphy command, or its script. Sizes come from what the build is asked to run (its log, its command,
stored arrays, shapes written in its scripts); where nothing says a size, from what the dimension seems to be, tried on
the model with ONNX Runtime. Inputs that share a dimension by name get the same range. A profile that a script makes
and fills but never hands to the configuration is handed over.

When it is wrong: where the service later sends sizes that nothing in the folder shows. The range then has to be
widened, which TensorRT says at run time; it never changes numbers. A range far wider than needed costs memory and
speed.

Proof: the engine is built and runs; outputs are compared as the recipe says. A profile only says which sizes are
allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.trtbuild import look, ranges
from triage.trtbuild.settings import Range, by_x

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("profile-missing", "explicit-batch-required", "profile-invalid")
SAFETY = "safe"
_NONE = "no optimization profile has been defined"


def propose(site: Site) -> Iterator[Proposal]:
    """Proposals for each place that builds without a profile, or with one that only a run can tell."""
    seen = look.views(site)
    told = any(view.carrier.kind in ("words", "data") and any(view.settings.profiles) for view in seen)
    for view in seen:
        if told and not view.carrier.whole:
            continue  # it reads its ranges there, where correct_profile puts them right
        if view.builds and any(each.dynamic for each in view.inputs):
            yield from sorted(_ways(site, view), key=lambda proposal: proposal.rank)


def _ways(site: Site, view: View) -> Iterator[Proposal]:
    if view.carrier.kind not in ("words", "data"):
        settings, written = view.settings, [profile for profile in view.settings.profiles if profile]
        drafts = getattr(view.carrier, "written", ())
        if drafts and not any(drafts) and _NONE in site.log:
            yield from _added(view, len(drafts))  # it makes one, and fills or hands it over only in some cases
        if not view.carrier.whole:
            yield from _opaque(view)
        elif not written and "profile-invalid" not in site.found.causes[:1]:
            yield from _fresh(view)
        elif len(written) < len(settings.profiles):
            yield from _empty_ones(view)


def _fresh(view: View) -> Iterator[Proposal]:
    drafted = dict(next(iter(getattr(view.carrier, "written", ())), {}))
    known = {each.name for each in view.inputs}
    kept = {name: found for name, found in drafted.items() if name in known}
    made = ranges.fresh(view.inputs, view.asked, view.hinted, view.trial.fits, kept)
    if made is None:
        return
    profile = {**kept, **made}
    start = "hand the profile over" if drafted and not made else "create a profile"
    yield Proposal(f"{start} in {view.carrier.name}: {look.told(profile)}", view.parameters([profile]))


def _added(view: View, drafts: int) -> Iterator[Proposal]:
    """A profile of its own beside one that stayed out of the configuration."""
    made = ranges.fresh(view.inputs, view.asked, view.hinted, view.trial.fits)
    if made is not None:
        what = f"give {view.carrier.name} a profile of its own: {look.told(made)}"
        rank = 0 if getattr(view.carrier, "handed_over", True) else 2
        yield Proposal(what, view.parameters([*[{} for _ in range(drafts)], made]), rank=rank)


def _empty_ones(view: View) -> Iterator[Proposal]:
    """Profiles that are made and never filled get ranges."""
    made = ranges.fresh(view.inputs, view.asked, view.hinted, view.trial.fits)
    if made is not None:
        profiles = [profile or made for profile in view.settings.profiles]
        yield Proposal(f"fill the empty profile in {view.carrier.name}: {look.told(made)}", view.parameters(profiles))


def _opaque(view: View) -> Iterator[Proposal]:
    """Ranges that a script computes give way to a table of ranges for all inputs."""
    made = ranges.fresh(view.inputs, view.asked, view.hinted, view.trial.fits)
    if made is None:
        return
    whole = {each.name: made.get(each.name) or _fixed(each.dims) for each in view.inputs}
    count = max(1, len(view.settings.profiles))
    yield Proposal(
        f"write the ranges into {view.carrier.name} in place of what it computes: {look.told(made)}",
        view.parameters([whole] * count), rank=1,
    )  # fmt: skip


def _fixed(dims: tuple[int | str | None, ...]) -> Range:
    sizes = tuple(size for size in dims if isinstance(size, int))
    return Range(sizes, sizes, sizes)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the profile."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

logger = trt.Logger(trt.Logger.INFO)
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
parser = trt.OnnxParser(network, logger)
assert parser.parse_from_file("model.onnx")
config = builder.create_builder_config()
{profile}
with open("model.plan", "wb") as stream:
    stream.write(builder.build_serialized_network(network, config))
"""


def _model(folder: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


def _before(folder: str) -> None:
    _model(folder)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(profile=""))


def _with_profile(folder: str) -> None:
    _model(folder)
    lines = [
        "profile = builder.create_optimization_profile()",
        'profile.set_shape("input", (1, 8), (4, 8), (8, 8))',
        "config.add_optimization_profile(profile)",
    ]
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(profile="\n".join(lines)))


def _after(site: Site) -> None:
    """The model runs on both ends of the range, and the script hands the profile over."""
    (view,) = look.views(site)
    (profile,) = view.settings.profiles
    assert set(profile) == {"input"}  # noqa: S101
    assert ranges.consistent(profile, view.trial.fits)  # noqa: S101
    assert all(each.fits_range(profile[each.name]) for each in view.inputs)  # noqa: S101
    for place, moment in (("command", site.command), ("script", site.text("build.py"))):
        assert place == "command" or "config.add_optimization_profile(" in moment  # noqa: S101


def _of_command(site: Site) -> None:
    (view,) = look.views(site)
    found = view.settings.profiles[0]["input"]
    assert f"--maxShapes=input:{by_x(found.most)}" in site.command  # noqa: S101
    assert found.covers((3, 8))  # noqa: S101


EXAMPLES = (
    Example(_before, _after, needs=("onnx", "libcst")),
    Example(
        _model,
        _of_command,
        command=("trtexec", "--onnx=model.onnx", "--shapes=input:3x8"),
        needs=("onnx",),
        applies=False,
    ),
    Example(
        _model,
        _of_command,
        command=("trtexec", "--onnx=model.onnx"),
        log="shape (3, 8) of input was refused",
        needs=("onnx",),
    ),
    Example(_with_profile, None, applies=False, needs=("onnx", "libcst")),
)
