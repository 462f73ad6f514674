"""llama.cpp and its converters."""

from __future__ import annotations

TOOL = "llama-cpp"
LINE = None
LEVELS: dict[str, str] = {}
FACTS: tuple[str, ...] = (
    r"""build: (?P<llama_cpp>\d{3,5}) \([0-9a-f]{6,}\)""",
    r"""llama_model_load(?:er)?: loaded meta data[^\n]{0,80} from (?P<model>\S+) \(version""",
    r"""loading model from (?P<model>\S+\.gguf)""",
)
SAMPLES: tuple[str, ...] = ()
OTHERS: tuple[str, ...] = ()
