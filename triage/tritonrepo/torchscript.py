"""The inputs of a TorchScript file, from the code that it carries; nothing is loaded or unpickled.

Triton's PyTorch backend takes inputs by their order or by the names of ``forward``; types and shapes are not stored.
"""

from __future__ import annotations

import re
import zipfile

from triage.tritonrepo.interface import Interface, Tensor

ENDINGS = (".pt", ".pth", ".ts", ".torchscript")
_LARGEST = 4 << 20
_FORWARD = re.compile(r"def forward\(\w+: __torch__\.([\w.]+)(?P<inputs>[^)]*)\) -> (?P<output>[^\n]+):")
_INPUT = re.compile(r",\s*(\w+): ([\w.\[\], ]+?)(?=,\s*\w+:|$)", re.DOTALL)


def interface(path: str, source: str) -> Interface | None:
    """Names of the inputs, and as many outputs as ``forward`` returns; None where it is no TorchScript file."""
    try:
        with zipfile.ZipFile(path) as stored:
            codes = [name for name in stored.namelist() if "/code/" in name and name.endswith(".py")]
            texts = [
                stored.read(name).decode(errors="replace")
                for name in codes
                if stored.getinfo(name).file_size < _LARGEST
            ]
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return None
    found = [match for text in texts for match in _FORWARD.finditer(text)]
    if not found:
        return None
    outer = min(found, key=lambda match: (match[1].startswith("torch.nn."), match[1].count(".")))
    given = [Tensor(name) for name, kind in _INPUT.findall(outer["inputs"].strip()) if kind.strip() == "Tensor"]
    count = max(1, outer["output"].count("Tensor"))
    gives = tuple(Tensor(f"OUTPUT__{place}") for place in range(count))
    return Interface(source, tuple(given), gives, (), batch=None, exact=False)
