"""What the files of a version folder say of the model's tensors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from triage.tritonrepo import files, onnxmodel, openvino, torchscript
from triage.tritonrepo.interface import Interface, Tensor
from triage.tritonrepo.pymodel.model import PyModel, read

if TYPE_CHECKING:
    from triage.site import Site
    from triage.tritonrepo.config import Config
    from triage.tritonrepo.layout import Folder, Version


def interface_of(
    site: Site, folder: Folder, version: Version | None, config: Config | None, backend: str | None
) -> Interface | None:
    """The tensors of a model, by the file that its backend loads; None where that cannot be told.

    Args:
        site: the build.
        folder: the model's.
        version: the one that is loaded.
        config: its config.pbtxt, if there is one.
        backend: the one that loads it.
    """
    if version is None or backend == files.ENSEMBLE:
        return None
    name = _file(config, backend)
    if backend == "python" or name.endswith(".py"):
        model = python_of(site, folder, version, config)
        return _completed(site, version, model) if model else None
    path = f"{version.path}/{name}"
    if not os.path.isfile(site.path(path)):
        return None
    return of_file(site.path(path), f"{version.name}/{name}")


def of_file(path: str, source: str) -> Interface | None:
    """The tensors of a model file at an absolute path; None where its kind cannot be read."""
    if path.endswith(".onnx"):
        return onnxmodel.interface(path, source)
    if path.endswith(torchscript.ENDINGS):
        return torchscript.interface(path, source)
    return openvino.interface(path, source) if path.endswith(".xml") else None


def python_of(site: Site, folder: Folder, version: Version | None, config: Config | None) -> PyModel | None:
    """The model's code as read; None where there is no such file."""
    if version is None:
        return None
    name = _file(config, "python")
    path = site.path(f"{version.path}/{name}")
    if not name.endswith(".py") or not os.path.isfile(path):
        return None
    return read(path, folder.name, version.name, site.path(folder.path))


def _file(config: Config | None, backend: str | None) -> str:
    told = config.word("default_model_filename") if config is not None and config.readable else None
    return told or files.default_file(backend or "") or ""


def _completed(site: Site, version: Version, model: PyModel) -> Interface | None:
    """What is declared, else what the code shows; an ONNX file beside it fills the gaps where names agree."""
    used = model.used
    if model.declared is not None or used is None:
        return model.declared
    beside = _beside(site, version) if not model.files else {}  # where the code was seen to run it, that tells more
    return used._replace(
        input=tuple(_filled(each, beside) for each in used.input),
        output=tuple(_filled(each, beside) for each in used.output),
    )


def _filled(tensor: Tensor, beside: dict[str, Tensor]) -> Tensor:
    other = beside.get(tensor.name)
    if other is None or (tensor.data_type and tensor.dims is not None):
        return tensor
    return tensor._replace(
        data_type=tensor.data_type or other.data_type, dims=tensor.dims if tensor.dims is not None else other.dims
    )


def _beside(site: Site, version: Version) -> dict[str, Tensor]:
    """The tensors of the only ONNX file in the version folder."""
    found = [name for name in version.files if name.endswith(".onnx")]
    values = onnxmodel.values(site.path(f"{version.path}/{found[0]}")) if len(found) == 1 else None
    return {each.name: onnxmodel.tensor(each) for each in (*values.input, *values.output)} if values else {}
