"""Correct the path of the Python model's packed environment.

What it changes: EXECUTION_ENV_PATH in config.pbtxt where it names a file that is not there: it gets the path of the
file of the same name that lies in the build. Where none does, and every package that model.py imports is there
without it, the parameter becomes a comment.

When it is wrong: without its own environment the model runs with the server's packages, in other versions perhaps. So
the parameter is only taken out with --unsafe where the outputs are not compared.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from triage.errors import UsageError
from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.config import Config
from triage.tritonrepo.lexer import quoted
from triage.tritonrepo.parse import Node
from triage.tritonrepo.survey import Model, survey
from triage.tritonrepo.words import closest

CAUSES = ("backend-init-failed", "model-config-invalid", "request-timeout", "model-file-missing")
SAFETY = "safe"
EVIDENT = True
_KEY, _HERE = "EXECUTION_ENV_PATH", "$$TRITON_MODEL_DIRECTORY"
_PACKED = (".tar.gz", ".tgz", ".tar", ".zip")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The right path where the file is found; else the server's own environment, where it has all that is needed."""
    for model in survey(site).models:
        config = model.config
        node = _parameter(config) if config is not None and config.readable else None
        if config is None or node is None or not site.may_change(model.path):
            continue
        value = node.first("value")
        said = value.first("string_value") if value else None
        if said is None or _is_there(site, model, str(said.value)):
            continue
        yield from _ways(site, model, config, node, said)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the parameter."""
    changes.apply(site, parameters)


def _parameter(config: Config) -> Node | None:
    return next((node for node in config.root.each("parameters") if node.plain("key") == _KEY), None)


def _is_there(site: Site, model: Model, path: str) -> bool:
    path = path.replace(_HERE, model.folder.path)
    if os.path.isabs(path):  # the server may run elsewhere: only its own word counts
        return os.path.exists(path) or path not in site.log
    try:
        return site.has(path)
    except UsageError:
        return True


def _ways(site: Site, model: Model, config: Config, node: Node, said: Node) -> Iterator[Proposal | Refusal]:
    name = os.path.basename(str(said.value))
    packed = {os.path.basename(path): path for path in site.listing if path.endswith(_PACKED)}
    near = closest(name, packed, 0.8)
    if near:
        path = packed[near[0]]
        inside = path.startswith(f"{model.folder.path}/")
        new = f"{_HERE}/{os.path.relpath(path, model.folder.path)}" if inside else os.path.relpath(path)
        text = config.put_text(said, quoted(new.replace(os.sep, "/"))).text
        yield from changes.proposals(
            site, [changes.Way(model.path, config.text, text, f"{_KEY} {new} instead of {said.value}")]
        )
        return
    lacking = [each for each in _imports(site, model) if not _installed(each)]
    field = next(
        (each for each in config.root.fields if each.name == "parameters" and each.value.start == node.start), None
    )
    if lacking or field is None:
        yield Refusal(
            f"the packed environment {said.value} is nowhere in the build.", f"Put {name} into {model.folder.path}."
        )
        return
    text = config.drop(field).text
    what = f"no {_KEY}, for {said.value} is not there and the server has every package"
    for each in changes.proposals(site, [changes.Way(model.path, config.text, text, what)]):
        yield each._replace(safety="safe" if site.verify else "unsafe")


def _imports(site: Site, model: Model) -> list[str]:
    if model.version is None or not site.has(f"{model.version.path}/model.py"):
        return []
    try:
        tree = ast.parse(site.text(f"{model.version.path}/model.py"))
    except SyntaxError:
        return []
    found = [each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    found += [
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level
    ]
    own = {os.path.splitext(name)[0] for name in (*model.version.files, *model.version.folders)}
    heads = dict.fromkeys(name.partition(".")[0] for name in found)
    return [name for name in heads if name not in own and name != "triton_python_backend_utils"]


def _installed(name: str) -> bool:
    try:
        return name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _with(path: str) -> str:
    return f'parameters: {{ key: "{_KEY}" value: {{ string_value: "{path}" }} }}\n'


def _moved(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + _with(f"{_HERE}/env.tar.gz"))
    samples.put(folder, "models/scorer/packed/env.tar.gz", "")


def _right(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + _with(f"{_HERE}/env.tar.gz"))
    samples.put(folder, "models/scorer/env.tar.gz", "")


def _after(site: Site) -> None:
    assert Config(site.text("models/scorer/config.pbtxt")).parameters() == {_KEY: f"{_HERE}/packed/env.tar.gz"}  # noqa: S101


EXAMPLES = (Example(_moved, _after), Example(_right, None, applies=False))
