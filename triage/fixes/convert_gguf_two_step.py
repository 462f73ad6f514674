"""Convert to F16 first, then quantize with llama-quantize.

What it changes: a command that asks the converter of llama.cpp for a k-quant (`--outtype q4_k_m`) becomes two: the
converter writes F16, and `llama-quantize` makes the wanted type from it, under the name that was asked for. An old
name of the converter (`convert.py`, `convert-hf-to-gguf.py`) becomes the present one where that file is there, and
options that it no longer has are left out.

When it is wrong: where llama-quantize is not on this machine; then both commands are given, to be run where it is.
A type that llama-quantize does not have is not touched.

Proof: both steps end with 0, and the file that was asked for begins as a GGUF file.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from triage import commandline
from triage.commandline import Command
from triage.fixes import CannotApply, Example, Site
from triage.remedy import Proposal, Refusal

CAUSES = (
    "configuration-error", "api-removed", "format-version-unsupported", "quantization-format-unsupported",
    "llm-architecture-unsupported", "model-file-missing",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = False
_CONVERTERS = (
    "convert_hf_to_gguf.py", "convert-hf-to-gguf.py", "convert.py", "convert_llama.py", "convert_legacy_llama.py",
)  # fmt: skip
_PRESENT = "convert_hf_to_gguf.py"
_TYPE = re.compile(r"(?i)(?:i?q[1-8]_(?:k_(?:s|m|l|xl)|k|[01]|s|m|xs|xxs|nl)|i?q[2-8]_[ksmx]+)")
_DIRECT = ("f32", "f16", "bf16", "q8_0", "tq1_0", "tq2_0", "auto")
_GONE = (
    "--vocab-type", "--vocabtype", "--ctx", "--concurrency", "--use-cuda", "--cuda-arch", "--pad-vocab", "--padvocab",
)  # fmt: skip
_SHELL = re.compile(r"[\w$@%+=:,./{}-]+")  # words that a shell script holds as they are


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The converter's command, where it asks for a type that it does not write, or has an old name."""
    for command in commandline.commands(site):
        name = os.path.basename(command.script or "")
        if not command.is_python or name not in _CONVERTERS:
            continue
        fresh = _renamed(site, command)
        flag = fresh.flag("--outtype")
        wanted = (flag.value or "") if flag is not None else ""
        if flag is not None and _TYPE.fullmatch(wanted) and wanted.lower() not in _DIRECT:
            yield _in_two(site, command, fresh, wanted)
        elif fresh != command:
            steps = [list(fresh.words)]
            yield Proposal(f"call {_PRESENT} instead of {name}", {"old": command._asdict(), "steps": steps})


def _renamed(site: Site, command: Command) -> Command:
    """The command with the present name of the converter, without options that it no longer has."""
    at = command.script_at
    script = command.script or ""
    folder = os.path.dirname(script)
    present = os.path.join(folder, _PRESENT)
    if at is None or os.path.basename(script) == _PRESENT or not _is_file(site, present):
        return command
    fresh = command.with_word(at, present)
    known = _text(site, present)
    for gone in _GONE:
        flag = fresh.flag(gone)
        if flag is not None and gone not in known:
            fresh = fresh.without(flag)
    return fresh


def _is_file(site: Site, path: str) -> bool:
    return os.path.isfile(path if os.path.isabs(path) else site.path(path))


def _text(site: Site, path: str) -> str:
    with open(path if os.path.isabs(path) else site.path(path), encoding="utf-8", errors="replace") as stream:
        return stream.read(1 << 20)


def _in_two(site: Site, command: Command, fresh: Command, wanted: str) -> Proposal:
    flag = fresh.flag("--outtype")
    out = fresh.flag("--outfile", "-o")
    final = out.value if out is not None and out.value else _named(site, fresh, wanted)
    half = re.sub(r"\.gguf$", "", final) + "-f16.gguf"
    first = fresh.with_value(flag, "f16") if flag is not None else fresh
    out = first.flag("--outfile", "-o")
    first = first.with_value(out, half) if out is not None else first.with_flag("--outfile", half)
    tool = _quantizer(site)
    steps = [list(first.words), [tool or "llama-quantize", half, final, wanted.upper()]]
    what = f"write F16 first, then make {wanted.upper()} with llama-quantize"
    if tool is None:
        return Proposal(what, {"commands": [shlex.join(words) for words in steps]}, "manual")
    return Proposal(what, {"old": command._asdict(), "steps": steps, "file": final})


def _named(site: Site, command: Command, wanted: str) -> str:
    """The file that is to come out, where the command does not say it."""
    told = next((path for path in site.outputs if path.endswith(".gguf")), None)
    values = {place for flag in command.flags() for place in (flag.at, flag.value_at)}
    plain = [word for at, word in enumerate(command.words) if at >= command.arguments_at and at not in values]
    return told or os.path.join(plain[0] if plain else ".", f"ggml-model-{wanted.lower()}.gguf")


def _quantizer(site: Site) -> str | None:
    """llama-quantize: built in the build's folder, else on the search path."""
    for path in site.listing:
        if os.path.basename(path) in ("llama-quantize", "llama-quantize.exe") and os.access(site.path(path), os.X_OK):
            return f"./{path}"
    return shutil.which("llama-quantize")


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Puts the two commands in place of the one."""
    told = parameters["old"]
    old = Command(**{**told, "words": tuple(told["words"])})
    steps = parameters["steps"]
    if old.path is not None:
        site.write_text(old.path, _with(site.text(old.path), old, steps))
    elif old.inside is not None:
        words = list(site.command)
        words[old.inside] = _with(words[old.inside], old, steps)
        site.set_command(words)
    elif old.words != site.command:
        raise CannotApply("the command is not what it was when this was proposed")
    else:
        text = " && ".join(shlex.join(words) for words in steps)
        site.set_command(steps[0] if len(steps) == 1 else ("sh", "-c", text))


def _with(whole: str, old: Command, steps: list[list[str]]) -> str:
    """The text of a shell script with the steps in place of a command; its other words stay as they are written."""
    part = whole[old.start : old.end]
    try:
        first = commandline.rewritten(part, old, old._replace(words=tuple(steps[0])))
    except ValueError as fault:
        raise CannotApply(str(fault)) from None
    more = [" ".join(map(_quoted, words)) for words in steps[1:]]
    kept = first.rstrip()
    return whole[: old.start] + " && ".join([kept, *more]) + first[len(kept) :] + whole[old.end :]


def _quoted(word: str) -> str:
    """A word for a shell script that still expands its variables."""
    if not _SHELL.fullmatch(word):
        return shlex.quote(word)
    return f'"{word}"' if "$" in word else word


_CONVERTER = """import sys
if sys.argv[sys.argv.index("--outtype") + 1] not in ("f32", "f16", "bf16", "q8_0"):
    sys.exit("error: argument --outtype: invalid choice")
open(sys.argv[sys.argv.index("--outfile") + 1], "wb").write(b"GGUF")
"""


def _before(folder: str) -> None:
    os.makedirs(f"{folder}/bin")
    with open(f"{folder}/convert_hf_to_gguf.py", "w", encoding="utf-8") as stream:
        stream.write(_CONVERTER)
    with open(f"{folder}/bin/llama-quantize", "w", encoding="utf-8") as stream:
        stream.write('#!/bin/sh\ncp "$1" "$2" && test "$3" = Q4_K_M\n')
    os.chmod(f"{folder}/bin/llama-quantize", 0o755)  # noqa: S103 -- a program


def _after(site: Site) -> None:
    from triage.modelfolder import damage
    from triage.pysource import samples

    samples.run(site)
    with open(site.path("out.gguf"), "rb") as stream:
        assert stream.read() == b"GGUF"  # noqa: S101 -- an example is a test
    assert damage.damage(site.path("out.gguf")) is None  # noqa: S101


_COMMAND = ("python", "convert_hf_to_gguf.py", "model", "--outfile", "out.gguf", "--outtype")
_LOG = "convert_hf_to_gguf.py: error: argument --outtype: invalid choice: 'q4_k_m' (choose from 'f32', 'f16')\n"
EXAMPLES = (
    Example(_before, _after, command=(*_COMMAND, "q4_k_m"), log=_LOG),
    Example(_before, None, command=(*_COMMAND, "q8_0"), log=_LOG, applies=False),
)
