"""Put names, ranks, sizes and order of the profile right.

What it changes: the numbers and names of optimization profiles, where they are written (settings file, command,
script, data file): a name that no input has goes to the input without a range, a shape of another rank or order of
dimensions is laid over the input's, fixed sizes are those of the model, min <= opt <= max is restored, an input
without a range gets one, and inputs that share a dimension by name get the same range.

When it is wrong: where two inputs of the same shape lack a range and two names are wrong, names are matched by their
likeness. The build and the comparison then decide.

Proof: the engine is built and runs; outputs are compared as the recipe says. A profile only says which sizes are
allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.trtbuild import look
from triage.trtbuild.correct import corrections

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("profile-invalid", "profile-missing", "input-name-mismatch", "profile-shape-out-of-range")
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal]:
    """Every way to put the profiles of a carrier right; nothing where they fit the model."""
    for view in look.views(site):
        profiles = [profile for profile in view.settings.profiles if profile]
        if not view.inputs or not profiles or not view.carrier.whole:
            continue
        if view.carrier.kind == "trtexec" and not any(each.dynamic for each in view.inputs):
            yield Proposal(f"{view.model} is static: drop the shapes from {view.carrier.name}", view.parameters([]))
            continue
        yield from _corrected(view)


def _corrected(view: View) -> Iterator[Proposal]:
    found = corrections(view.inputs, view.settings.profiles, view.asked, view.hinted, view.trial.fits)
    for rank, right in enumerate(found):
        words = "; ".join(right.told)
        sizes = " | ".join(look.told(profile) for profile in right.profiles)
        yield Proposal(f"{view.carrier.name}: {words}: now {sizes}", view.parameters(right.profiles), rank=rank)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the profiles."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

SMALL, USUAL, LARGE = (1, 8), (4, 8), (16, 8)
logger = trt.Logger(trt.Logger.INFO)
builder = trt.Builder(logger)
network = builder.create_network(1)
parser = trt.OnnxParser(network, logger)
parser.parse_from_file("model.onnx")
config = builder.create_builder_config()
profile = builder.create_optimization_profile()
profile.set_shape({call})
config.add_optimization_profile(profile)
plan = builder.build_serialized_network(network, config)
"""


def _write(folder: str, call: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(call=call))


def _inverted(folder: str) -> None:
    _write(folder, '"input", min=LARGE, opt=USUAL, max=SMALL')


def _misnamed(folder: str) -> None:
    _write(folder, '"input_ids:0", SMALL, USUAL, LARGE')


def _without_batch(folder: str) -> None:
    _write(folder, '"input", (8,), (8,), (8,)')


def _right(folder: str) -> None:
    _write(folder, '"input", SMALL, USUAL, LARGE')


def _after(site: Site) -> None:
    (view,) = look.views(site)
    (profile,) = view.settings.profiles
    assert set(profile) == {"input"}  # noqa: S101
    assert all(each.fits_range(profile[each.name]) for each in view.inputs)  # noqa: S101
    assert profile["input"].covers((2, 8))  # noqa: S101
    compile(site.text("build.py"), "build.py", "exec")


_FOUND = ("onnx", "libcst")
EXAMPLES = (
    Example(_inverted, _after, needs=_FOUND),
    Example(_misnamed, _after, needs=_FOUND),
    Example(_without_batch, _after, needs=_FOUND),
    Example(_right, None, applies=False, needs=_FOUND),
)
