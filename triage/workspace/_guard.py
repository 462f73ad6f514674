"""Runs a command that cannot write to one folder: ``python guard.py FOLDER COMMAND …``. Stands alone.

Linux's Landlock lists what may be written to, so everything is listed but the way to that folder. It needs
no rights, holds for all descendants and cannot be undone. Where the kernel has none of it the command runs
unguarded: it works in a copy anyway, and only absolute paths to the user's files would reach them.
"""

import contextlib
import ctypes
import os
import signal
import struct
import sys

_RULESET, _RULE, _RESTRICT = 444, 445, 446
_NO_NEW_PRIVILEGES, _PARENT_DEATH = 38, 1
# write, remove, make …: all that changes files; reading stays free
_FIRST = 0b1_1111_1111_0010  # ABI 1 without execute, read file, read folder
_OF_FILES = 0b10
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_PATH_BENEATH = 1


def main(words: list[str]) -> None:
    """Restricts itself and becomes the command."""
    folder, command = words[0], words[1:]
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)  # a killed repair leaves no build running
    with contextlib.suppress(OSError):  # unguarded then, as told above
        _restrict(os.path.realpath(folder))
    try:
        os.execvp(command[0], command)  # noqa: S606
    except FileNotFoundError:
        sys.stderr.write(f"{command[0]}: command not found\n")
        os._exit(127)
    except OSError as fault:
        sys.stderr.write(f"{command[0]}: cannot be executed: {fault.strerror}\n")
        os._exit(126)


def _restrict(folder: str) -> None:
    system = ctypes.CDLL(None, use_errno=True)
    version = system.syscall(_RULESET, None, 0, 1)
    if version < 1:
        return
    rights = _FIRST | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    given = struct.pack("=Q", rights)
    ruleset = _checked(system.syscall(_RULESET, given, len(given), 0))
    way = "/"
    for part in folder.strip("/").split("/"):
        for entry in os.listdir(way):
            if entry != part:
                _allow(system, ruleset, os.path.join(way, entry), rights)
        way = os.path.join(way, part)
    _checked(system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(system.syscall(_RESTRICT, ruleset, 0))


def _allow(system: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    if os.path.islink(path):  # what it leads to is listed by its own name, and may be the guarded folder
        return
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    allowed = rights if os.path.isdir(path) else rights & (_OF_FILES | _TRUNCATE)
    system.syscall(_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, place), 0)
    os.close(place)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
