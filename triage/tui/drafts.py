"""What a person is about to repair: the form's values, and where they come from. No Textual in here.

A log says what failed in several ways: the tool prints its command line, the shell echoes it, a traceback names the
script. What is found is only proposed: a person sees it before it runs.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from triage.errors import UsageError
from triage.remediate.loop import Settings
from triage.remedy import Recipe, Step
from triage.tui.sheets import Sheet

ATTEMPTS, SECONDS = "20", "3600"
MOST_LINES = 400  # at either end of a log, looked at for an echoed command
MOST_RECIPES, MOST_COMMANDS = 8, 30
_ECHO = re.compile(
    r"^(?:\[?[\d:TZ., -]{8,30}\]?\s+)?(?:\$|\+|##\[command\]|\[command\]|Run|>)\s+(?P<words>\S.{2,900})$"
)
_NAMED = re.compile(r"(?:&&&& RUNNING \S+(?: \[[^\]]*\])* # |RUNNING \| Command: )(?P<words>\S.{2,900})$")
_RUNS = re.compile(r"^(?:\w+=\S*\s+)*(?:python[\d.]*|trtexec|polygraphy|tritonserver|\./|[\w./-]+\.(?:py|sh))\b")
_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+\.py)", line \d+, in <module>')
_OURS = re.compile(r"^triage\s+(?:run|fix)\s.*?--\s+(?P<words>.+)$")
_SHELL_SIGNS = ("&&", "||", ";", "|", ">", ">>", "<", "2>&1", "&")


class Offer(NamedTuple):
    """A build that could be meant: the line, its folder, and why it is offered."""

    line: str
    folder: str
    why: str


@dataclass(frozen=True)
class Draft:
    """The form: texts as they are typed."""

    line: str = ""
    folder: str = ""
    target: str = ""
    unsafe: bool = False
    archive: bool = True
    attempts: str = ATTEMPTS
    seconds: str = SECONDS
    timeout: str = ""
    memory: str = ""

    @property
    def words(self) -> list[str]:
        """The line as a shell takes it apart.

        Raises:
            UsageError: nothing is there, a quote is open, or it is more than one command.
        """
        if not self.line.strip():
            raise UsageError("Type the command that fails, or the path of a recipe.toml.")
        try:
            words = shlex.split(self.line)
        except ValueError as fault:
            raise UsageError(f"The command cannot be read: {str(fault).lower()}.") from None
        signs = [word for word in words if word in _SHELL_SIGNS]
        if signs:
            raise UsageError(f"{signs[0]} is for a shell: put the line in quotes behind sh -c, or name a script.")
        return words

    @property
    def command(self) -> str:
        """The command that repairs the same build."""
        try:
            words = self.words
        except UsageError:
            return "triage fix -- COMMAND"
        alone = self.target or (len(words) == 1 and words[0].endswith((".toml", ".json")))
        parts = ["triage", "fix", *self._options(), *([] if alone else ["--"]), *words]
        place = "" if self.folder in ("", os.getcwd()) else f"cd {shlex.quote(self.folder)} && "
        return place + shlex.join(parts)

    def _options(self) -> Iterator[str]:
        if self.target:
            yield from ("--target", self.target)
        for name, value, usual in (
            ("attempts", self.attempts, ATTEMPTS), ("time-limit", self.seconds, SECONDS),
            ("timeout", self.timeout, ""), ("memory", self.memory, ""),
        ):  # fmt: skip
            if value.strip() != usual:
                yield from (f"--{name}", value.strip())
        yield from ["--unsafe"] * self.unsafe
        yield from ["--no-archive"] * (not self.archive)

    def settings(self) -> Settings:
        """The limits. Raises UsageError with what is wrong about one."""
        memory = self._number("memory", self.memory)
        return Settings(
            int(self._number("attempts", self.attempts) or int(ATTEMPTS)),
            self._number("seconds in all", self.seconds) or float(SECONDS),
            int(memory * (1 << 30)) if memory else None,
            self.unsafe,
        )

    def build(self) -> tuple[Recipe, list[Step]]:
        """The build, and the steps of an earlier repair where one was named.

        Raises:
            TriageError: it is not understood, or not there.
        """
        from triage.service.wanted import wanted

        folder = os.path.abspath(os.path.expanduser(self.folder or "."))
        if not os.path.isdir(folder):
            raise UsageError(f"There is no folder {folder}.")
        self.settings()
        return wanted(self.words, folder, self.target or None, self._number("seconds a run", self.timeout))

    @staticmethod
    def _number(name: str, text: str) -> float | None:
        if not text.strip():
            return None
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"{name} must be a number, not {text.strip()!r}.") from None
        if not 0 < value < float("inf") or (name == "attempts" and value < 1):
            raise UsageError(f"{name} must be greater than 0.")
        return value


def remembered(line: str, folder: str) -> str:
    """How a build is remembered: as a shell line that goes to its folder first."""
    return f"cd {shlex.quote(folder)} && {line}"


def recalled(text: str) -> Offer | None:
    """What ``remembered`` wrote; other lines stand for the folder one is in."""
    head, sign, line = text.partition(" && ")
    if not text.startswith("cd "):
        return Offer(text, os.getcwd(), "run before")
    try:
        folder = shlex.split(head)[1:2]
    except ValueError:
        return None
    return Offer(line, folder[0], "run before") if sign and folder else None


def offers(sheet: Sheet | None, folder: str, commands: Sequence[str]) -> list[Offer]:
    """Builds that could be meant, the likeliest first."""
    found = [*recipes_in(folder)]
    if sheet is not None:
        found += [Offer(line, place_of(line, folder), why) for line, why in said_in(sheet)]
    found += [offer for offer in map(recalled, commands) if offer]
    return list({(offer.line, offer.folder): offer for offer in reversed(found)}.values())[::-1]


def draft_of(sheet: Sheet | None, recipe: str | None, commands: Sequence[str]) -> tuple[Draft, list[Offer]]:
    """The form as it is first seen, and what else could be meant.

    Args:
        sheet: an open log.
        recipe: a recipe.toml, a parameters.json, or the folder of a build.
        commands: what was repaired before.
    """
    if recipe:
        path = os.path.abspath(os.path.expanduser(recipe))
        if os.path.isfile(path):
            return Draft(shlex.quote(os.path.basename(path)), os.path.dirname(path)), []
        folder = path
    else:
        folder = os.path.dirname(sheet.path) if sheet is not None and sheet.path else os.getcwd()
    found = offers(sheet, folder, commands)
    if recipe or sheet is not None:
        near = [one for one in found if one.why != "run before" or one.folder == folder]
        if near:
            return Draft(near[0].line, near[0].folder), found
    return Draft("", folder), found


def recipes_in(folder: str) -> Iterator[Offer]:
    """Recipes in a folder and the folders right below it."""
    found = 0
    for base, folders, names in os.walk(folder):
        deep = base != folder
        folders[:] = [] if deep else sorted(name for name in folders if not name.startswith("."))[:50]
        for name in sorted(name for name in names if name.endswith(".toml"))[:20]:
            if found < MOST_RECIPES and _is_recipe(os.path.join(base, name)):
                found += 1
                yield Offer(shlex.quote(name), base, "a recipe in " + ("a folder below" if deep else "this folder"))


def _is_recipe(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            head = stream.read(1 << 16)
    except OSError:
        return False
    return re.search(rb"(?m)^\[build\]", head) is not None and re.search(rb"(?m)^command\s*=", head) is not None


def said_in(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """Command lines that a log tells of, each with where it stands."""
    told = sheet.incident.facts.get("command") if sheet.incident else None
    if told:
        yield str(told), "the log names it"
    document = sheet.document
    first = document.window(1, MOST_LINES)
    last = document.window(max(MOST_LINES + 1, document.lines - MOST_LINES), MOST_LINES)
    for line in (*first, *last):
        echoed = _ECHO.match(line.text.strip()) or _NAMED.search(line.text.strip())
        words = echoed["words"] if echoed else ""
        ours = _OURS.match(words)
        words = ours["words"] if ours else words
        if words and _RUNS.match(words) and len(shlex.quote(words)) < 1000:
            yield words, f"line {line.number:,}"
    for line in (*first, *last):
        frame = _FRAME.match(line.text)
        if frame and "/site-packages/" not in frame["path"]:
            yield f"python {shlex.quote(frame['path'])}", f"the traceback in line {line.number:,} names it"


def place_of(line: str, folder: str) -> str:
    """The folder in which a command's words name files: the log's, the present one, or one above."""
    try:
        words = [word for word in shlex.split(line) if not os.path.isabs(word)]
    except ValueError:
        return folder
    places = [folder, os.getcwd(), os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))]
    parts = [piece for word in words for piece in (word, word.partition("=")[2]) if piece]
    return next((place for place in places if any(os.path.isfile(os.path.join(place, part)) for part in parts)), folder)


def used(commands: Sequence[str], draft: Draft) -> list[str]:
    """The remembered commands with this one first."""
    line = remembered(draft.line.strip(), os.path.abspath(draft.folder or "."))
    return [line, *(each for each in commands if each != line)][:MOST_COMMANDS]


def with_offer(draft: Draft, offer: Offer) -> Draft:
    """The form with an offered build in it."""
    return replace(draft, line=offer.line, folder=offer.folder, target="")


def told(draft: Draft) -> str:
    """What a form would do, in words.

    Raises:
        TriageError: it cannot be done; says why.
    """
    if draft.target:
        draft.settings()
        if not os.path.exists(os.path.join(draft.folder, draft.words[0])):
            raise UsageError(f"{draft.words[0]} is not in {draft.folder}.")
        return f"Builds {draft.words[0]} for {draft.target} in a folder of its own, and compares the outputs."
    recipe, steps = draft.build()
    lines = [f"Runs in a copy of {recipe.folder}: {shlex.join(recipe.command)}"]
    if steps:
        lines.append(f"Does an earlier repair again: {'; '.join(step.what for step in steps)}")
    lines.append("May change there: " + (_listed(recipe.files) or "nothing that the command names"))
    check, how = recipe.verify, "outputs are compared where they can be"
    if check:
        how = f"{shlex.join(check.command)} agrees" if check.command else f"the outputs are those of {check.reference}"
    return "\n".join([*lines, f"Cured means: exit code 0, and {how}"])


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
