"""Load the plugin library before the model is read.

What it changes: TensorRT's own plugins are registered (``init_libnvinfer_plugins``) before the parser or runtime runs,
where a script does not do that; or a library of the folder that holds the plugin is loaded first, in the settings, the
command or the script.

When it is wrong: where the plugin was built for another TensorRT version; then loading it fails with its own message.
A library of the folder is code that runs with your rights, so that is tried only when you allow it.

Proof: the engine is built and loaded; outputs are compared as the recipe says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal
from triage.trtbuild import carriers, look

if TYPE_CHECKING:
    from triage.trtbuild.script import Script

CAUSES = ("plugin-missing", "operator-unsupported")
SAFETY = "unsafe"
_OWN = re.compile(
    r"(?:_TRT|_ONNX_TRT|Dynamic)$|^(?:BatchTilePlugin|CoordConvAC|CropAndResize|DecodeBbox3DPlugin|fMHA_V2|fMHCA|GroupNorm|LayerNorm|"
    r"ModulatedDeformConv2d|MultiscaleDeformableAttnPlugin|PillarScatterPlugin|PriorBox|ProposalDynamic|ROIAlign|"
    r"RnRes2Br2bBr2c|Region|Reorg|RPROI|ScatterND|SeqLen2Spatial|SplitGeLU|VoxelGeneratorPlugin)"
)
_MISSING = re.compile(
    r"could not find plugin:?\s*(\S{1,100})|[Pp]lugin (?:not found|creator)[^\n]{0,40}?(\w{2,80})\s+version"
)
_LARGEST = 1 << 30


def propose(site: Site) -> Iterator[Proposal]:
    """Registers TensorRT's own plugins; loads a library of the folder that names the missing one."""
    missing = _missing(site)
    if not missing:
        return
    own = any(_OWN.search(name) for name in missing)
    for script in carriers.scripts(site) if own else ():
        if not any(script.named("init_libnvinfer_plugins")):
            yield Proposal(f"{script.name}: register TensorRT's own plugins first", {"own": script.name}, safety="safe")
    for library in _libraries(site, missing):
        for view in look.views(site):
            if library not in view.settings.plugins and view.carrier.kind not in ("words", "data"):
                yield Proposal(f"{view.carrier.name}: load {library}, which holds {missing[0]}",
                               view.change(plugins=[*view.settings.plugins, library]), rank=1)  # fmt: skip


def _missing(site: Site) -> list[str]:
    told = [match[1] or match[2] for match in _MISSING.finditer(site.log)]
    return list(dict.fromkeys([*told, *(value for key, value in site.found.captures.items() if key == "op")]))


def _libraries(site: Site, missing: list[str]) -> Iterator[str]:
    import os

    for path in site.listing:
        if path.endswith((".so", ".dll")) and os.path.getsize(site.path(path)) < _LARGEST:
            with open(site.path(path), "rb") as stream:
                data = stream.read()
            if any(name.encode() in data for name in missing):
                yield path


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the call or the library's path."""
    if "own" not in parameters:
        look.apply(site, parameters)
        return
    from triage.trtbuild import _script_edit

    script: Script = next(each for each in carriers.scripts(site) if each.name == parameters["own"])
    _script_edit.register_plugins(script, site)


_SCRIPT = """import tensorrt as trt

logger = trt.Logger(trt.Logger.INFO)
{register}

def main():
    with trt.Builder(logger) as builder:
        network = builder.create_network(1)
        parser = trt.OnnxParser(network, logger)
        assert parser.parse_from_file("detector.onnx")
        open("detector.plan", "wb").write(builder.build_serialized_network(network, builder.create_builder_config()))


main()
"""


def _write(folder: str, register: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(register=register))


def _before(folder: str) -> None:
    _write(folder, "")


def _registered(folder: str) -> None:
    _write(folder, 'trt.init_libnvinfer_plugins(logger, "")')


def _after(site: Site) -> None:
    text = site.text("build.py")
    assert text.index('trt.init_libnvinfer_plugins(logger, "")') < text.index("with trt.Builder(logger)")  # noqa: S101
    compile(text, "build.py", "exec")


_LOG = "[TRT] [E] 3: getPluginCreator could not find plugin: EfficientNMS_TRT version: 1"
_FOUND = Found(causes=("plugin-missing",), captures={"op": "EfficientNMS_TRT"})
EXAMPLES = (
    Example(_before, _after, log=_LOG, found=_FOUND, needs=("libcst",)),
    Example(_registered, None, log=_LOG, found=_FOUND, applies=False, needs=("libcst",)),
)
