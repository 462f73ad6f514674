"""Ways to put the dynamic dimensions of an export right, from what its log says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import libcst as cst

from triage.pysource import exporters, interface
from triage.pysource.axes import Axes, add_axes
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite, calls
from triage.pysource.changes import Changes
from triage.pysource.dynshapes import AUTO, DYNAMIC, add_shapes, axes_to_shapes, refit_shapes
from triage.pysource.examples import module_class
from triage.pysource.flow import Flow
from triage.pysource.interface import Interface, Mismatch

if TYPE_CHECKING:
    from triage.site import Site

Made = tuple[str, dict[str, Any] | str]  # what, and parameters; or why nothing can be done, and what to do

_CONFLICT = re.compile(
    r"Dim\.(?:DYNAMIC|AUTO)[^\n]{0,80}, but tracing inferred a static shape of (\d+)"
    r" for dimension inputs\['?(\w+)'?\]\.shape\[(\d+)\]"
)
_STRUCTURE = re.compile(
    r"top-level keys must be the arg names|mismatch between the structure of `?inputs`? and `?dynamic_shapes`?"
)
_SUGGESTION = re.compile(r"^ {2,12}(\w{1,80}) = ([^\n]{1,200})$", re.MULTILINE)
_SIZED_LOOP = re.compile(r"range\(.*(?:\.size\(|\.shape\b|\blen\()|enumerate\(|\w+\.(?:unbind|split|chunk)\(")
_DIM = re.compile(r"Dim\('(\w+)'(?:, min=(\d+))?(?:, max=(\d+))?\)$")


def proposals(site: Site) -> Iterator[Made]:
    """(what, parameters) of each way, the likeliest first."""
    flow = exporters.project_flow(site)
    targets = exporters.torch_calls(flow)
    if not targets:
        return
    yield from _for_feeds(flow, targets)
    yield from _for_refused(flow, targets)


def _for_feeds(flow: Flow, targets: list[CallSite]) -> Iterator[Made]:
    """Sizes were fed that the model fixes."""
    site = flow.project.site
    if not any(interface.in_log(site.log)):
        return
    for call in _that_wrote(site, targets):
        model = interface.of_call(site, call)
        found = interface.mismatches(site, model)
        wrong = interface.wrong_feed(found, model)
        if wrong is not None:
            yield wrong, "feed arrays in the layout and size that the model was trained on"
            continue
        axes = interface.to_relax(model, found)
        said = _said(found)
        if exporters.is_dynamo(call) is False:
            yield from _try(flow, f"declare {said} dynamic in {call.where}", add_axes, call, axes, model)
            yield from _unrolled(call)
        else:
            yield from _with_shapes(flow, call, axes, model, said)


def _unrolled(call: CallSite) -> Iterator[Made]:
    """A loop over a size in the model's code, said for the case that nothing helps."""
    found = module_class(call)
    if found is None:
        return
    source, owner = found
    for loop in source.find(cst.For):
        if source.above(loop, cst.ClassDef) is owner and _SIZED_LOOP.match(source.code(loop.iter)):
            where = f"{source.path}:{source.line(loop)}"
            yield (
                f"the model's code loops over a size ({where}), and tracing writes as many steps as the example has",
                "write the loop as a layer such as nn.GRU, script it with torch.jit.script, or feed the example's size",
            )


def _with_shapes(flow: Flow, call: CallSite, axes: Axes, model: Interface | None, said: str) -> Iterator[Made]:
    traced = _traced(flow, call)
    if traced is not None:
        for label in (DYNAMIC, AUTO):
            plain = {name: dict.fromkeys(dims, label) for name, dims in axes.items()}
            what = f"declare {said} dynamic ({label.rpartition('.')[2]}) in {traced.where}"
            yield from _try(flow, what, add_shapes, traced, plain, model)
        return
    what = f"declare {said} dynamic in {call.where}"
    if call.argument("dynamic_axes") and not call.argument("dynamic_shapes"):
        yield from _try(flow, what, add_axes, call, axes, model)
    else:
        yield from _try(flow, what, add_shapes, call, axes, model)
    automatic = {name: dict.fromkeys(dims, AUTO) for name, dims in axes.items()}
    if not call.argument("dynamic_axes"):
        what = f"let torch.export find out which of {said} can be dynamic, in {call.where}"
        yield from _try(flow, what, add_shapes, call, automatic, model)


def _for_refused(flow: Flow, targets: list[CallSite]) -> Iterator[Made]:
    """The exporter refused dynamic_shapes or dynamic_axes."""
    log = flow.project.site.log
    for call in targets:
        traced = _traced(flow, call) or call
        if "Failed to convert 'dynamic_axes' to 'dynamic_shapes'" in log:
            yield from _try(flow, f"write dynamic_axes as dynamic_shapes in {call.where}", axes_to_shapes, call)
        if _STRUCTURE.search(log):
            yield from _try(flow, f"fit dynamic_shapes to the inputs in {traced.where}", refit_shapes, traced, log)
        yield from _suggested(flow, log)
        conflicts = list(_CONFLICT.finditer(log))
        if conflicts:
            yield from _shared(flow, traced, [(one[2], int(one[3]), int(one[1])) for one in conflicts])


def _shared(flow: Flow, call: CallSite, conflicts: list[tuple[str, int, int]]) -> Iterator[Made]:
    """A dimension that is tied to one that stays fixed: all of this place become dynamic, else as many as can."""
    from triage.pysource.dynshapes import spread

    places = sorted({index for _, index, _ in conflicts})
    said = f"dimension {', '.join(map(str, places))}"
    what = f"declare {said} of every input dynamic in {call.where}"
    yield from _try(flow, what, spread, call, places)
    what = f"let torch.export find out which dimensions can be dynamic, in {call.where}"
    yield from _try(flow, what, spread, call, places, AUTO)


def _suggested(flow: Flow, log: str) -> Iterator[Made]:
    """What stands below ``Suggested fixes:``: other bounds, a multiple, an equal dimension, or a fixed size (last)."""
    block = log.rpartition("Suggested fixes:")[2] if "Suggested fixes:" in log else ""
    told = dict(_SUGGESTION.findall(block[:2000]))
    if not told:
        return
    fixed = {name: text for name, text in told.items() if text.isdigit()}
    for chosen in ({name: text for name, text in told.items() if name not in fixed}, told):
        if chosen and (chosen is told) == bool(fixed):
            words = ", ".join(f"{name} = {text}" for name, text in chosen.items())
            note = " (fixed: the model allows no other size)" if chosen is told else ""
            yield from _try(flow, f"take the bounds that torch.export suggests: {words}{note}", _take, flow, chosen)


def _take(flow: Flow, told: dict[str, str]) -> bool:
    done = False
    for site in calls(
        flow, lambda name: name in ("torch.export.Dim", "torch.export.dynamic_shapes.Dim", "torch.export.dims")
    ):
        name = literal(site.node.args[0].value) if site.node.args else None
        text = told.get(name) if isinstance(name, str) else None
        if text is None or not flow.project.may_change(site.source):
            continue
        callee = site.source.code(site.node.func)
        fresh = _expression(callee, text, told)
        if fresh is not None:
            site.source.replace(site.node, fresh)
            done = True
    return done


def _expression(callee: str, text: str, told: dict[str, str]) -> str | None:
    """A suggestion as source: ``Dim('b', max=4)``, ``2*_b``, another dimension's name, or a number."""
    bounds = _DIM.match(text)
    if bounds:
        extra = "".join(
            f", {key}={value}" for key, value in zip(("min", "max"), bounds.groups()[1:], strict=True) if value
        )
        return f'{callee}("{bounds[1]}"{extra})'
    if text.isdigit():
        return text
    names = set(re.findall(r"[A-Za-z_]\w*", text))
    if len(names) != 1 or not re.fullmatch(r"[\w\s*+-]+", text):
        return None
    name = names.pop()
    inner = _expression(callee, told[name], {}) if _DIM.match(told.get(name, "")) else f'{callee}("{name}")'
    return re.sub(rf"\b{name}\b", lambda _: inner or "", text) if inner else None


def _that_wrote(site: Site, targets: list[CallSite]) -> list[CallSite]:
    """Those exports whose model has the input that the log names; all where that cannot be told."""
    needs = next((one.name for one in interface.in_log(site.log)), "")
    sure = []
    for call in targets if len(targets) > 1 else []:
        path = interface.path_of(call)
        found = interface.read(f"{site.built}/{path}") if site.built and path else None
        if found is not None and found.input(needs):
            sure.append(call)
    return sure or targets


def _traced(flow: Flow, call: CallSite) -> CallSite | None:
    """The torch.export.export that made the program which is exported."""
    for one in call.argument("model", 0):
        for origin in flow.origins(one.source, one.value) if not one.keys else ():
            if isinstance(origin.node, cst.Call):
                names = flow.all_dotted(origin.source, origin.node.func)
                if "torch.export.export" in names:
                    return CallSite(flow, origin.source, origin.node, "torch.export.export")
    return None


def _said(found: list[Mismatch]) -> str:
    by_name: dict[str, list[str]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(str(one.place))
    return " and ".join(f"dimension {', '.join(places)} of {name}" for name, places in by_name.items())


def _try(flow: Flow, what: str, change: Callable[..., bool], *given: object) -> Iterator[Made]:
    made = Changes(flow.project)
    done = change(*given)
    packed = made.packed()
    if done and packed:
        yield what, packed
