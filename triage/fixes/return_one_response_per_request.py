"""Return a list with one response for each request.

What it changes: in execute of model.py, a loop over the requests that returns the first response itself. The responses
are collected in a list, which is returned after the loop. Nothing else in the loop is touched.

When it is wrong: where execute answers in another way: several returns, or none in a loop over the requests. Then it is
left to a person.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import samples
from triage.tritonrepo.layout import joined
from triage.tritonrepo.pymodel.model import CLASS
from triage.tritonrepo.survey import survey

CAUSES = ("model-code-error", "backend-init-failed")
SAFETY = "safe"
EVIDENT = False
_SAID = ("Expected a list in the execute return", "Number of InferenceResponse objects do not match")


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal where execute returns from within its loop."""
    if not any(words in site.log for words in _SAID):
        return
    for model in survey(site).models:
        if model.version is None or f"'{model.name}" not in site.log:
            continue
        path = joined(model.version.path, "model.py")
        if site.has(path) and site.may_change(path) and _loop(site.text(path)) is not None:
            yield Proposal(f"{path}: collect the responses of execute in a list", {"file": path})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Rewrites the return and puts the list around the loop."""
    text = site.text(parameters["file"])
    found = _loop(text)
    if found is None:
        raise CannotApply(f"{parameters['file']} does not return from a loop over the requests")
    loop, answer, name = found
    assert answer.value is not None  # noqa: S101 -- it was found with a value
    lines = text.splitlines(keepends=True)
    outer, inner = _indent(lines[loop.lineno - 1]), _indent(lines[answer.lineno - 1])
    value = ast.get_source_segment(text, answer.value) or ""
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    last = max(loop.end_lineno or 0, answer.end_lineno or 0)
    tail = [f"{outer}return {name}{ending}"]
    lines[last:last] = tail if lines[last - 1].endswith("\n") else [ending, *tail]
    lines[answer.lineno - 1 : answer.end_lineno] = [f"{inner}{name}.append({value}){ending}"]
    lines.insert(loop.lineno - 1, f"{outer}{name} = []{ending}")
    new = "".join(lines)
    ast.parse(new)
    site.write_text(parameters["file"], new)


def _loop(text: str) -> tuple[ast.For, ast.Return, str] | None:
    """The loop over the requests that ends with the function's only return."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef) and owner.name == CLASS:
            for method in owner.body:
                if isinstance(method, ast.FunctionDef) and method.name == "execute":
                    return _of(method)
    return None


def _of(method: ast.FunctionDef) -> tuple[ast.For, ast.Return, str] | None:
    if len(method.args.args) < 2 or not method.body or not isinstance(method.body[-1], ast.For):
        return None
    loop, asked = method.body[-1], method.args.args[1].arg
    returns = [node for node in ast.walk(method) if isinstance(node, ast.Return)]
    inner = [node for node in ast.walk(method) if isinstance(node, ast.FunctionDef | ast.Lambda) and node is not method]
    over = isinstance(loop.iter, ast.Name) and loop.iter.id == asked and not loop.orelse
    last = loop.body[-1]
    if inner or not over or len(returns) != 1 or not isinstance(last, ast.Return) or last.value is None:
        return None
    if isinstance(last.value, ast.List | ast.Tuple | ast.Constant):
        return None
    names = {node.id for node in ast.walk(method) if isinstance(node, ast.Name)}
    return loop, last, "responses" if "responses" not in names else "all_responses"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


_ONE = """\
        for request in requests:
            features = pb_utils.get_input_tensor_by_name(request, "features").as_numpy()
            return pb_utils.InferenceResponse([pb_utils.Tensor("score", features @ WEIGHT)])
"""


def _first_only(folder: str) -> None:
    samples.repository(folder, model=samples.MODEL[: samples.MODEL.index("        answers = []")] + _ONE)


def _after(site: Site) -> None:
    text = site.text("models/scorer/1/model.py")
    assert "        responses = []\n        for request in requests:" in text  # noqa: S101
    assert text.endswith("        return responses\n")  # noqa: S101
    assert 'responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("score", features @ WEIGHT)]))' in text  # noqa: S101


_LOG = "Failed to process the request(s) for model 'scorer_0_0', message: Expected a list in the execute return, found"
EXAMPLES = (
    Example(_first_only, _after, log=_LOG),
    Example(samples.repository, None, log=_LOG, applies=False),
)
