"""Build the engine again for this machine.

What it changes: a plan that cannot be loaded here (another TensorRT version, another GPU, a broken file) is built
again from its ONNX file. Where the build makes the plan itself when it is not there, the stale file is removed; where
a script of the folder builds it, that script runs first; a trtexec or Polygraphy command that loads the plan builds it
instead; else a build script of our own is written and runs first.

When it is wrong: where the plan was built from another ONNX file, or with calibration that is not in the folder. An
ONNX file counts only if it has the inputs and outputs that the plan names, as far as the plan can be read.

Proof: the engine is built, loaded and run; outputs are compared as the recipe says.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from triage.fixes import CannotApply, Example, Found, Site
from triage.remedy import Proposal, Refusal
from triage.trtbuild import look, plans, ranges, standalone, words
from triage.trtbuild.settings import Settings, as_plain, from_plain

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("engine-version-mismatch", "engine-device-mismatch", "engine-corrupt", "weights-refit-failed")
SAFETY = "safe"
_LOOKS = re.compile(r"exists\(|isfile\(|is_file\(|except\b|os\.stat\(|getmtime\(")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The way that fits how this build makes and loads its plan; a refusal where nothing can be built from."""
    seen = look.views(site)
    plan = plans.loaded(site, next(filter(None, (view.settings.plan for view in seen)), None))
    if plan is None:
        return
    model = plans.sure_source(site, plan)
    if model is None:
        yield _refused(site, plan)
        return
    scripts = [view for view in seen if view.carrier.kind == "script" and view.builds]
    if any(_runs(site, each.carrier.name) and _LOOKS.search(site.text(each.carrier.name)) for each in scripts):
        yield Proposal(f"remove {plan}, so that it is built again from {model}", {"remove": plan})
        return
    for view in seen:
        if view.carrier.kind in ("json", "trtexec", "polygraphy") and not view.settings.model:
            what = f"{view.carrier.name}: build {plan} from {model} in place of loading it"
            yield Proposal(what, {**view.change(), "model": model, "plan": plan})
            return
    others = [view for view in scripts if not _runs(site, view.carrier.name) and _writes(site, view, plan)]
    for rank, view in enumerate(others):
        what = f"run {view.carrier.name} first, which builds {plan} from {model}"
        yield Proposal(what, {"first": ["python", view.carrier.name], "remove": plan}, rank=rank)
    yield from _with_our_script(site, model, plan)


def _with_our_script(site: Site, model: str, plan: str) -> Iterator[Proposal]:
    if site.has(standalone.SCRIPT):
        return
    view = look.View(site, _Bare(model))
    made = ranges.fresh(view.inputs, view.asked, view.hinted, view.trial.fits) if view.inputs else {}
    profiles = [made] if made else []
    yield Proposal(f"build {plan} from {model} with a script of our own first",
                   {"ours": {"model": model, "plan": plan, "profiles": as_plain(profiles)}}, rank=5)  # fmt: skip


class _Bare:
    """Settings of a build that nothing describes yet."""

    kind, name, whole = "json", standalone.SCRIPT, True

    def __init__(self, model: str) -> None:
        self.settings = Settings(model=model)

    def write(self, site: Site, wanted: Settings) -> None:
        """Nothing to write to yet."""


def _refused(site: Site, plan: str) -> Refusal:
    others = [path for path in site.listing if path.endswith(".onnx")]
    if others:
        named = ", ".join(others[:3])
        return Refusal(
            f"{plan} cannot be converted, and none of {named} is surely the model that it was built from",
            f"build {plan} again on this machine from the ONNX file that it came from",
        )
    return Refusal(
        f"{plan} cannot be converted: a plan runs only with the TensorRT version and GPU that it was built for, "
        "and the ONNX file that it was built from is not in the folder",
        f"put the ONNX file beside {plan} and build it again: trtexec --onnx=model.onnx --saveEngine={plan}",
    )


def _runs(site: Site, script: str) -> bool:
    """Whether the build's own command runs this script."""
    return any(os.path.normpath(word) == script for word in site.command if word.endswith(".py"))


def _writes(site: Site, view: View, plan: str) -> bool:
    return os.path.basename(plan) in site.text(view.carrier.name) or view.settings.plan is None


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Removes the stale plan, or lets it be built first."""
    if "ours" in parameters:
        told = parameters["ours"]
        standalone.write(site, Settings(model=told["model"], plan=told["plan"], profiles=from_plain(told["profiles"])))
        _run_first(site, ["python", standalone.SCRIPT, "--build-only"])
    elif "carrier" in parameters:
        _build_instead(site, parameters)
    else:
        site.remove(parameters["remove"])
        if "first" in parameters:
            _run_first(site, parameters["first"])


def _run_first(site: Site, command: Sequence[str]) -> None:
    site.set_command(("sh", "-c", f"{shlex.join(command)} && {shlex.join(site.command)}"))


def _build_instead(site: Site, parameters: Mapping[str, Any]) -> None:
    model, plan = parameters["model"], parameters["plan"]
    if parameters["kind"] == "json":
        look.apply(site, {**parameters, "settings": {"model": model, "plan": plan}})
        return
    for each in words.found(site):
        if each.kind == parameters["kind"] and each.name == parameters["carrier"]:
            each.replace_words(site, _builds(each.kind, list(each.command.words), model))
            return
    raise CannotApply("the command is no longer there")


def _builds(kind: str, told: list[str], model: str) -> list[str]:
    """The words of a command that builds in place of loading."""
    if kind == "trtexec":
        made = []
        for word in told:
            name, _, plan = word.partition("=")
            made += [f"--onnx={model}", f"--saveEngine={plan}"] if name == "--loadEngine" else [word]
        return made
    kept = [model if word.endswith(plans.ENDINGS) and not word.startswith("-") else word for word in told]
    while "--model-type" in kept:
        at = kept.index("--model-type")
        del kept[at : at + 2]
    return [word for word in kept if not word.startswith("--model-type=")]


_CACHING = """import os
import tensorrt as trt

logger = trt.Logger()
if not os.path.exists("model.plan"):
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    trt.OnnxParser(network, logger).parse_from_file("model.onnx")
    open("model.plan", "wb").write(builder.build_serialized_network(network, builder.create_builder_config()))
engine = trt.Runtime(logger).deserialize_cuda_engine(open("model.plan", "rb").read())
"""


def _model(folder: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(1), f"{folder}/model.onnx")


def _plan(folder: str) -> None:
    with open(f"{folder}/model.plan", "wb") as stream:
        stream.write(b"stale" * 100)


def _before(folder: str) -> None:
    _model(folder)
    _plan(folder)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_CACHING)


def _gone(site: Site) -> None:
    assert not site.has("model.plan")  # noqa: S101
    assert site.command == ("python", "build.py")  # noqa: S101


def _loaded_only(folder: str) -> None:
    _model(folder)
    _plan(folder)


def _of_command(site: Site) -> None:
    assert site.command == ("trtexec", "--onnx=model.onnx", "--saveEngine=model.plan", "--fp16")  # noqa: S101


def _ours(site: Site) -> None:
    assert site.command[:2] == ("sh", "-c")  # noqa: S101
    assert "build_tensorrt.py --build-only && python serve.py" in site.command[2]  # noqa: S101
    compile(site.text(standalone.SCRIPT), standalone.SCRIPT, "exec")


_FOUND = Found(causes=("engine-corrupt",))
EXAMPLES = (
    Example(_before, _gone, found=_FOUND, needs=("onnx", "libcst")),
    Example(
        _loaded_only,
        _of_command,
        command=("trtexec", "--loadEngine=model.plan", "--fp16"),
        found=_FOUND,
        needs=("onnx",),
    ),
    Example(_loaded_only, _ours, command=("python", "serve.py"), found=_FOUND, needs=("onnx", "libcst")),
    Example(_plan, None, command=("trtexec", "--loadEngine=model.plan"), found=_FOUND, applies=False),
)
