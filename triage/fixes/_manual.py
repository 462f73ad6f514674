"""What commands for a person are made of: libraries by file name, tools by package, containers by command."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator

from triage import commandline
from triage.fixes import Site

# beginning of a library's name -> (package of pip, package of Debian and Ubuntu)
LIBRARIES = {
    "libGL.so": ("", "libgl1"), "libgthread-2.0.so": ("", "libglib2.0-0"), "libglib-2.0.so": ("", "libglib2.0-0"),
    "libgomp.so": ("", "libgomp1"), "libsndfile.so": ("", "libsndfile1"), "libSM.so": ("", "libsm6"),
    "libXext.so": ("", "libxext6"), "libXrender.so": ("", "libxrender1"), "libnuma.so": ("", "libnuma1"),
    "libb64.so": ("", "libb64-0d"), "libre2.so": ("", "libre2-9"), "libpython3": ("", "libpython3-dev"),
    "libmpi.so": ("", "libopenmpi3"),
    "libarchive.so": ("", "libarchive13"), "libopenblas.so": ("", "libopenblas0"),
    "libnvinfer": ("tensorrt=={}.*", ""), "libnvonnxparser": ("tensorrt=={}.*", ""), "libopenvino": ("openvino", ""),
    "libcudnn": ("nvidia-cudnn-cu12=={}.*", ""), "libnccl.so": ("nvidia-nccl-cu12", ""),
}  # fmt: skip
# beginning of a library of CUDA -> (package of pip, its number -> release of CUDA where they are not the same)
CUDA = {
    "libcudart.so": ("nvidia-cuda-runtime", {}), "libcublas": ("nvidia-cublas", {}),
    "libcufft.so": ("nvidia-cufft", {"10": "11", "11": "12", "12": "13"}),
    "libcurand.so": ("nvidia-curand", {"10": "12"}),
    "libcusolver.so": ("nvidia-cusolver", {"11": "12", "12": "13"}), "libcusparse.so": ("nvidia-cusparse", {}),
    "libnvrtc.so": ("nvidia-cuda-nvrtc", {}), "libnvJitLink.so": ("nvidia-nvjitlink", {}),
    "libcupti.so": ("nvidia-cuda-cupti", {}), "libcufile.so": ("nvidia-cufile", {"0": "12"}),
}  # fmt: skip
_LIBRARY = re.compile(
    r"(?:^|[\s'\"/:(])(?P<name>lib[\w+.-]{1,60}\.so(?:\.\d{1,4}){0,4})[^\n]{0,40}?(?:cannot open shared object file|"
    r"not found|: No such file|could not be (?:opened|loaded))|"
    r"(?:Could not|Unable to|Failed to) (?:load|open)[^\n]{0,40}?(?:dynamic |shared )?library ['\"]?"
    r"(?P<other>lib[\w+.-]{1,60}\.so[\d.]{0,12})",
    re.MULTILINE,
)


def python(site: Site) -> str:
    """The interpreter as the build's command writes it."""
    for command in commandline.commands(site):
        if command.is_python:
            return shlex.quote(command.words[command.program_at])
    return "python"


def libraries(log: str) -> list[str]:
    """Names of shared libraries that a log says cannot be found."""
    found = [match["name"] or match["other"] for match in _LIBRARY.finditer(log)]
    return list(dict.fromkeys(name.rstrip(".") for name in found))


def package_of(library: str) -> tuple[str, str]:
    """(package of pip, package of Debian and Ubuntu) that holds a library; empty where it is not known."""
    number = (re.findall(r"\.so\.(\d+)", library) or [""])[0]
    for beginning, (name, releases) in CUDA.items():
        if library.startswith(beginning):
            release = releases.get(number, number)
            return (f"{name}-cu{release}" if release in ("11", "12") else name), ""
    for beginning, (pip, system) in LIBRARIES.items():
        if library.startswith(beginning):
            return (pip.format(number) if number else pip.split("==")[0]), system
    return "", ""


def places(site: Site, library: str) -> Iterator[str]:
    """Folders on this machine that hold a library under exactly this name."""
    seen = set()
    for folder in _search(site):
        if folder not in seen and os.path.exists(os.path.join(folder, library)):
            seen.add(folder)
            yield folder


def _search(site: Site) -> Iterator[str]:
    import glob
    import sysconfig

    for path in site.listing:
        if ".so" in path:
            yield os.path.join(site.workspace.origin, os.path.dirname(path))
    packages = {sysconfig.get_paths()["purelib"], *(path for path in sys.path if path.endswith("-packages"))}
    for base in sorted(packages):
        for pattern in ("nvidia/*/lib", "tensorrt_libs", "torch/lib", "tensorrt_llm/libs", "openvino/libs", "*.libs"):
            yield from sorted(glob.glob(os.path.join(base, pattern)))
    for pattern in (
        "/usr/local/cuda*/lib64", "/usr/local/cuda*/targets/*/lib", "/usr/local/tensorrt*/lib", "/usr/local/lib",
        "/opt/tensorrt*/lib", "/opt/nvidia/*/lib*", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/opt/tritonserver/lib", "/opt/tritonserver/backends/*",
    ):  # fmt: skip
        yield from sorted(glob.glob(pattern))


def containers(site: Site) -> Iterator[list[str]]:
    """The words of each ``docker run`` (or podman, nerdctl) that the build runs."""
    for command in commandline.commands(site):
        words = list(command.words)
        if any(os.path.basename(word) in ("docker", "podman", "nerdctl") for word in words[:3]) and "run" in words[:5]:
            yield words


def with_option(words: list[str], option: str) -> str:
    """A ``docker run`` command with one more option, right behind ``run``."""
    at = words.index("run") + 1
    return shlex.join([*words[:at], *option.split(), *words[at:]])
