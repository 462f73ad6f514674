"""Reading and editing Python sources, command lines and data files, without running them."""

import libcst as cst
import pytest

from triage import commandline
from triage.commandline import Command
from triage.pysource import arguments, datafile, names, places
from triage.pysource.calls import calls, failing
from triage.pysource.changes import Changes, apply
from triage.pysource.flow import Flow
from triage.pysource.project import Project
from triage.pysource.source import Source, apply_edits, parse
from triage.site import CannotApply, Found, Site
from triage.workspace import Workspace

CALL = "torch.onnx.export"


@pytest.fixture
def build(tmp_path):
    """Gives a function: files -> a site on them."""

    def make(files, command=("python", "build.py"), log="", offered=None):
        for path, text in files.items():
            full = tmp_path / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text)
        root = str(tmp_path)
        return Site(Workspace(root, root), command, tuple(offered or files), log=log, found=Found())

    return make


def opset_places(site):
    flow = Flow(Project(site))
    (call,) = failing(flow, calls(flow, CALL.__eq__))
    return flow, [place for one in call.argument("opset_version", 9) for place in places.of_argument(flow, one)]


HEAD = "import torch\nm = torch.nn.Linear(2, 2)\nx = torch.zeros(1, 2)\n"
PARSER = "import argparse\np = argparse.ArgumentParser()\n{}\na = p.parse_args()\n"

FOLLOWED = {
    "keyword": "torch.onnx.export(m, x, 'm.onnx', opset_version=11)",
    "positional": "torch.onnx.export(m, x, 'm', True, False, None, ['a'], ['b'], None, 11)",
    "imported function": "from torch.onnx import export as ex\nex(m, x, 'm', opset_version=11)",
    "imported module": "import torch.onnx as to\nto.export(m, x, 'm', opset_version=11)",
    "assigned function": "ex = torch.onnx.export\nex(m, x, 'm', opset_version=11)",
    "star import": "from torch.onnx import *\nexport(m, x, 'm', opset_version=11)",
    "partial": "from functools import partial\npartial(torch.onnx.export, opset_version=11)",
    "constant": "OPSET = 11\ndef main():\n    torch.onnx.export(m, x, 'm', opset_version=OPSET)\nmain()",
    "default of a parameter": "def go(opset=11):\n    torch.onnx.export(m, x, 'm', opset_version=opset)\ngo()",
    "argument of a caller": "def go(m, opset):\n    torch.onnx.export(m, x, 'm', opset_version=opset)\ngo(m, 11)",
    "keyword of a caller": "def go(m, **kw):\n    torch.onnx.export(m, x, 'm', **kw)\ngo(m, opset_version=11)",
    "dict literal": "kw = {'opset_version': 11, 'f': 'm'}\ntorch.onnx.export(m, x, **kw)",
    "dict call": "kw = dict(opset_version=11)\ntorch.onnx.export(m, x, 'm', **kw)",
    "dict item": "kw = {}\nkw['opset_version'] = 11\ntorch.onnx.export(m, x, 'm', **kw)",
    "dict update": "kw = {}\nkw.update(opset_version=11)\ntorch.onnx.export(m, x, 'm', **kw)",
    "copied dict": "BASE = {'opset_version': 11}\nkw = dict(BASE)\ntorch.onnx.export(m, x, 'm', **kw)",
    "spread dict": "BASE = {'opset_version': 11}\nkw = {**BASE, 'f': 'm'}\ntorch.onnx.export(m, x, **kw)",
    "nested config": "C = {'onnx': {'opset': 11}}\ntorch.onnx.export(m, x, 'm', opset_version=C['onnx']['opset'])",
    "config get": "C = {'opset': 11}\ntorch.onnx.export(m, x, 'm', opset_version=C.get('opset', 17))",
    "class attribute": "class C:\n    OPSET = 11\ntorch.onnx.export(m, x, 'm', opset_version=C.OPSET)",
    "self": "class E:\n    def __init__(self, opset=11):\n        self.opset = opset\n    def go(self):\n"
    "        torch.onnx.export(m, x, 'm', opset_version=self.opset)\nE().go()",
    "constructor": "class E:\n    def __init__(self, opset):\n        self.opset = opset\n    def go(self):\n"
    "        torch.onnx.export(m, x, 'm', opset_version=self.opset)\nE(opset=11).go()",
    "inherited": "class B:\n    opset = 11\nclass E(B):\n    def go(self):\n"
    "        torch.onnx.export(m, x, 'm', opset_version=self.opset)\nE().go()",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass C:\n    opset: int = 11\nc = C()\n"
    "torch.onnx.export(m, x, 'm', opset_version=c.opset)",
    "namespace": "from types import SimpleNamespace\nc = SimpleNamespace(opset=11)\n"
    "torch.onnx.export(m, x, 'm', opset_version=c.opset)",
    "returned": "def opset():\n    return 11\ntorch.onnx.export(m, x, 'm', opset_version=opset())",
    "environment": "import os\ntorch.onnx.export(m, x, 'm', opset_version=int(os.environ.get('OPSET', 11)))",
    "argparse default": PARSER.format("p.add_argument('--opset', type=int, default=11)")
    + "torch.onnx.export(m, x, 'm', opset_version=a.opset)",
    "click": "import click\n@click.command()\n@click.option('--opset', default=11)\ndef main(opset):\n"
    "    torch.onnx.export(m, x, 'm', opset_version=opset)\nmain()",
    "typer": "import typer\ndef main(opset: int = typer.Option(11)):\n"
    "    torch.onnx.export(m, x, 'm', opset_version=opset)\ntyper.run(main)",
}


@pytest.mark.parametrize("text", FOLLOWED.values(), ids=FOLLOWED)
def test_a_value_is_followed_to_the_place_where_it_can_be_changed(build, text):
    site = build({"build.py": HEAD + text + "\n"})
    flow, found = opset_places(site)
    assert [place.value for place in found] == [11], "one place"
    made = Changes(flow.project)
    made.set(found[0], 17)
    apply(site, made.packed())
    changed = site.text("build.py")
    assert changed == (HEAD + text + "\n").replace("11", "17"), "nothing else differs"
    assert [place.value for place in opset_places(site)[1]] == [17]


SPLIT = {
    "constant of a module": ({"config.py": "OPSET = 11\n"}, "import config\n{}(m, x, 'm', opset_version=config.OPSET)"),
    "name of a module": ({"config.py": "OPSET = 11\n"}, "from config import OPSET\n{}(m, x, 'm', opset_version=OPSET)"),
    "re-exported": (
        {"pkg/__init__.py": "from .cfg import OPSET\n", "pkg/cfg.py": "OPSET = 11\n"},
        "from pkg import OPSET as n\n{}(m, x, 'm', opset_version=n)",
    ),
    "JSON": (
        {"c.json": '{"a": [11], "onnx": {"opset": 11}}\n'},
        "import json\nc = json.load(open('c.json'))\n{}(m, x, 'm', opset_version=c['onnx']['opset'])",
    ),
    "YAML": (
        {"c.yaml": "other: 11\nonnx:\n  opset: 11  # low\n"},
        "import yaml\nwith open('c.yaml') as f:\n    c = yaml.safe_load(f)['onnx']\n{}(m, x, opset_version=c['opset'])",
    ),
    "TOML": (
        {"c.toml": "[onnx]\nopset = 11\n"},
        "import tomllib\nc = tomllib.load(open('c.toml', 'rb'))\n{}(m, x, 'm', opset_version=c['onnx']['opset'])",
    ),
    "keywords from a file": (
        {"c.yaml": "opset_version: 11\n"},
        "import yaml\n{}(m, x, 'm', **yaml.safe_load(open('c.yaml')))",
    ),
}


@pytest.mark.parametrize(("files", "text"), SPLIT.values(), ids=SPLIT)
def test_a_value_is_followed_into_other_files(build, files, text):
    site = build({"build.py": HEAD + text.replace("{}", CALL) + "\n", **files})
    flow, found = opset_places(site)
    assert [place.value for place in found] == [11]
    made = Changes(flow.project)
    made.set(found[0], 17)
    packed = made.packed()
    assert set(packed["files"]) <= set(files), "only the file that holds it"
    apply(site, packed)
    assert [place.value for place in opset_places(site)[1]] == [17]


COMMANDS = {
    "two words": (
        ("python", "build.py", "--opset", "11"),
        "p.add_argument('--opset', type=int, default=17)",
        "a.opset",
    ),
    "joined": (("python3", "-u", "build.py", "--opset=11"), "p.add_argument('--opset', type=int)", "a.opset"),
    "one letter": (("python", "build.py", "-o11"), "p.add_argument('-o', '--onnx-opset', type=int)", "a.onnx_opset"),
    "other name": (("python", "build.py", "-v", "11"), "p.add_argument('-v', dest='opset', type=int)", "a.opset"),
    "variables before": (("env", "A=1", "python", "build.py", "--opset", "11"), "p.add_argument('--opset')", "a.opset"),
    "positional": (
        ("python", "build.py", "m.onnx", "--fast", "11"),
        "p.add_argument('out')\np.add_argument('--fast', action='store_true')\np.add_argument('opset', type=int)",
        "a.opset",
    ),
    "shell text": (("sh", "-c", "python build.py --opset 11 && echo"), "p.add_argument('--opset')", "a.opset"),
}


@pytest.mark.parametrize(("command", "option", "use"), COMMANDS.values(), ids=COMMANDS)
def test_an_option_of_the_command_stands_for_its_default(build, command, option, use):
    text = f"{HEAD}{PARSER.format(option)}torch.onnx.export(m, x, 'm', opset_version={use})\n"
    site = build({"build.py": text}, command)
    flow, found = opset_places(site)
    assert [place.value for place in found] == ["11"]
    made = Changes(flow.project)
    made.set(found[0], 17)
    apply(site, made.packed())
    assert " ".join(site.command) == " ".join(command).replace("11", "17")
    assert site.text("build.py") == text


def test_an_option_in_a_shell_script_is_changed_there(build):
    shell = "#!/bin/sh\nset -e\nOUT=m.onnx\npython build.py --out $OUT \\\n    --opset 11 | tee log.txt\n"
    body = PARSER.format("p.add_argument('--opset', type=int)\np.add_argument('--out')")
    site = build(
        {"b.sh": shell, "build.py": f"{HEAD}{body}torch.onnx.export(m, x, a.out, opset_version=a.opset)\n"},
        ("sh", "b.sh"),
    )
    flow, found = opset_places(site)
    made = Changes(flow.project)
    made.set(found[0], 17)
    apply(site, made.packed())
    assert site.text("b.sh") == shell.replace("11", "17")
    assert site.command == ("sh", "b.sh")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "def export(m, x, f, opset_version=11):\n    return m\nexport(m, x, 'm', opset_version=11)",
            "an own function",
        ),
        ("import other\nother.onnx.export(m, x, 'm', opset_version=11)", "another package"),
        ("class torch2:\n    pass\ntorch2.onnx = None\nprint('torch.onnx.export')", "only a text"),
    ],
)
def test_only_calls_of_the_right_module_are_found(build, text, reason):
    flow = Flow(Project(build({"build.py": HEAD + text + "\n"})))
    assert calls(flow, CALL.__eq__) == [], reason


def test_the_failing_call_is_told_by_the_traceback(build):
    text = HEAD + "torch.onnx.export(m, x, 'a')\ntorch.onnx.export(\n    m,\n    x, 'b')\n"
    log = 'Traceback (most recent call last):\n  File "/ci/job/build.py", line 5, in <module>\n'
    flow = Flow(Project(build({"build.py": text}, log=log)))
    (call,) = failing(flow, calls(flow, CALL.__eq__))
    assert call.literal("f", 2) == "b"


ARGUMENTS = [
    ("f(a, b=1, c=2)", ["b"], "f(a, c=2)"),
    ("f(a, b=1, c=2)", ["c"], "f(a, b=1)"),
    ("f(a, b=1, c=2)", ["b", "c"], "f(a)"),
    ("f(b=1)", ["b"], "f()"),
    ("f(\n    a,\n    b=1,  # one\n    c=2,\n)", ["b"], "f(\n    a,\n    c=2,\n)"),
    ("f(\n    a,\n    b=1,\n    c=2,\n)", ["b", "c"], "f(\n    a,\n)"),
    ("f(a,\n  b=(1), c=[2])", ["b"], "f(a,\n  c=[2])"),
]


@pytest.mark.parametrize(("text", "gone", "wanted"), ARGUMENTS)
def test_arguments_are_removed_without_leaving_a_trace(text, gone, wanted):
    source = Source(text + "\n")
    call = next(source.find(cst.Call))
    arguments.remove(source, *(arguments.given(call, name) for name in gone))
    assert apply_edits(text + "\n", source.edits) == wanted + "\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("f()", "f(z=9)"),
        ("f(a)", "f(a, z=9)"),
        ("f(a, )", "f(a, z=9, )"),
        ("f(\n    a,\n    b=1,\n)", "f(\n    a,\n    b=1,\n    z=9,\n)"),
        ("f(a,\r\n  b=1)", "f(a,\r\n  b=1,\r\n  z=9)"),
        ("(f(a))", "(f(a, z=9))"),
    ],
)
def test_an_argument_is_added_in_the_layout_of_the_call(text, wanted):
    source = Source(text + "\n")
    arguments.add(source, next(source.find(cst.Call)), "z=9")
    assert apply_edits(text + "\n", source.edits) == wanted + "\n"


def test_bytes_and_characters_are_not_confused():
    text = "s = 'Grüße 模型'; f('é', a=1)  # ünd\n"
    source = Source(text)
    call = next(source.find(cst.Call))
    arguments.remove(source, arguments.given(call, "a"))
    assert apply_edits(text, source.edits) == "s = 'Grüße 模型'; f('é')  # ünd\n"


def test_what_would_be_no_python_is_refused():
    source = Source("f(a)\n")
    source.replace(next(source.find(cst.Call)), "f(")
    with pytest.raises(CannotApply, match="no Python"):
        apply_edits("f(a)\n", source.edits)
    assert parse("def f(:\n") is None


def test_a_proposal_does_not_fit_a_file_that_has_changed(build):
    site = build({"build.py": HEAD + "torch.onnx.export(m, x, 'm', opset_version=11)\n"})
    flow, found = opset_places(site)
    made = Changes(flow.project)
    made.set(found[0], 17)
    packed = made.packed()
    site.write_text("build.py", "# first\n" + site.text("build.py"))
    with pytest.raises(CannotApply, match="not what it was"):
        apply(site, packed)


def test_files_that_may_not_change_are_not_changed(build):
    files = {
        "build.py": f"import config\n{HEAD}torch.onnx.export(m, x, 'm', opset_version=config.N)\n",
        "config.py": "N = 11\n",
    }
    site = build(files, offered=["build.py"])
    flow, found = opset_places(site)
    assert not places.may_change(flow, found[0])
    made = Changes(flow.project)
    made.set(found[0], 17)
    assert made.packed() is None


FILES = [
    ("c.json", '{"a": {"n": 1, "b": [1]}, "n": 1}', ["a", "n"], '{"a": {"n": 9, "b": [1]}, "n": 1}'),
    ("c.yaml", "n: 1\na: {n: 1, b: 2}\n", ["a", "n"], "n: 1\na: {n: 9, b: 2}\n"),
    ("c.yml", "a:\n  - x\nb:\n  n: '1'  # text\n", ["b", "n"], "a:\n  - x\nb:\n  n: '9'  # text\n"),
    ("c.toml", "n = 1\n[a]\nn = 1\n", ["a", "n"], "n = 1\n[a]\nn = 9\n"),
    ("c.ini", "[a]\nn = 1\n[b]\nn = 1\n", ["b", "n"], "[a]\nn = 1\n[b]\nn = 9\n"),
]


@pytest.mark.parametrize(("path", "text", "keys", "wanted"), FILES)
def test_one_value_of_a_data_file_is_changed(path, text, keys, wanted):
    assert datafile.with_value(text, path, keys, 9) == wanted
    assert datafile.with_value(text, path, [*keys[:-1], "missing"], 9) is None


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("c.json", '{\n  "a": 1,\n  "n": true\n}', '{\n  "a": 1\n}'),
        ("c.json", '{"n": true, "a": 1}', '{"a": 1}'),
        ("c.yaml", "a: 1\nn: true  # yes\nb: 2\n", "a: 1\nb: 2\n"),
        ("c.yaml", "{a: 1, n: true}\n", "{a: 1}\n"),
        ("c.toml", "a = 1\nn = true\n", "a = 1\n"),
    ],
)
def test_one_key_of_a_data_file_goes(path, text, wanted):
    assert datafile.without(text, path, ["n"]) == wanted


NAMES = [
    ("import numpy as np\n", "numpy.inf", ("np.inf", None)),
    ("import numpy as np\n", "-numpy.inf", ("-np.inf", None)),
    ("import numpy as np\n", "bool", ("bool", None)),
    ("from onnx import helper as h\n", "onnx.helper.make_node", ("h.make_node", None)),
    ("import collections\n", "collections.abc.Mapping", ("collections.abc.Mapping", "collections.abc")),
    ("import os\n", "math.gcd", ("math.gcd", "math")),
    ("from torch import optim\n", "torch.optim.AdamW", ("optim.AdamW", None)),
]


@pytest.mark.parametrize(("text", "name", "wanted"), NAMES)
def test_a_name_is_spelled_as_the_file_imports_it(text, name, wanted):
    assert names.spelled(Source(text), name) == wanted


# --- command lines


@pytest.mark.parametrize(
    ("words", "script", "module"),
    [
        (("python", "a.py", "b.py"), "a.py", False),
        (("python3.11", "-W", "ignore", "-u", "a.py"), "a.py", False),
        (("python", "-m", "pkg.run", "--x"), "pkg.run", True),
        (("python", "-c", "print(1)"), None, False),
        (("time", "A=1", "/usr/bin/python", "a.py"), "a.py", False),
        (("./a.py", "--x"), "./a.py", False),
        (("trtexec", "--onnx=m"), None, False),
    ],
)
def test_the_script_of_a_command_is_found(words, script, module):
    command = Command(words)
    assert (command.script, command.is_module) == (script, module)


def test_options_of_commands():
    command = Command(("trtexec", "--onnx=m.onnx", "--workspace", "64", "--fp16", "-v", "--minShapes=x:1"))
    assert command.flag("--workspace").value == "64"
    assert command.flag("--fp16").value is None
    assert command.flag("--work").value is None if command.flag("--work") else True
    assert command.with_value(command.flag("--onnx"), "n.onnx").words[1] == "--onnx=n.onnx"
    assert command.without(command.flag("--workspace")).words == (
        "trtexec", "--onnx=m.onnx", "--fp16", "-v", "--minShapes=x:1",
    )  # fmt: skip
    assert command.with_name(command.flag("--workspace"), "--pool", "w:64", joined=True).words[2] == "--pool=w:64"
    assert command.with_flag("--verbose").words[-1] == "--verbose"


def test_commands_of_a_shell_script_keep_their_layout():
    text = 'cd x && FOO="a b" python a.py --n 1 \\\n  --m "two words"; echo done # python b.py\n'
    found = [one for one in commandline.in_script(text, "b.sh") if one.is_python]
    assert [one.script for one in found] == ["a.py"]
    command = found[0]
    changed = command.with_value(command.flag("--n"), "2")
    assert commandline.with_all(text, {command: changed}) == text.replace("--n 1", "--n 2")


def test_a_comment_behind_a_command_stays_where_it_is():
    text = "trtexec --onnx=a.onnx --workspace=4096  # the old flag isn't known 'here\nls\n"
    (command,) = (one for one in commandline.in_script(text, "b.sh") if one.program == "trtexec")
    changed = command.without(command.flag("--workspace"))
    assert commandline.with_all(text, {command: changed}) == text.replace(" --workspace=4096", "")
