"""Small model repositories for the examples of fixes and for tests."""

from __future__ import annotations

import os

CONFIG = """\
name: "scorer"
backend: "python"
max_batch_size: 8
input [
  {
    name: "features"
    data_type: TYPE_FP32
    dims: [ 6 ]
  }
]
output [
  {
    name: "score"
    data_type: TYPE_FP32
    dims: [ 2 ]
  }
]
"""
MODEL = """\
import json
import numpy as np
import triton_python_backend_utils as pb_utils

WEIGHT = np.arange(12, dtype=np.float32).reshape(6, 2)


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.add_input({"name": "features", "data_type": "TYPE_FP32", "dims": [6]})
        config.add_output({"name": "score", "data_type": "TYPE_FP32", "dims": [2]})
        config.set_max_batch_size(8)
        return config

    def execute(self, requests):
        answers = []
        for request in requests:
            features = pb_utils.get_input_tensor_by_name(request, "features").as_numpy()
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("score", features @ WEIGHT)]))
        return answers
"""
ENSEMBLE = """\
name: "flow"
platform: "ensemble"
max_batch_size: 8
input [ { name: "X" data_type: TYPE_FP32 dims: [ 6 ] } ]
output [ { name: "Y" data_type: TYPE_FP32 dims: [ 2 ] } ]
ensemble_scheduling {
  step [
    { model_name: "scorer" model_version: -1
      input_map { key: "features" value: "X" } output_map { key: "score" value: "Y" } }
  ]
}
"""


def put(folder: str, path: str, text: str) -> None:
    """Writes a file into a folder."""
    full = os.path.join(folder, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as stream:
        stream.write(text)


def repository(
    folder: str, config: str | None = CONFIG, model: str | None = MODEL, *, file: str = "1/model.py"
) -> None:
    """``models/scorer`` with a config and a Python model."""
    if config is not None:
        put(folder, "models/scorer/config.pbtxt", config)
    if model is not None:
        put(folder, f"models/scorer/{file}", model)


def ensemble(folder: str, text: str = ENSEMBLE) -> None:
    """``models/flow`` beside it, which runs scorer."""
    repository(folder)
    put(folder, "models/flow/config.pbtxt", text)
    put(folder, "models/flow/1/.gitkeep", "")
