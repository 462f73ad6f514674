"""What any log says of its machine: GPU, driver, CUDA, packages."""

from __future__ import annotations

TOOL = None
LINE = None
LEVELS: dict[str, str] = {}
FACTS: tuple[str, ...] = (
    r"""Driver Version: (?P<driver>\d+\.\d+(?:\.\d+)?)""",
    r"""CUDA Version: (?P<cuda>\d+\.\d+)""",
    r"""CUDA runtime version: (?P<cuda>\d+\.\d+)""",
    r"""\bcuda_version[=: ]+(?P<cuda>\d+\.\d+)""",
    r"""cudnn_version[=: ]+(?P<cudnn>\d+[\d.]*)""",
    r"""cuDNN[ vV:=]+(?P<cudnn>\d+\.\d+(?:\.\d+)?)""",
    r"""(?P<gpu>NVIDIA (?:GeForce |Quadro |RTX |Tesla |Jetson |TITAN )?[A-Z]{0,3}\d{2,4}\w*(?: (?:Ti|SUPER|Super|Laptop GPU|SXM\d?|PCIe|\d+GB)){0,3})""",
    r"""compute capability[ :]+(?P<cc>\d+\.\d)""",
    r"""\bsm_(?P<cc>\d{2,3})\b""",
    r"""\bnumpy(?:==| version:? |-)(?P<numpy>\d+\.\d+\.\d+)""",
    r"""\btransformers(?:==| version:? |-)(?P<transformers>\d+\.\d+\.\d+)""",
    r"""\bonnx(?:==| version:? )(?P<onnx>1\.\d+\.\d+)""",
    r"""\btensorrt(?:==|-cu\d\d==|[_-]bindings==| version:? )(?P<tensorrt>\d+\.\d+\.\d+[.\w]*)""",
)
SAMPLES: tuple[str, ...] = ()
OTHERS: tuple[str, ...] = ()
