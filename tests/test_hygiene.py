"""What keeps the code light and readable: imports, layers, sizes, docstrings."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support import PACKAGE, PROFILE_MISSING, REPO, run_cli

from triage import discovery
from triage.errors import UnknownName

HEAVY = ("sklearn", "skops", "onnx", "onnxruntime", "sqlalchemy", "alembic", "rapidfuzz", "tantivy", "textual",
         "fastapi", "numpy", "yaml", "torch", "tensorrt")  # fmt: skip
IN_CHILDREN = ("fixes", "onnxgraph", "pysource", "modelfolder", "trtbuild", "compare", "backends")
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = {
    "triage.cli": "cli",
    "triage.cli.archive": "cli/archive",
    "triage.cli.db": "cli/db",
    "triage.cli.rules": "cli/rules",
    "triage.reports": "reports",
    "triage.schemas": "schemas",
    "triage.fixes": "fixes",
    "triage.backends": "backends",
    "triage.ingest.formats": "ingest/formats",
    "triage.diagnose.predicates": "diagnose/predicates",
}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


LOADED = """
import io, os, sys
class Stream(io.TextIOWrapper):
    def write(self, text):
        if not seen:
            seen.append([name for name in sys.argv[1].split() if name in sys.modules])
        return super().write(text)
seen = []
sys.stdout = Stream(sys.stdout.buffer)
from triage.cli import main
code = main(sys.argv[2:])
sys.stdout.flush()
print(seen[0], "sqlalchemy" in sys.modules, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("archived", [True, False])
@pytest.mark.parametrize("form", ["json", "text"])
def test_the_verdict_is_out_before_anything_heavy_is_loaded(tmp_path, form, archived):
    log = tmp_path / "build.log"
    log.write_text(PROFILE_MISSING, encoding="utf-8")
    options = ["diagnose", "--format", form, *([] if archived else ["--no-archive"]), str(log)]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, " ".join(HEAVY), *options], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, f"[] {archived}\n")
    assert "profile-missing" in done.stdout


def test_importing_triage_loads_none_of_its_parts():
    code = "import sys, triage; print([name for name in sys.modules if name.startswith('triage.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_public_names():
    import triage

    assert {name: getattr(triage, name) is not None for name in triage.__all__} == dict.fromkeys(triage.__all__, True)
    with pytest.raises(AttributeError, match="zork"):
        _ = triage.zork


def test_import_contracts_hold():
    tool = Path(sys.executable).with_name("lint-imports")
    if not tool.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run([tool, "--no-cache"], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


BARE = {"diagnose/__init__.py", "ingest/__init__.py", "rulebook/__init__.py"}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=name_of(path)) for path in FILES],
)
def test_a_file_is_short_and_explained(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    tree = ast.parse(text)
    assert (ast.get_docstring(tree) or "").strip(), "the module has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    public += [part for node in public if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
               for part in node.body if isinstance(part, ast.FunctionDef)]  # fmt: skip
    public = [node for node in public if not any(_is_overload(part) for part in node.decorator_list)]
    bare = [node.name for node in public if not node.name.startswith("_") and not ast.get_docstring(node)]
    assert bare == []


def _is_overload(decorator):
    return getattr(decorator, "id", getattr(decorator, "attr", "")) == "overload"


def test_the_median_file_is_short():
    sizes = sorted(path.read_text(encoding="utf-8").count("\n") for path in FILES)
    assert sizes[len(sizes) // 2] <= 120


@pytest.mark.parametrize("package", FOLDERS)
def test_ids_are_the_stems_of_the_folder(package):
    names = discovery.names(package)
    folder = PACKAGE / FOLDERS[package]
    stems = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    stems |= {path.parent.name for path in folder.glob("*/__init__.py") if not path.parent.name.startswith("_")}
    assert {name.replace("-", "_") for name in names} == stems
    assert len(names) == len(set(names))
    for name in names:
        assert discovery.load(package, name).__name__ == f"{package}.{name.replace('-', '_')}"


COMMAND = ("EXAMPLE", "add_arguments", "run")
NEEDED = {
    "triage.cli": COMMAND,
    "triage.cli.archive": COMMAND,
    "triage.cli.db": COMMAND,
    "triage.cli.rules": COMMAND,
    "triage.reports": ("MEDIA_TYPE", "render", "settled", "repair"),
    "triage.schemas": ("SCHEMA",),
    "triage.fixes": ("CAUSES", "SAFETY", "propose", "EXAMPLES"),
    "triage.backends": ("NEEDS", "probe", "understands"),
    "triage.ingest.formats": ("TOOL", "LINE", "LEVELS", "FACTS", "SAMPLES", "OTHERS"),
    "triage.diagnose.predicates": ("refusal",),
}


@pytest.mark.parametrize("package", FOLDERS)
def test_a_module_has_what_its_kind_must_have(package):
    for name in discovery.names(package):
        module = discovery.load(package, name)
        if hasattr(module, "__path__"):  # a folder of commands explains itself
            assert module.__doc__
            assert module.EXAMPLE
            continue
        assert [part for part in NEEDED[package] if not hasattr(module, part)] == [], name


@pytest.mark.parametrize("name", ["", "no-such", "../errors", "os.path", "json.", "a b"])
def test_other_names_are_unknown(name):
    with pytest.raises(UnknownName):
        discovery.load("triage.reports", name)


def test_listing_names_imports_no_module():
    code = "import sys; from triage import discovery; discovery.names('triage.reports');"
    code += "print('triage.reports.text' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_no_catch_all_outside_the_edges():
    """``except Exception`` hides faults. It stands at the command line's edge, round a foreign decompressor, and
    in code that runs in child processes only, round libraries that raise anything at broken models; with a reason.
    """
    for path in FILES:
        lines = path.read_text(encoding="utf-8").split("\n")
        for node in ast.walk(ast.parse("\n".join(lines))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            catches_all = node.type is None or getattr(node.type, "id", "") == "Exception"
            if catches_all and name_of(path) not in ("cli/__init__.py", "cli/_edge.py", "inputs.py"):
                assert path.relative_to(PACKAGE).parts[0] in IN_CHILDREN, name_of(path)
                assert "BLE001 -- " in lines[node.lineno - 1], f"{name_of(path)}:{node.lineno} gives no reason"


RULE = "cause: profile-missing\ntool: tensorrt\nmatch: 'alpha beta'\nhits: ['alpha beta']\nmisses: ['alpha']\n"


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path):
    (tmp_path / "rules" / "tensorrt").mkdir(parents=True)
    (tmp_path / "rules" / "tensorrt" / "a.yaml").write_text(RULE, encoding="utf-8")
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    done = run_cli("rules", "test", tmp_path / "rules", env={"TRIAGE_CACHE_DIR": str(blocked / "cache")})
    assert (done.returncode, done.stdout) == (0, b"1 rules, 0 faults\n")
    assert b"cannot be kept" in done.stderr


def test_a_changed_rule_is_compiled_again(small_library):
    from triage.library import _loaded
    from triage.service import diagnose

    answers = []
    for cause in ("profile-missing", "plugin-missing", "profile-missing"):
        _loaded.clear()
        library = small_library({"tensorrt/a": RULE.replace("profile-missing", cause)})
        answers.append(diagnose("alpha beta\n", library=library).diagnosis.incidents[0].causes[0].id)
    assert answers == ["profile-missing", "plugin-missing", "profile-missing"]


@pytest.mark.parametrize("damage", [b"", b"garbage"])
def test_a_damaged_cache_is_made_again(small_library, tmp_path, damage):
    from triage.library import _loaded
    from triage.service import diagnose

    small_library({"tensorrt/a": RULE})
    for path in (tmp_path / "cache").iterdir():
        if path.suffix in (".book", ".db", ".kb"):
            path.write_bytes(damage)
    _loaded.clear()
    report = diagnose("alpha beta\n", library=small_library({"tensorrt/a": RULE}))
    assert report.diagnosis.incidents[0].causes[0].id == "profile-missing"
