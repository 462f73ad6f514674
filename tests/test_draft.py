"""Rules drafted from messages that nobody could name, and what the proof says of them."""

import functools
import random
import re
import shutil
from collections import defaultdict

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rapidfuzz import fuzz
from support import RULES
from yaml import safe_load

from triage.diagnose.draft import PLACEHOLDER, Sample, draft, lines_of
from triage.diagnose.extended import with_rule
from triage.diagnose.proof import explain, prove, spoken_by, vocabulary
from triage.errors import UsageError
from triage.ingest.wrappers import peel
from triage.library import load_library
from triage.masks import mask
from triage.rulebook.patterns import compile_line
from triage.rulebook.read import read_rule, read_rules
from triage.service import diagnose, prove_rule

BINDINGS = [
    Sample("a", "[11/20/2026-10:46:25] [TRT] [E] Cannot rebind slot 'images' of context /srv/alice/yolo.plan: 3 left"),
    Sample("b", "[11/21/2026-09:01:00] [TRT] [E] Cannot rebind slot 'input_ids' of context C:\\m\\bert.plan: 12 left"),
]
NEIGHBOUR = Sample(
    "n", "[TRT] [E] Cannot release slot 'images' of context /srv/alice/yolo.plan: 3 left", "disk-full", "confirmed"
)


def look(data, library):
    return diagnose(data, library=library).diagnosis


@pytest.fixture(scope="module")
def shipped():
    return read_rules(str(RULES))


def loaded(made, folder, causes=None):
    """The draft as the rule loader reads it from its file, and the faults."""
    path = folder / f"{made.id}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made.text, encoding="utf-8")
    faults = []
    return read_rule(str(path), str(folder), causes, faults), faults


def takes(patterns, text):
    return any(compile_line(p).search(peel(line.encode())) for p in patterns for line in text.split("\n"))


# --- the file


def test_a_draft_loads_and_proves_itself(tmp_path, library, shipped):
    made = draft(BINDINGS, [NEIGHBOUR], "binding-mismatch", "tensorrt", "run", {"tensorrt/x"})
    rule, faults = loaded(made, tmp_path, frozenset(library.knowledge.ids()))
    assert faults == []
    assert list(prove_rule(rule, with_rule(library, rule, shipped))) == []
    assert (rule.cause, rule.status, rule.tool, rule.stage) == ("binding-mismatch", "experimental", "tensorrt", "run")
    assert rule.hits == tuple(sample.text for sample in BINDINGS)
    assert rule.misses == (NEIGHBOUR.text,)
    assert rule.why == "The tool prints: Cannot rebind slot '{name}' of context {path}: … left"


def test_what_changes_becomes_captures_and_nothing_is_memorised():
    (pattern,) = draft(BINDINGS, [], "binding-mismatch", "tensorrt").patterns
    found = compile_line(pattern).search(b"Cannot rebind slot `mask` of context ./x/y.engine: 0 left")
    assert found is not None
    assert "(?P<path>" in pattern
    assert [word for word in ("images", "alice", "yolo", "bert", "2026", "12") if word in pattern] == []


def test_terms_of_the_field_name_the_captures():
    text = (
        "RuntimeError: tensor 'enc.w' has wrong shape; expected [4, 32], got [4, 31] in profile 2 of model ./bert.onnx"
    )
    (pattern,) = draft([Sample("a", text)], [], "checkpoint-mismatch", "other").patterns
    assert set(compile_line(pattern).groupindex) == {b"tensor", b"expected", b"got", b"profile", b"model"}


def test_several_wordings_make_several_patterns():
    other = Sample("c", "[TRT] [E] The arena was sealed before the last enqueue")
    made = draft([*BINDINGS, other], [], "binding-mismatch", "tensorrt")
    assert len(made.patterns) == 2
    assert all(takes(made.patterns, sample.text) for sample in made.group)
    assert safe_load(made.text)["any"] == list(made.patterns)


def test_a_neighbour_of_another_cause_narrows_the_pattern(tmp_path):
    ours = Sample("a", "ValueError: object 'Frobber' has no such handle")
    theirs = Sample("b", "ValueError: object 'Wrangler' has no such handle", "disk-full")
    alone, beside = (draft([ours], near, "binding-mismatch", "other") for near in ([], [theirs]))
    assert takes(alone.patterns, theirs.text)
    assert not takes(beside.patterns, theirs.text)
    assert beside.misses == (theirs.text,)
    assert any("stands literally" in note for note in beside.notes)


def test_a_made_up_miss_is_called_so_and_reads_like_a_message():
    made = draft(BINDINGS, [], "binding-mismatch", "tensorrt")
    assert made.misses == (BINDINGS[0].text.replace("Cannot rebind", "will rebind"),)
    assert any("made from a hit" in note for note in made.notes)


@pytest.mark.parametrize("taken", [0, 1, 2, 9])
def test_an_id_is_never_taken(taken):
    existing = set()
    for _ in range(taken):
        existing.add(draft(BINDINGS, [], "binding-mismatch", "tensorrt", existing=existing).id)
    made = draft(BINDINGS, [], "binding-mismatch", "tensorrt", existing=existing)
    assert len(existing) == taken
    assert made.id not in existing
    assert made.id.startswith("tensorrt/binding-mismatch-")


def test_unknown_tools_and_stages_are_left_out():
    made = draft(BINDINGS, [], "binding-mismatch", "frobnicator", "dancing")
    assert safe_load(made.text)["tool"] == "other"
    assert "stage" not in safe_load(made.text)


def test_people_and_secrets_stay_out():
    text = "PushError: upload of /home/alice/x.bin by bob@corp.example with [github token masked] was turned down twice"
    made = draft([Sample("a", text)], [], "hub-access-denied", "other")
    assert not any(word in made.text for word in ("alice", "bob"))
    assert "masked" not in made.patterns[0]
    assert takes(made.patterns, text.replace("[github token masked]", "ghp_0123456789abcdef0123456789abcdef0123"))


def test_a_word_that_no_tool_prints_is_taken_for_a_name(library):
    sample = Sample("a", "[E] Input tensor imagezz is not wired to the gearbox")
    (pattern,) = draft([sample], [], "binding-mismatch", "tensorrt", vocabulary=vocabulary(library)).patterns
    assert takes([pattern], "Input tensor frames is not wired to the gearbox")


def test_messages_without_words_are_refused():
    with pytest.raises(UsageError, match="fixed word"):
        draft([Sample("a", "0x7f3a 12 34"), Sample("b", "  ")], [], "disk-full", "other")


def test_the_line_with_the_message_is_taken_from_several():
    assert lines_of("E0514 00:00\\n\n   the worker lost its lease  \n")[0] == "the worker lost its lease"


# --- the cause


def test_the_cause_is_proposed_from_the_neighbours_with_the_reason():
    near = [NEIGHBOUR, Sample("far", "No module named 'onnx'", "python-dependency-missing")]
    made = draft(BINDINGS, near, None, "tensorrt")
    assert made.cause == "disk-full"
    assert any(note.startswith("cause proposed: n reads alike") and "(confirmed)" in note for note in made.notes)


def test_without_a_cause_the_loader_refuses_and_the_draft_says_what_to_fill_in(tmp_path, library, shipped):
    made = draft(BINDINGS, [], None, "tensorrt")
    assert made.cause is None
    assert "must be filled in" in made.notes[0]
    rule, faults = loaded(made, tmp_path, frozenset(library.knowledge.ids()))
    assert rule is None
    assert any(PLACEHOLDER in fault and "no cause of the catalogue" in fault for fault in faults)
    proof = prove(made, library, [], [("o", "disk-full", BINDINGS[0].text)], look, shipped)
    assert not proof.sound
    assert proof.named == ("a", "b")
    assert [(c.before, c.after) for c in proof.changes] == [("disk-full", PLACEHOLDER)]
    assert "to be filled in" in explain(proof)


# --- the proof


def test_a_sound_draft_names_its_group_and_nothing_else(library, shipped):
    made = draft(BINDINGS, [NEIGHBOUR], "binding-mismatch", "tensorrt")
    others = [("n", "disk-full", NEIGHBOUR.text), ("m", None, "ModuleNotFoundError: No module named 'onnx'")]
    proof = prove(made, library, [("good", b"&&&& PASSED TensorRT.trtexec\n")], others, look, shipped)
    assert proof.sound
    assert (proof.named, proof.silent, proof.alarms, proof.changes) == (("a", "b"), (), (), ())
    assert (proof.goods, proof.others) == (1, 2)
    assert "2 of 2 incidents would be named binding-mismatch" in explain(proof)


def test_the_proof_tells_alarms_and_changes(library, shipped):
    made = draft(BINDINGS[:1], [], "binding-mismatch", "tensorrt")
    good = b"start\n[I] Cannot rebind slot 'x' of context ./a.plan: 1 left, going on\n&&&& PASSED\n"
    others = [
        ("was-unknown", None, f"{BINDINGS[1].text}\nrun ended\n"),
        ("other", "disk-full", "OSError: [Errno 28] No space left on device"),
    ]
    proof = prove(made, library, [("good", good)], others, look, shipped)
    assert [(alarm.key, alarm.line) for alarm in proof.alarms] == [("good", 2)]
    assert [(c.key, c.before, c.after) for c in proof.changes] == [("was-unknown", "unknown", "binding-mismatch")]
    assert not proof.sound
    assert "good line 2" in explain(proof)
    assert "was-unknown: unknown -> binding-mismatch" in explain(proof)


def test_a_person_who_spoils_the_draft_is_told(library, shipped):
    made = draft(BINDINGS, [NEIGHBOUR], "binding-mismatch", "tensorrt")
    broken = made._replace(text=made.text.replace("Cannot rebind", "Cannot (?=x)"))
    wide = made._replace(text=made.text.replace("match: 'Cannot rebind", "match: 'Cannot reach"))
    assert not prove(broken, library, [], [], look, shipped).sound
    assert any("hit does not match" in fault for fault in prove(wide, library, [], [], look, shipped).faults)


def test_the_trial_library_answers_as_one_compiled_with_the_rule(tmp_path, monkeypatch, small_library):
    texts = {
        "tensorrt/general": "cause: builder-internal-error\ntool: tensorrt\nwhy: it was refused\n"
        "match: 'slot was refused'\nhits: ['slot was refused today']\nmisses: ['slot was taken']\n",
        "tensorrt/special": "cause: binding-mismatch\ntool: tensorrt\nwhy: it was refused by a guard\n"
        "match: 'slot was refused by guard (?P<name>\\w{1,9})'\nhits: ['slot was refused by guard seven']\n"
        "misses: ['slot was refused today']\n",
    }
    whole = small_library(texts)
    rules = {rule.id: rule for rule in read_rules(str(tmp_path / "rules"))}
    logs = ["E slot was refused today", "slot was refused by guard nine\nand slot was refused again", "fine"]
    for added in texts:
        part = tmp_path / f"without-{added.partition('/')[2]}"
        shutil.copytree(tmp_path / "rules", part)
        (part / f"{added}.yaml").unlink()
        rest = read_rules(str(part))
        trial = with_rule(load_library(rules=str(part)), rules[added], rest)
        for log in logs:
            assert look(log.encode(), trial) == look(log.encode(), whole)
            assert spoken_by(log.encode(), trial) == spoken_by(log.encode(), whole)


# --- any message

FIXED_WORDS = """
    adapter arena broker bucket carrier channel cluster gearbox granule harbour journal lantern ledger marker orchard
    paddle quarry ribbon saddle tunnel vessel wagon refused sealed lost dropped cannot twisted before while without
"""
WORDS = st.sampled_from(FIXED_WORDS.split())
HOLES = {
    "path": st.from_regex(r"/[a-z]{2,8}/[a-z]{2,8}\.onnx", fullmatch=True),
    "number": st.integers(0, 99999).map(str),
    "name": st.from_regex(r"'[a-z]{2,8}[._][a-z]{2,8}'", fullmatch=True),
    "version": st.from_regex(r"[1-9]\.[0-9]{1,2}\.[0-9]", fullmatch=True),
    "shape": st.lists(st.integers(1, 999), min_size=2, max_size=4).map(str),
    "address": st.from_regex(r"0x[0-9a-f]{6,12}", fullmatch=True),
    "size": st.from_regex(r"[1-9][0-9]{0,2}\.[0-9]{2} GiB", fullmatch=True),
    "node": st.from_regex(r"/[a-z]{3,6}/[A-Z][a-z]{3,6}_[0-9]{1,3}", fullmatch=True),
}
PREFIX = st.sampled_from(["", "RuntimeError: ", "[TRT] [E] 4: ", "2026-01-02 03:04:05 ERROR "])


@st.composite
def template(draw):
    words = draw(st.lists(WORDS, min_size=5, max_size=8, unique=True))
    row = [("", word) for word in words]
    for kind in draw(st.lists(st.sampled_from(sorted(HOLES)), max_size=3)):
        row.insert(draw(st.integers(1, len(row))), (kind, ""))
        row.insert(draw(st.integers(1, len(row))), ("", draw(WORDS)))
    return row


def instance(draw, row):
    return draw(PREFIX) + " ".join(word or draw(HOLES[kind]) for kind, word in row)


def neighbour_of(draw, row):
    """The same holes in a sentence of which two words are others."""
    places = draw(st.permutations([i for i, (kind, _) in enumerate(row) if not kind]))[:2]
    used = {word for _, word in row}
    fresh = draw(st.lists(WORDS.filter(lambda w: w not in used), min_size=2, max_size=2, unique=True))
    other = list(row)
    for place, word in zip(places, fresh, strict=True):
        other[place] = ("", word)
    return instance(draw, other)


@given(template(), st.integers(1, 3), st.data())
def test_a_draft_takes_other_cases_of_its_message_and_no_neighbour(library, tmp_path_factory, row, count, data):
    given_hits = [Sample(str(n), instance(data.draw, row)) for n in range(count)]
    near = [Sample(f"n{n}", neighbour_of(data.draw, row), "disk-full") for n in range(2)]
    assume(not {s.text for s in near} & {s.text for s in given_hits})
    made = draft(given_hits, near, "binding-mismatch", "other")
    rule, faults = loaded(made, tmp_path_factory.mktemp("rules"), frozenset(library.knowledge.ids()))
    assert faults == []
    assert list(prove_rule(rule, with_rule(library, rule, []))) == []
    assert all(takes(rule.patterns, instance(data.draw, row)) for _ in range(3))
    assert not any(takes(rule.patterns, sample.text) for sample in near)
    assert [number for number in ("onnx", "0x", "GiB") if any(number in p for p in rule.patterns)] in ([], ["0x"])


@given(st.lists(st.text(max_size=60), min_size=1, max_size=3), st.lists(st.text(max_size=60), max_size=2))
def test_any_text_gives_a_rule_that_loads_or_a_refusal(tmp_path_factory, texts, others):
    try:
        made = draft(
            [Sample(str(n), text) for n, text in enumerate(texts)], [Sample("o", text, "disk-full") for text in others],
            "binding-mismatch", "other",
        )  # fmt: skip
    except UsageError:
        return
    _, faults = loaded(made, tmp_path_factory.mktemp("rules"), {"binding-mismatch"})
    assert faults == []


# --- messages of real tools


def captured(rule, text):
    """Where a rule's own pattern has captures in one line of a sample: (pattern, line, [(name, start, end)])."""
    for pattern in rule.patterns:
        program = compile_line(pattern)
        for line in text.split("\n"):
            if (found := program.search(line.encode())) and program.groupindex:
                spans = [(name, *found[place]) for name, place in program.groupindex.items() if found[place][0] >= 0]
                return pattern, line.encode(), sorted(spans, key=lambda span: -span[1])
    return None


def other_case(rule, text, values, rng):
    """The sample with other names and numbers, taken from samples of other rules; None where the rule refuses it."""
    pattern, line, spans = captured(rule, text)
    changed = line
    for name, start, end in spans:
        old = line[start:end]
        alike = [v for v in values[name] if v != old and shape_of(v) == shape_of(old)]
        changed = changed[:start] + rng.choice(alike or [old]) + changed[end:]
    again = compile_line(pattern).search(changed)
    return changed.decode() if changed != line and again else None


def shape_of(value):
    return bool(re.fullmatch(rb"-?\d+", value)), bool(re.fullmatch(rb"[\d.]+", value)), b"/" in value, b" " in value


def families(rules):
    """Rules with captures and without conditions: (rule, samples to draft from, samples to ask for)."""
    rng = random.Random(3)  # noqa: S311 - the same cases in every run
    preferred = {other for rule in rules for other in rule.yields_to}
    values = defaultdict(list)
    for rule in rules:
        for found in filter(None, (captured(rule, text) for text in rule.hits)):
            for name, start, end in found[2]:
                values[name].append(found[1][start:end])
    for rule in rules:
        if rule.says == "cause" and not rule.has_conditions() and not rule.also and rule.id not in preferred:
            text = next((text for text in rule.hits if captured(rule, text)), "")
            cases = [other_case(rule, text, values, rng) for _ in range(12)] if text else []
            distinct = list(dict.fromkeys(case for case in cases if case))
            if len(distinct) >= 4:
                yield rule, [captured(rule, text)[1].decode(), *distinct[:2]], distinct[2:]


@functools.cache
def masked(text):
    """The same thousand samples are compared with every draft."""
    return mask(text)[0]


def nearest(texts, samples):
    """The samples that read most like the texts, as a search of the archive finds them."""
    score = {s: max(fuzz.token_sort_ratio(masked(s.text), masked(text)) for text in texts) for s in samples}
    return sorted(samples, key=lambda s: -score[s])[:40]


@pytest.mark.slow
def test_rules_that_were_taken_away_are_drafted_again(tmp_path, monkeypatch, shipped):
    chosen = list(families(shipped))[::4]
    gone = {rule.id for rule, _, _ in chosen}
    shutil.copytree(RULES, tmp_path / "rules")
    for rule_id in gone:
        (tmp_path / "rules" / f"{rule_id}.yaml").unlink()
    monkeypatch.setenv("TRIAGE_CACHE_DIR", str(tmp_path / "cache"))
    library = load_library(rules=str(tmp_path / "rules"))
    rest = [rule for rule in shipped if rule.id not in gone]
    asked = hit = narrow = 0
    proofs = []
    for rule, given_texts, others_of_it in chosen:
        others = [Sample(r.id, text, r.cause) for r in shipped if r.cause != rule.cause for text in r.hits]
        near = nearest(given_texts, others)
        made = draft([Sample(text, text) for text in given_texts], near, rule.cause, rule.tool, rule.stage)
        asked += len(others_of_it)
        hit += sum(takes(made.patterns, text) for text in others_of_it)
        narrow += not any(takes(made.patterns, sample.text) for sample in others)
        proofs.append(prove(made, library, [], [(s.key, s.cause, s.text) for s in others], look, rest))
    assert len(chosen) > 40
    assert sum(not proof.faults and not proof.silent for proof in proofs) >= 0.9 * len(chosen)
    assert sum(not proof.changes for proof in proofs) >= 0.9 * len(chosen)
    assert hit >= 0.9 * asked
    assert narrow >= 0.8 * len(chosen)
