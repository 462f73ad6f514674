"""Every fix proves itself by its examples, through the same sandbox as in a repair."""

import importlib.util

import pytest

from triage import discovery
from triage.remediate import sandbox
from triage.remediate.plan import known_fixes
from triage.remediate.state import State
from triage.remedy import SAFETIES, BuildResult, Recipe
from triage.site import Found, Site
from triage.workspace import copy_of

FIXES = {fix.id: fix for fix in known_fixes()}
CASES = [
    pytest.param(name, number, id=f"{name}-{number}")
    for name in FIXES
    for number in range(len(discovery.load("triage.fixes", name).EXAMPLES))
]


def module_of(name):
    return discovery.load("triage.fixes", name)


@pytest.mark.parametrize("name", FIXES)
def test_a_fix_says_what_it_is(name, library):
    module, fix = module_of(name), FIXES[name]
    text = module.__doc__
    assert len(text.split("\n")[0]) <= 80, "the first line is the title"
    for heading in ("What it changes:", "When it is wrong:"):
        assert heading in text
    assert fix.safety in SAFETIES
    assert fix.causes or fix.evident
    unknown = set(fix.causes) - set(library.knowledge.ids())
    assert not unknown, f"no such cause: {unknown}"
    applies = [example for example in module.EXAMPLES if example.applies]
    assert applies, "a fix needs an example"
    assert any(not example.applies for example in module.EXAMPLES), "a fix needs a near miss"
    assert all(example.after for example in applies) or fix.safety == "manual"


class _State(State):
    """A state with a finding that is told, not diagnosed."""

    told = Found()

    def found(self):
        return self.told


@pytest.mark.parametrize(("name", "number"), CASES)
def test_an_example_holds(name, number, tmp_path):
    module = module_of(name)
    example = module.EXAMPLES[number]
    for package in example.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    for folder in ("given", "scratch"):
        (tmp_path / folder).mkdir()
    example.before(str(tmp_path / "given"))
    files = tuple(path.name + "/" * path.is_dir() for path in sorted((tmp_path / "given").iterdir()))
    recipe = Recipe("example", str(tmp_path / "given"), example.command, files)
    log = tmp_path / "scratch" / "build.log"
    log.write_text(example.log)
    state = _State(copy_of(str(tmp_path / "given"), str(tmp_path / "work")), example.command)
    state.result = BuildResult(1, "exit", 0.0, str(log))
    state.told = example.found or Found(causes=module.CAUSES[:1])
    proposed = sandbox.propose([name], state, recipe, str(tmp_path / "scratch"))
    assert not proposed.failed
    if not example.applies:
        assert not proposed.steps
        return
    assert proposed.steps, f"no proposal; refused: {proposed.refusals}"
    if module.SAFETY == "manual":
        assert proposed.steps[0].parameters["commands"]
        return
    before = state.key()
    applied = sandbox.apply(proposed.steps[0], state, recipe, str(tmp_path / "scratch"))
    assert applied.command is not None, applied.why
    state.command = applied.command
    assert state.key() != before, "it changed nothing"
    example.after(Site(state.workspace, applied.command, files, log=example.log, found=state.told))
    again = sandbox.propose([name], state, recipe, str(tmp_path / "scratch"))
    assert proposed.steps[0].what not in [step.what for step in again.steps], "what was applied is proposed again"


def test_articles_of_causes_say_of_a_repair_what_it_says_of_itself(library):
    """What no module can do is a person's work, and what one can do is as safe as it says."""
    for cause in library.knowledge.ids():
        for listed in library.knowledge.article(cause).fixes:
            expected = FIXES[listed.id].safety if listed.id in FIXES else "manual"
            assert listed.safety == expected, f"{cause}: {listed.id} is {expected}, the article says {listed.safety}"
