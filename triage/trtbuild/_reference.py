"""What a model gives in FP32 on the CPU: ``python -m triage.trtbuild._reference MODEL OUT SETTINGS [FEEDS]``.

OUT gets ``0/in/NAME`` and ``0/out/NAME`` for each set of feeds. Runs in a child process, for models can crash.
Feeds are those of the file FEEDS, else generated at sizes inside the profile of the file SETTINGS, where there is one
(put right against the model's inputs), else at sizes that the model takes.
Exit code 1: the model does not run here.
"""

from __future__ import annotations

import sys
from typing import Any

_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")


def main(path: str, out: str, settings: str, given: str | None = None) -> int:
    """Runs the model and stores what it gives; gives the exit code."""
    import numpy as np
    import onnx
    import onnxruntime

    from triage.trtbuild import feeds, inputs

    model = onnx.load(path, load_external_data=False)
    if any(node.op_type in _RANDOM for node in model.graph.node):
        return 1
    told = inputs.inputs_of(model)
    sets = feeds.sets_of(given, told) if given else _made(path, told, settings)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    kept: dict[str, Any] = {}
    for number, feed in enumerate(sets):
        got = session.run(names, feed)
        kept |= {f"{number}/in/{name}": array for name, array in feed.items()}
        kept |= {f"{number}/out/{name}": array for name, array in zip(names, got, strict=True)}
    np.savez(out, **kept)
    return 0 if kept else 1


def _made(path: str, told: list[Any], settings: str) -> list[dict[str, Any]]:
    from triage.trtbuild import feeds, ranges, trial

    tried = trial.Trial(path, told)
    profile = _given(told, settings, tried) or ranges.fresh(told, {}, {}, tried.fits) or {}
    ends = ("opt", "least") if profile else ("opt",)
    shapes = [{name: getattr(found, end) for name, found in profile.items()} for end in ends]
    return [feeds.made(told, shape, seed) for seed, shape in enumerate(shapes)]


def _given(told: list[Any], settings: str, tried: Any) -> Any:
    """The first profile of the settings, put right; None where there is none, or the model does not take it."""
    import json

    from triage.trtbuild import correct, own_json, ranges

    with open(settings, encoding="utf-8") as stream:
        profiles = own_json.from_body(json.load(stream)).profiles
    if not profiles:
        return None
    found = next(correct.corrections(told, profiles, {}, {}, tried.fits), None)
    right = found.profiles[0] if found else profiles[0]
    return right if ranges.consistent(right, tried.fits) else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
