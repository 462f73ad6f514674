"""The machine, the container and the working folder that a build ran in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from triage.environment.ask import Question, ask, read
from triage.environment.records import Container, Revision
from triage.ingest.text import plain

_LIMIT = 2.0  # seconds for git; a large working folder may be slow
_GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_CGROUP = re.compile(r"kubepods|docker|libpod|containerd|lxc|buildkit")


def machine() -> dict[str, str]:
    """System, release, distribution, C library, processors that may be used, memory in GiB."""
    import platform

    found = {"system": platform.system(), "release": platform.release(), "machine": platform.machine()}
    stated = re.search(r'^PRETTY_NAME="?([^"\n]+)', read("/etc/os-release") or "", re.MULTILINE)
    if stated:
        found["distribution"] = stated[1]
    if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ()):
        found["libc"] = os.confstr("CS_GNU_LIBC_VERSION") or ""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found["processors"] = str(count or "")
    found["memory"] = _memory()
    return {name: plain(value) for name, value in found.items() if value}


def _memory() -> str:
    """What may be used: the machine's, or less where the container has a limit."""
    if sys.platform == "win32":
        return ""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = (read(path) or "").strip()
        if text.isdigit():
            sizes.append(int(text))
    return f"{min(sizes) / (1 << 30):.0f} GiB"


def container(environ: Mapping[str, str]) -> Container | None:
    """Podman and GitLab say the image, NVIDIA's images their product; others only that they are containers."""
    image = environ.get("CI_JOB_IMAGE") or _nvidia_image(environ)
    podman = read("/run/.containerenv")
    if podman is not None:
        stated = re.search(r'^image="([^"]+)"', podman, re.MULTILINE)
        return Container("podman", plain(stated[1]) if stated else image)
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return Container("kubernetes", image)
    if os.path.exists("/.dockerenv"):
        return Container("docker", image)
    marked = _CGROUP.search(read("/proc/1/cgroup") or "")
    if marked:
        return Container({"kubepods": "kubernetes", "libpod": "podman"}.get(marked[0], marked[0]), image)
    return Container("container", image) if image else None


def _nvidia_image(environ: Mapping[str, str]) -> str | None:
    product = environ.get("NVIDIA_PRODUCT_NAME")
    if not product:
        return None
    names = sorted(name for name in environ if re.fullmatch(r"NVIDIA_(?!BUILD)[A-Z0-9]+_VERSION", name))
    version = next((environ[name] for name in (*names, f"{product.upper()}_VERSION") if environ.get(name)), "")
    return plain(f"{product} {version}".strip())


def asked(folder: str) -> tuple[Question, Question]:
    """Starts asking git for state and remotes; no hook and no file monitor of the folder is run."""
    status = ("status", "--porcelain=v2", "--branch", "--untracked-files=no", "--ignore-submodules=all")
    remotes = ("config", "--get-regexp", r"^remote\..*\.url$")
    state, urls = (ask((*_GIT, *words), _LIMIT, cwd=folder, env=_QUIET) for words in (status, remotes))
    return state, urls


def told(questions: tuple[Question, Question]) -> Revision | None:
    """The state of the working folder; None outside one."""
    text = questions[0].answer()
    remotes = dict(line.split(" ", 1) for line in (questions[1].answer() or "").splitlines() if " " in line)
    if text is None:
        return None
    stated = dict(re.findall(r"^# branch\.(\w+) (.+)$", text, re.MULTILINE))
    commit, branch = stated.get("oid", ""), stated.get("head", "")
    remote = remotes.get("remote.origin.url") or next(iter(remotes.values()), None)
    return Revision(
        commit=commit if re.fullmatch(r"[0-9a-f]{7,64}", commit) else None,
        branch=None if branch in ("", "(detached)") else plain(branch),
        dirty=any(not line.startswith("#") for line in text.splitlines()),
        remote=without_password(remote) if remote else None,
    )


def revision_of(name: str, folder: str | None = None) -> str | None:
    """The commit that git in a folder calls so; None where it knows no such name."""
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    answer = ask((*_GIT, *words), _LIMIT, cwd=folder if folder and os.path.isdir(folder) else None, env=_QUIET).answer()
    return (answer or "").strip() or None


def without_password(address: str) -> str:
    """An address of a repository without user, password and query.

    >>> without_password("https://me:secret@example.com/team/model.git?token=1")
    'https://example.com/team/model.git'
    """
    address = address.strip()
    scheme, mark, rest = address.partition("://")
    if mark:
        host, slash, path = rest.partition("/")
        address = scheme + mark + host.rpartition("@")[2] + slash + path.partition("?")[0].partition("#")[0]
    return plain(address)
