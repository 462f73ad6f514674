"""A machine that runs the steps of CI files as their hosts would: real shells, the host's environment, no network.

Only what the examples use is known: an expression, an action or a key beyond it is an error, so that nothing is
passed over unseen. Packages are not fetched: ``pip`` checks the words and links the present environment.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import yaml
from support import FIXTURES, REPO

ACTION = "your-org/triage@"
PACKAGE = r"triage\[ci\] @ git\+https://[a-z.]+/your-org/triage\.git@DIGEST"
_PYTHON = f"""#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$SHIMS/python3" "$3/bin/python" && cp "$SHIMS/pip" "$3/bin/pip" ;;
  "-I -m pip "*) shift 3; exec "${{0%/*}}/pip" "$@" ;;
  *) exec "{sys.executable}" "$@" ;;
esac
"""
_PIP = f"""#!/bin/sh
for what; do :; done
echo "$what" >> "$SHIMS/pip.log"
[ "$1" = install ] && [ ! -e "$SHIMS/offline" ] || exit 1
[ "$what" = "{REPO}[ci]" ] || printf '%s' "$what" | grep -qxE '{PACKAGE}' || exit 1
cp "$SHIMS/linked" "${{0%/*}}/triage"
"""
_LINKED = f"#!{sys.executable}\nfrom triage.cli import entry\nentry()\n"
_MAKE = """#!/bin/sh
[ "$1" = engine ] || exit 0
env > "$SHIMS/build.env"
cat engine.log
exit "$(cat engine.code)"
"""


class Done(NamedTuple):
    """How a script ended."""

    code: int
    out: str


class Machine:
    """A computer with bash, a Python, and a repository whose ``make engine`` prints a log and ends as it is told."""

    def __init__(self, folder: Path, archive: Path | None = None):
        self.folder = folder
        self.project = folder / "repository"
        self.shims = folder / "shims"
        for path in (self.project, self.shims, folder / "home", folder / "data"):
            path.mkdir(parents=True)
        for name, text in (("python3", _PYTHON), ("pip", _PIP), ("linked", _LINKED), ("make", _MAKE)):
            (self.shims / name).write_text(text, encoding="utf-8")
            (self.shims / name).chmod(0o755)
        if archive:
            shutil.copy(archive, folder / "data" / "archive.db")
        self.env = {
            "PATH": f"{self.shims}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "SHIMS": str(self.shims),
            "TRIAGE_CACHE_DIR": os.environ["TRIAGE_CACHE_DIR"],
            "TRIAGE_DATA_DIR": str(folder / "data"),
        }
        self.builds("trt86-profile-missing-bert-mask")

    def builds(self, case, code=1):
        """From now on the build prints the log of this fixture; None: it succeeds."""
        log = FIXTURES / case / "log.txt" if case else None
        text = log.read_bytes() if log else b"&&&& PASSED TensorRT.trtexec\n"
        (self.project / "engine.log").write_bytes(text)
        (self.project / "engine.code").write_text(f"{code if case else 0}\n")

    def run(self, script, env, cwd, shell=("bash", "--noprofile", "--norc", "-eo", "pipefail")):
        path = self.folder / "script"
        path.write_text(script if script.endswith("\n") else script + "\n", encoding="utf-8")
        done = subprocess.run(
            [*shell, str(path)], env={**self.env, **env}, cwd=cwd, check=False, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"))


class Ended(NamedTuple):
    """A job of a workflow: its status, everything that it printed, its summary page, its steps' outputs."""

    status: str
    log: str
    summary: str
    outputs: dict


class Actions:
    """GitHub's runner, or one that speaks its language. ``host`` is a server of ci_servers."""

    def __init__(self, machine, host, event_name, event, **env):
        self.machine = machine
        self.run_id = env.pop("GITHUB_RUN_ID", "77")
        event_file = machine.folder / f"event-{self.run_id}.json"
        event_file.write_text(json.dumps(event), encoding="utf-8")
        self.store = machine.folder / "artifacts"
        self.caches = machine.folder / "caches"
        self.temp = machine.folder / "temp" / self.run_id
        shutil.rmtree(self.temp, ignore_errors=True)
        self.temp.mkdir(parents=True)
        self.work = machine.folder / "work"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        self.token = host.token
        self.event = event
        self.env = {
            "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_API_URL": host.url, "GITHUB_SERVER_URL": host.origin,
            "GITHUB_REPOSITORY": "octo/models", "GITHUB_RUN_ID": self.run_id, "GITHUB_RUN_NUMBER": "7",
            "GITHUB_RUN_ATTEMPT": "1", "GITHUB_EVENT_NAME": event_name, "GITHUB_EVENT_PATH": str(event_file),
            "GITHUB_ACTOR": "octocat", "GITHUB_WORKSPACE": str(self.work), "RUNNER_TEMP": str(self.temp),
            "RUNNER_OS": "Linux", **env,
        }  # fmt: skip

    def job(self, path, job_id, matrix=None, secrets=None):
        """Runs one job of a workflow; None where its ``if`` says no."""
        workflow = yaml.load(Path(path).read_text("utf-8"), yaml.BaseLoader)
        job = workflow["jobs"][job_id]
        github = {
            "event": self.event, "token": self.token, "workspace": str(self.work), "workflow": workflow["name"],
            "run_id": self.run_id, "run_attempt": self.env["GITHUB_RUN_ATTEMPT"], "job": job_id,
        }  # fmt: skip
        scope = Scope(
            {"github": github, "matrix": matrix, "secrets": secrets or {}, "runner": {"temp": str(self.temp)}}
        )
        if not scope.holds(job.get("if", "")):
            return None
        self.log, self.summary = "", self.temp / "summary.md"
        named = {"GITHUB_WORKFLOW": workflow["name"], "GITHUB_JOB": job_id, "GITHUB_STEP_SUMMARY": str(self.summary)}
        self.steps(job["steps"], scope, {**self.env, **named, **scope.texts(job.get("env", {}))})
        summary = self.summary.read_text("utf-8") if self.summary.exists() else ""
        return Ended(scope.status, self.log, summary, {k: v["outputs"] for k, v in scope.values["steps"].items()})

    def steps(self, steps, scope, env):
        for number, step in enumerate(steps):
            unknown = step.keys() - {
                "id", "name", "if", "uses", "with", "run", "env", "shell", "working-directory", "continue-on-error"
            }  # fmt: skip
            assert not unknown, unknown
            if not scope.holds(step.get("if", "")):
                continue
            own = {**env, **scope.texts(step.get("env", {}))}
            good, outputs = self.uses(step, scope, own) if "uses" in step else self.script(step, scope, own)
            scope.values["steps"][step.get("id", f"__{number}")] = {"outputs": outputs}
            if not good and step.get("continue-on-error") != "true":
                scope.status = "failure"

    def script(self, step, scope, env):
        output = self.temp / "output"
        output.write_text("")
        assert "${{" not in step["run"], "text of a workflow is no part of a script"
        shell = ("bash", "-e") if "shell" not in step else ("bash", "--noprofile", "--norc", "-eo", "pipefail")
        folder = self.work / scope.text(step.get("working-directory", "."))
        done = self.machine.run(step["run"], {**env, "GITHUB_OUTPUT": str(output)}, folder, shell)
        self.log += done.out
        return done.code == 0, read_outputs(output.read_text("utf-8"))

    def uses(self, step, scope, env):
        given = scope.texts(step.get("with", {}))
        if step["uses"].startswith(ACTION):
            return self.composite(REPO / "action.yml", given, scope, env)
        name, _, digest = step["uses"].partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", digest), step["uses"]
        return getattr(self, "_" + re.sub(r"\W", "_", name.removeprefix("actions/")))(
            **{key.replace("-", "_"): value for key, value in given.items()}
        )

    def composite(self, path, given, outer, env):
        action = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
        assert given.keys() <= action["inputs"].keys(), given
        inputs = {name: given.get(name, outer.text(one.get("default", ""))) for name, one in action["inputs"].items()}
        inner = Scope({**outer.values, "inputs": inputs, "job": {"status": outer.status}})
        self.steps(action["runs"]["steps"], inner, {**env, "GITHUB_ACTION_PATH": str(path.parent)})
        outputs = {name: inner.text(one["value"]) for name, one in action["outputs"].items()}
        return inner.status == "success", outputs

    def _checkout(self, **_):
        shutil.copytree(self.machine.project, self.work, dirs_exist_ok=True)
        return True, {}

    def _setup_python(self, **_):
        return True, {"python-path": str(self.machine.shims / "python3")}

    def _upload_artifact(self, name, path, **_):
        if Path(path).exists():
            shutil.copytree(path, self.store / self.run_id / name)  # a second one of that name is an error there too
        return True, {}

    def _download_artifact(self, pattern, path, run_id, github_token):
        assert github_token == self.token
        for found in sorted((self.store / run_id).glob("*")):
            if fnmatch(found.name, pattern):
                shutil.copytree(found, self.work / path / found.name)
        return True, {}

    def _cache_restore(self, path, restore_keys, **_):
        found = sorted(self.caches.glob(f"{restore_keys}*"), key=lambda one: one.stat().st_mtime_ns)
        if found:
            shutil.copytree(found[-1], self.work / path)
        return True, {}

    def _cache_save(self, path, key):
        shutil.copytree(self.work / path, self.caches / key)
        return True, {}


class Scope:
    """The contexts of expressions, and whether all steps have gone well."""

    def __init__(self, values):
        self.values = {**values, "steps": {}}
        self.status = "success"

    def holds(self, condition):
        text = condition.strip().removeprefix("${{").removesuffix("}}")
        says = re.search(r"\b(always|failure|success)\(\)", text)
        return bool(self.value(text) if text else True) and (bool(says) or self.status == "success")

    def text(self, template):
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: _text(self.value(found[1])), template)

    def texts(self, templates):
        return {name: self.text(template) for name, template in templates.items()}

    def value(self, expression):
        tokens = re.findall(r"'[^']*'|[\w.*-]+|==|!=|&&|\|\||[!()]", expression)
        assert re.sub(r"\s", "", "".join(tokens)) == re.sub(r"\s", "", expression), expression
        found = self._or(tokens)
        assert not tokens, expression
        return found

    def _or(self, tokens):
        found = self._and(tokens)
        while tokens[:1] == ["||"]:
            tokens.pop(0)
            other = self._and(tokens)
            found = found or other
        return found

    def _and(self, tokens):
        found = self._equal(tokens)
        while tokens[:1] == ["&&"]:
            tokens.pop(0)
            other = self._equal(tokens)
            found = found and other
        return found

    def _equal(self, tokens):
        found = self._one(tokens)
        if tokens[:1] in (["=="], ["!="]):
            same = tokens.pop(0) == "=="
            return (_text(found).lower() == _text(self._one(tokens)).lower()) == same
        return found

    def _one(self, tokens):
        word = tokens.pop(0)
        if word == "!":
            return not self._one(tokens)
        if word.startswith("'"):
            return word[1:-1]
        if word == "(" or tokens[:1] == ["("]:
            if word != "(":
                tokens.pop(0)
            found = None if tokens[0] == ")" else self._or(tokens)
            assert tokens.pop(0) == ")"
            return found if word == "(" else self._call(word, found)
        return self._named(word)

    def _call(self, name, value):
        if name == "toJSON":
            return json.dumps(value)
        return {"always": True, "success": self.status == "success", "failure": self.status == "failure"}[name]

    def _named(self, name):
        first, *rest = name.split(".")
        value = self.values[first]
        for part in rest:
            value = value.get(part) if isinstance(value, dict) else None
        return value


def _text(value):
    if isinstance(value, dict):
        return "Object"
    return {"None": "", "True": "true", "False": "false"}.get(str(value), str(value))


def read_outputs(text):
    """The file that GITHUB_OUTPUT names: name=value, or name<<END … END."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        if not mark or "=" in name:
            name, _, found[name] = (*line.partition("=")[:2], line.partition("=")[2])
            continue
        part = []
        for inner in lines:
            if inner == end:
                break
            part.append(inner)
        found[name] = "\n".join(part)
    return found


def component(path, given):
    """The jobs of a GitLab component with these inputs; refuses unknown ones, and asks for those without a default."""
    header, body = Path(path).read_text("utf-8").split("\n---\n")
    inputs = yaml.safe_load(header)["spec"]["inputs"]
    assert given.keys() <= inputs.keys()
    values = {name: given[name] if name in given else one["default"] for name, one in inputs.items()}
    return yaml.safe_load(re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: values[found[1]], body))


def gitlab_script(jobs, name):
    """The script of a job, with what it takes over from those that it extends."""
    job = jobs[name]
    base = jobs[job["extends"]] if "extends" in job else {}
    job = {**base, **job}
    return "\n".join([*job.get("before_script", ()), *job["script"]]), job


def jenkins_steps(text):
    """The scripts of the ``sh`` steps of a Jenkinsfile, in order."""
    found = re.findall(r"\bsh (?:'''(.*?)'''|'([^'\n]*)')", text, re.DOTALL)
    return [(long or short).replace("\\\n", "") for long, short in found]
