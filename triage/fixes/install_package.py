"""Install the missing package.

What it changes: nothing. It gives the command that installs what the log misses, into the interpreter that the build
uses: the package that belongs to an import name (`cv2` is `opencv-python-headless`), the release that the message
asks for, or the package that holds a shared library. A module of the build itself that Python does not find is put on
its search path instead.

When it is wrong: where the package is installed for another interpreter; then run the build with that one. A name
that only the log gives may be another package on the index, or nobody's: such a one is to be looked up first.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.fixes import Example, Found, Site, _manual, _packages
from triage.remedy import Proposal

CAUSES = (
    "python-dependency-missing", "python-dependency-conflict", "tensorrt-library-missing", "cuda-library-missing",
    "shared-library-load-failed", "checkpoint-unsafe-blocked", "tokenizer-mismatch", "api-removed", "cuda-unavailable",
    "compile-toolchain-error", "gpu-arch-unsupported", "execution-provider-unavailable", "backend-init-failed",
)  # fmt: skip
SAFETY = "manual"
EVIDENT = False
_MODULE = re.compile(
    r"No module named '?(?P<name>[A-Za-z_]\w{0,80}(?:\.\w{1,80}){0,8})(?![\w/:-])'?"
    r"(?P<shadow>; '[\w.]{1,80}' is not a package)?"
)
_NAME = r"[A-Za-z][\w.-]{0,50}(?:\[[\w,-]{1,40}\])?"
_BOUND = r"(?:>=|==|~=|!=|<=|<|>) ?\d[\w.*]{0,20}"
_ASKS = re.compile(r"(?i)\brequire|\bneed|\binstall|must have|depends on")
_SPEC = re.compile(
    rf"(?P<before>(?:found|have|installed:?|using|got) )?(?<![\w.-])(?P<name>{_NAME}) ?"
    rf"(?P<bounds>{_BOUND}(?:, ?{_BOUND}){{0,3}})"
)
_TOLD = re.compile(r"pip3? install ([^\n`;)]{1,300})")
_WORD = re.compile(rf"['\"]?(?P<spec>{_NAME}(?:{_BOUND}(?:,{_BOUND}){{0,3}})?)['\"]?[.,]?")
_ABSENT = re.compile(
    r"(?i)[`'\"]?\b(?P<one>[A-Za-z][\w-]{1,40})\b[`'\"]? (?:library |package |module )?"
    r"(?:is|seems to be) not installed|"
    r"requires? (?:the )?[`'\"]?(?P<two>[A-Za-z][\w-]{1,40})[`'\"]? "
    r"(?:library but it was not found|to be installed|to run\b)|"
    r"\b(?P<three>[A-Za-z][\w-]{1,40}) (?:backend )?is required (?:when|for|but|to)\b|"
    r"[`'\"](?P<four>[A-Za-z][\w-]{1,40})[`'\"] (?:installed|is required)|"
    r"requires (?P<five>[A-Za-z][\w-]{1,40}): ?[`'\"(]?pip"
)
_LISTED = re.compile(r"packages that were not found in your environment: ([\w, .-]{1,200}?)(?:\. |\.?$)", re.MULTILINE)
_NAMED = re.compile(r"cannot import name '\w{1,80}' from '(?P<module>\w{1,60})[\w.]{0,120}'")
_INSTALLED = re.compile(r"File \"[^\"\n]{0,300}(?:site|dist)-packages/(\w{1,60})[/.]")
_KNOWN_CONFLICTS = (
    (re.compile(r"compiled using NumPy 1\.x cannot be run in|numpy\.core\.multiarray failed to import"), "numpy<2"),
    (re.compile(r"Downgrade the protobuf package to 3\.20"), "protobuf==3.20.*"),
)


class Wanted(NamedTuple):
    """A requirement, what it is for, and whether the name is one that is known."""

    package: str
    what: str
    upgrade: bool = False
    sure: bool = True


def propose(site: Site) -> Iterator[Proposal]:
    """One command for each thing that is missing."""
    for what, commands in (*_own_modules(site), *_pip(site)):
        yield Proposal(what, {"commands": commands})
    said: dict[str, Wanted] = {}
    for wanted in _packages_of(site):
        name = _packages.base(wanted.package)
        if name not in said or (said[name].package == name and wanted.package != name):
            said[name] = wanted
    for wanted in said.values():
        yield Proposal(f"install {wanted.what}", {"commands": list(_commands(site, wanted))})
    for what, command in _libraries(site):
        yield Proposal(f"install {what}", {"commands": [command]})


def _commands(site: Site, wanted: Wanted) -> Iterator[str]:
    python, name = _manual.python(site), _packages.base(wanted.package)
    if not wanted.sure:
        yield f"{python} -m pip index versions {shlex.quote(name)}   # look first whether this is the one"
    words = [word for word in ("--upgrade" if wanted.upgrade else "", _packages.OPTIONS.get(name, "")) if word]
    packages = [shlex.quote(each) for each in wanted.package.split()]
    yield " ".join([f"{python} -m pip install", *words, *packages])


def _packages_of(site: Site) -> Iterator[Wanted]:
    yield from _of_modules(site)
    for pattern, package in _KNOWN_CONFLICTS:
        if pattern.search(site.log):
            yield Wanted(package, f"{package}: what was built with the older release cannot use this one")
    yield from _of_specs(site.log)
    yield from _of_advice(site.log)
    yield from _of_absent(site.log)
    yield from _of_names(site)


def _of_modules(site: Site) -> Iterator[Wanted]:
    for match in _MODULE.finditer(site.log):
        name, top = match["name"], match["name"].split(".")[0]
        package = _packages.of_module(name)
        inside = top.startswith("_") or (top in sys.stdlib_module_names and top not in _packages.PACKAGES)
        if match["shadow"] or top == "pip" or inside or _is_own(site, top):
            continue
        if "." in name and package == top.replace("_", "-"):  # Python found the package, and no such part of it
            if _packages.is_known(package):
                yield Wanted(package, f"a release of {package} that has the module {name}", upgrade=True)
            continue
        if _packages.is_known(package):
            yield Wanted(package, f"{package}, which holds the module {name}")
        elif not _packages.LOCAL.fullmatch(top):
            yield Wanted(package, f"the package that holds the module {name}, perhaps {package}", sure=False)


def _of_specs(log: str) -> Iterator[Wanted]:
    """Releases that a message asks for, not those that it found."""
    for line in log.split("\n"):
        for match in _SPEC.finditer(line) if len(line) < 2000 and _ASKS.search(line) else ():
            package = match["name"] + match["bounds"].replace(" ", "")
            if not match["before"] and _packages.is_known(match["name"]):
                yield Wanted(package, package)


def _of_advice(log: str) -> Iterator[Wanted]:
    """``pip install A B`` in a message: known packages, up to the first word that is something else."""
    for told in _TOLD.finditer(log):
        words = told[1].split()
        upgrade = bool({"-U", "--upgrade"} & set(words))
        for word in words:
            found = _WORD.fullmatch(word)
            if word.startswith("-") and word not in ("-r", "-e", "-f", "-i", "--index-url", "--extra-index-url"):
                continue
            if found is None or not _packages.is_known(found["spec"]):
                break
            spec = found["spec"].rstrip(".")
            yield Wanted(spec, spec, upgrade)


def _of_absent(log: str) -> Iterator[Wanted]:
    for match in _ABSENT.finditer(log):
        package = _packages.of_module(next(group for group in match.groups() if group))
        if _packages.is_known(package):
            yield Wanted(_packages.base(package) if "[" not in package else package, _packages.base(package))
    for match in _LISTED.finditer(log):
        for name in match[1].replace(" ", "").split(","):
            package = _packages.of_module(name)
            if _packages.is_known(package):
                yield Wanted(package, package)
            elif re.fullmatch(r"[A-Za-z]\w{1,60}", name):
                yield Wanted(package, f"the package that holds the module {name}, perhaps {package}", sure=False)


def _of_names(site: Site) -> Iterator[Wanted]:
    """A name that the installed release does not have: it is too old, or who asks for it is."""
    for match in _NAMED.finditer(site.log):
        package = _packages.of_module(match["module"])
        if _is_own(site, match["module"]) or not _packages.is_known(package):
            continue
        frames = _INSTALLED.findall(site.log[: match.start()])
        asking = _packages.of_module(frames[-1]) if frames else package
        if frames and asking != package and _packages.is_known(asking):
            yield Wanted(f"{package} {asking}", f"releases of {package} and {asking} that fit each other", upgrade=True)
        else:
            yield Wanted(package, f"a release of {package} that has what is imported", upgrade=True)


def _pip(site: Site) -> Iterator[tuple[str, list[str]]]:
    if re.search(r"No module named '?pip'?(?![\w.])", site.log):
        yield "install pip into this interpreter", [f"{_manual.python(site)} -m ensurepip --upgrade"]


def _own_modules(site: Site) -> Iterator[tuple[str, list[str]]]:
    """Modules that lie deeper in the build's folder than Python looks."""
    for match in _MODULE.finditer(site.log):
        top = match["name"].split(".")[0]
        folders = [folder for folder in _homes(site, top) if folder]
        if folders and not match["shadow"]:
            line = f'export PYTHONPATH={shlex.quote(folders[0])}"${{PYTHONPATH:+:$PYTHONPATH}}"'
            yield f"let Python find {top}, which lies in {folders[0]}", [line]
            return


def _homes(site: Site, top: str) -> list[str]:
    """Folders of the build in which a module of this name lies; the build's own is an empty text."""
    found = {path.rpartition("/")[0] for path in site.listing if path.rpartition("/")[2] == f"{top}.py"}
    found |= {
        f"/{path}".rpartition(f"/{top}/")[0].lstrip("/")
        for path in site.listing
        if f"/{top}/" in f"/{path}" and path.endswith(".py")
    }
    return sorted(found, key=lambda folder: (folder.count("/"), folder))


def _is_own(site: Site, top: str) -> bool:
    return bool(_homes(site, top))


def _libraries(site: Site) -> Iterator[tuple[str, str]]:
    """(what, command) of shared libraries that are nowhere on this machine."""
    python, seen = _manual.python(site), set()
    for library in _manual.libraries(site.log):
        package, system = _manual.package_of(library)
        if not (package or system) or any(True for _ in _manual.places(site, library)):
            continue  # see set_library_path
        command = f"{python} -m pip install {shlex.quote(package)}" if package else f"sudo apt-get install -y {system}"
        if command not in seen:
            seen.add(command)
            yield f"{package or system}, which holds {library}", command


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person installs packages."""


def _nothing(folder: str) -> None:
    """The files do not matter."""


def _own(folder: str) -> None:
    with open(f"{folder}/helpers.py", "w", encoding="utf-8") as stream:
        stream.write("")


_FOUND = Found(("python-dependency-missing",))
EXAMPLES = (
    Example(_nothing, None, found=_FOUND, log="ModuleNotFoundError: No module named 'cv2'\n"),
    Example(_own, None, found=_FOUND, log="ModuleNotFoundError: No module named 'helpers.io'\n", applies=False),
)
