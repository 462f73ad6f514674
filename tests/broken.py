"""Broken builds that tests make for themselves, and what can be seen of a folder."""

import hashlib
import os

RECIPE = """[build]
command = ["python", "gate.py"]
files = ["model.onnx"]
timeout = 60

[verify]
command = ["python", "verify.py"]
"""
GATE = "import onnx\nonnx.checker.check_model('model.onnx')\nprint('accepted')\n"
VERIFY = """import numpy as np
from onnx.reference import ReferenceEvaluator
x = np.ones((2, 8), np.float32)
got = ReferenceEvaluator('model.onnx').run(None, {'input': x})[0]
np.testing.assert_allclose(got, np.load('expected.npy'), rtol=1e-5)
print('equal')
"""


def broken_build(folder):
    """A model whose nodes are out of order, a gate that refuses it, and a check of its outputs."""
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    from triage.onnxgraph.samples import two_layers

    folder.mkdir(parents=True, exist_ok=True)
    model = two_layers()
    expected = ReferenceEvaluator(model).run(None, {"input": np.ones((2, 8), np.float32)})[0]
    np.save(folder / "expected.npy", expected)
    nodes = list(reversed(model.graph.node))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, folder / "model.onnx")
    for name, text in (("recipe.toml", RECIPE), ("gate.py", GATE), ("verify.py", VERIFY)):
        (folder / name).write_text(text)


def tree(folder):
    """Everything that can be seen of a folder: names, content, modes, times, links."""
    found = {}
    for base, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(base, name)
            told = os.lstat(path)
            content = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as stream:
                    content = hashlib.sha256(stream.read()).hexdigest()
            found[os.path.relpath(path, folder)] = (content, told.st_mode, told.st_mtime_ns, told.st_ino)
    return found
