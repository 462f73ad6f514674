"""The classifier: what it learns from, when it speaks, how it is kept, and that its figures are honest."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from support import FIXTURES, KB, RULES

from triage.diagnose import holdout
from triage.diagnose.classify import load_model
from triage.diagnose.examples import (
    article_examples,
    fixture_examples,
    incident_example,
    rule_examples,
    silenced,
    text_of_lines,
)
from triage.diagnose.features import expand, length
from triage.diagnose.figures import NEVER, Outcome, choose_lead, count
from triage.diagnose.shelf import DRIFT, drift, install, read_card, revert, save
from triage.diagnose.train import RIDGE, counters, key_of, train
from triage.errors import InputError, UsageError
from triage.rulebook.read import read_rules

SHIPPED = KB / "model"
FEW = {"calibration-failed", "gpu-out-of-memory", "profile-invalid", "tokenizer-mismatch", "plugin-missing",
       "sequence-too-long", "operator-unsupported", "opset-unsupported"}  # fmt: skip
END_MESSAGES = (
    "ERROR: Failed to build the engine.",
    "##[error]Process completed with exit code 1.",
    "[E] Engine could not be created from network",
    "&&&& FAILED TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=model.onnx",
    "Traceback (most recent call last):",
    "lorem ipsum dolor sit amet",
    "",
)


def text(*lines, tool="other"):
    return text_of_lines(lines, tool)


@pytest.fixture(scope="module")
def sources():
    return read_rules(str(RULES))


@pytest.fixture(scope="module")
def few(sources, library):
    """Examples of some causes: enough to learn from, quick to train."""
    return list(rule_examples([source for source in sources if source.cause in FEW], library))


@pytest.fixture(scope="module")
def solved(few):
    texts = [expand(example.text) for example in few]
    matrix = counters().fit_transform(texts)
    return matrix, texts, holdout.solve(matrix, few, texts, RIDGE)


@pytest.fixture(scope="module")
def trained(few):
    return train(few, "2026-11-21T12:00:00+00:00")


@pytest.fixture(scope="module")
def shipped():
    return load_model(str(SHIPPED / "model.skops"))


# what a text becomes


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("CUDNN_STATUS_ALLOC_FAILED", "cudnn status alloc failed +memory-full"),
        ("FileNotFoundError: <path>", "file not found error <path> +file"),
        ("getPluginCreator could not find Det", "get plugin creator could not find det +absent +plugin"),
        ("expected <shape> but got <shape>", "expected <shape> but got <shape> +mismatch +shape"),
    ],
)
def test_a_line_becomes_words_and_families(line, words):
    assert expand(f"{line}\ntool=onnx") == f"{words}\ntool=onnx"


def test_frames_and_the_source_they_quote_are_left_out():
    plain = expand("File <name>, line <number>, in build\n  engine = make(shape)\nValueError: bad shape\ntool=other")
    assert plain == "value error bad shape +shape\ntool=other"


def test_wordings_of_one_failure_share_a_family():
    said = [expand(f"{line}\ntool=other") for line in ("no such file", "the file does not exist", "could not find it")]
    assert all("+absent" in plain for plain in said)


# what it learns from


def test_a_sample_knows_the_rules_that_speak_on_it(few):
    assert all(example.origin.removeprefix("rule:") in example.rules for example in few)
    assert {example.cause for example in few} == FEW
    assert any(len(example.rules) > 1 for example in few)


def test_end_messages_and_noise_are_no_examples(sources, library):
    others = [source for source in sources if source.says not in ("cause", "hint")]
    assert others
    assert list(rule_examples(others, library)) == []


def test_a_silenced_log_is_unknown_and_names_the_rules(library):
    log = (FIXTURES / "trt86-profile-missing-bert-mask" / "log.txt").read_bytes()
    found = silenced(log, library)
    assert found.incident.causes[0].id == "unknown"
    assert found.rules
    assert all(name.rpartition("#")[0] for name in found.wordings)


def test_a_successful_log_asks_nothing(library):
    assert silenced((FIXTURES / "trt86-ok-resnet-verbose" / "log.txt").read_bytes(), library).incident is None


def test_fixtures_are_examples_where_they_exist(library, tmp_path):
    assert list(fixture_examples(str(tmp_path / "none"), library)) == []
    case = FIXTURES / "trt86-profile-missing-bert-mask"
    shutil.copytree(case, tmp_path / "logs" / case.name)
    (example,) = fixture_examples(str(tmp_path / "logs"), library)
    assert (example.cause, example.origin, example.asked) == ("profile-missing", f"fixture:{case.name}", True)


def test_articles_teach_every_cause_but_the_two_without_one(library):
    taught = {example.cause for example in article_examples(library, str(KB))}
    assert taught == set(library.knowledge.ids()) - {"unknown", "no-failure"}


# honest held-out answers


def test_left_out_answers_are_those_of_a_model_trained_without(few, solved):
    """Training really anew without the rows gives the same answer; nothing leaks."""
    import numpy as np
    from sklearn.linear_model import Ridge

    matrix, texts, rows = solved
    tests = [row for row, example in enumerate(few) if example.asked][::97]
    causes = sorted({example.cause for example in few})
    wanted = np.array([[example.cause == cause for cause in causes] for example in few], dtype=float)
    for left_out in holdout.LEFT_OUT:
        for answer in holdout.answers(rows, few, tests, left_out):
            stay = [row for row in range(len(few)) if row not in rows.akin[left_out][answer.example]]
            anew = Ridge(alpha=RIDGE, fit_intercept=False, solver="cholesky").fit(
                matrix[stay], wanted[stay], sample_weight=[few[row].weight for row in stay]
            )
            score = np.sort(anew.predict(matrix[[answer.example]])[0])
            assert answer.lead == pytest.approx((score[-1] - score[-2]) * length(texts[answer.example]), abs=5e-3)


def test_nothing_akin_stays_in_the_training_rows(few, solved):
    from rapidfuzz import fuzz

    _, texts, rows = solved
    for row in range(0, len(few), 37):
        strict = rows.akin["rule"][row]
        for other in set(range(len(few))) - strict:
            assert not few[row].rules & few[other].rules
            assert fuzz.ratio(texts[row], texts[other]) < holdout.ALIKE
        assert rows.akin["wording"][row] <= strict <= rows.akin["cause"][row]
        assert all(few[other].cause != few[row].cause for other in set(range(len(few))) - rows.akin["cause"][row])


def test_a_reworded_message_may_use_other_wordings_of_its_rule(few, solved):
    _, _, rows = solved
    assert any(rows.akin["wording"][row] < rows.akin["rule"][row] for row in range(len(few)))


def test_figures_count_what_was_said():
    said = [Outcome("a", "x", "x", True), Outcome("b", "x", "y", False), Outcome("c", "y", None, False)]
    figures = count(said, [Outcome("d", "z", "x", False), Outcome("e", "z", None, False)])
    assert (figures.asked, figures.answered, figures.right) == (3, 2, 1)
    assert (figures.precision, figures.coverage) == (0.5, 2 / 3)
    assert (figures.outside_asked, figures.outside_answered) == (2, 1)
    assert figures.causes == {"x": (2, 2, 1), "y": (1, 0, 0)}
    assert figures.precision_with_outside < figures.precision
    assert count([]).precision == 1.0


def test_a_model_that_is_often_wrong_never_speaks(few):
    wrong = [holdout.Answer(row, "other", 0.5 + row / 1e5) for row in range(200)]
    right = [holdout.Answer(row, few[row].cause, 0.5 + row / 1e5) for row in range(200)]
    assert choose_lead(wrong, [], few) == NEVER
    assert choose_lead([*wrong, *right], [], few) == NEVER


def test_the_lead_separates_right_from_wrong(few):
    right = [holdout.Answer(row, few[row].cause, 0.8) for row in range(300)]
    wrong = [holdout.Answer(row, "other", 0.1) for row in range(300)]
    assert 0.1 < choose_lead([*right, *wrong], [], few) <= 0.8


# speaking and keeping silent


def test_it_names_an_unseen_failure_of_a_known_kind(shipped):
    vote = shipped.vote(text("RuntimeError: calibration cache holds no data, the calibrator gave no batch"))
    assert vote.cause == "calibration-failed"
    assert vote.model == shipped.id
    assert "calibra" in vote.why
    assert "%" not in vote.why


@pytest.mark.parametrize("line", END_MESSAGES)
def test_it_says_nothing_where_nothing_is_said(shipped, line):
    assert shipped.vote(text(line)) is None


def test_it_reads_an_incident_like_its_stored_text(shipped, library):
    from triage.diagnose.normal import incident_text

    incident = silenced((FIXTURES / "torch-checkpoint-empty-file" / "log.txt").read_bytes(), library).incident
    assert shipped.vote(incident) == shipped.vote(incident_text(incident))


def test_confirmed_incidents_are_learnt(few, tmp_path):
    said = [f"frobnicator {word} lost its sprocket while gluing layer" for word in ("alpha", "beta", "gamma", "delta")]
    told = [incident_example(str(n), text(line), "model-code-error", "other") for n, line in enumerate(said)]
    model = load_model(save(train([*few, *told], "2026-11-22"), str(tmp_path)))
    assert model.lead_of(text("frobnicator omega lost its sprocket while gluing tensor"))[0] == "model-code-error"


def test_training_twice_gives_the_same_model(few, trained):
    again = train(list(reversed(few)), "2026-11-21T12:00:00+00:00")
    assert again.card == trained.card
    assert abs(again.state["weights"] - trained.state["weights"]).max() == pytest.approx(0, abs=0.006)


def test_one_cause_is_too_few(few):
    with pytest.raises(UsageError, match="two causes"):
        train([example for example in few if example.cause == "plugin-missing"], "2026-11-21")


# the shipped model


def test_the_shipped_model_fits_the_rules(sources, library):
    """Retrain with ``python -m bench.learning --ship`` when a tenth of the rules' samples is new to it."""
    card = read_card(str(SHIPPED))
    assert drift(card, list(rule_examples(sources, library))) <= DRIFT


def test_the_shipped_figures_hold_the_promise(shipped):
    card = read_card(str(SHIPPED))
    assert card.id == shipped.id
    assert card.lead == pytest.approx(shipped.lead)
    assert card.wording.answered >= 50
    assert card.wording.precision >= 0.90
    assert card.wording.outside_answered <= 0.05 * card.wording.outside_asked


def test_the_shipped_model_is_small():
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 1_500_000


def test_drift_is_the_share_of_new_samples(few, trained):
    assert drift(trained.card, few) == 0
    new = [example._replace(text=f"{example.text} new") for example in few[: len(few) // 2]]
    assert drift(trained.card, [*new, *few[len(few) // 2 :]]) > DRIFT
    assert drift(trained.card, []) == 0


# on disk


def test_only_known_types_are_loaded(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from skops.io import dump

    dump({"id": "x", "union": LogisticRegression()}, tmp_path / "model.skops")
    with pytest.raises(InputError, match="LogisticRegression"):
        load_model(str(tmp_path / "model.skops"))


class Evil:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    import pickle

    (tmp_path / "model.skops").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(InputError, match="triage learn"):
        load_model(str(tmp_path / "model.skops"))
    assert not (tmp_path / "ran").exists()


def test_a_function_of_another_module_is_refused(tmp_path, trained):
    path = save(trained, str(tmp_path))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(parts["schema.json"])
    schema["content"]["values"] = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (parts | {"schema.json": json.dumps(schema)}).items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match=r"os\.system"):
        load_model(path)


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_cut_model_is_refused(tmp_path, trained, keep):
    path = save(trained, str(tmp_path))
    with open(path, "r+b") as stream:
        stream.truncate(keep)
    with pytest.raises(InputError, match="cannot be read"):
        load_model(path)


def test_a_model_of_another_version_is_refused(tmp_path, trained):
    old = trained._replace(state={**trained.state, "normal": -1})
    with pytest.raises(InputError, match="another version"):
        load_model(save(old, str(tmp_path)))


def test_a_card_comes_back_as_it_was_written(tmp_path, trained):
    save(trained, str(tmp_path))
    assert read_card(str(tmp_path)) == trained.card
    assert read_card(str(tmp_path / "none")) is None


def mislabelled(examples):
    """The same texts, two thirds of them with the cause of another."""
    causes = sorted(FEW)
    return [
        example._replace(cause=causes[(causes.index(example.cause) + number % 3) % len(causes)])
        for number, example in enumerate(examples)
    ]


def test_a_worse_model_is_installed_only_by_force(tmp_path, few, trained):
    folder = str(tmp_path)
    assert install(trained, few, folder).done
    spoilt = mislabelled(few)
    bad = train(spoilt, "2026-11-22")
    refused = install(bad, few, folder)
    assert not refused.done
    assert "present model" in refused.why
    assert refused.new.asked == refused.old.asked
    assert load_model(f"{folder}/model.skops").id == trained.card.id
    assert install(bad, few, folder, force=True).done
    assert load_model(f"{folder}/model.skops").id == bad.card.id


def test_the_earlier_model_is_kept_and_comes_back(tmp_path, few, trained):
    folder = str(tmp_path)
    with pytest.raises(UsageError, match="no earlier"):
        revert(folder)
    assert install(trained, few, folder).previous is None
    newer = train([*few, incident_example("i", text("sprocket lost"), "plugin-missing", "other")], "2026-11-23")
    done = install(newer, few, folder)
    assert done.done, done.why
    assert os.path.exists(os.path.join(done.previous, "model.skops"))
    assert revert(folder) == trained.card.id == load_model(f"{folder}/model.skops").id
    assert revert(folder) == newer.card.id == load_model(f"{folder}/model.skops").id


def test_an_unreadable_present_model_is_replaced(tmp_path, few, trained):
    (tmp_path / "model.skops").write_bytes(b"broken")
    done = install(trained, few, str(tmp_path))
    assert done.done
    assert done.old is None


def test_a_first_own_model_is_compared_with_the_base(tmp_path, few, trained):
    save(trained, str(tmp_path / "base"))
    assert install(trained, few, str(tmp_path / "own"), base=str(tmp_path / "base")).old is not None


def test_a_key_stands_for_text_and_cause(few):
    assert key_of(few[0]) == key_of(few[0]._replace(origin="rule:other"))
    assert key_of(few[0]) != key_of(few[0]._replace(cause="opset-unsupported", text="x"))


def test_reading_and_storing_texts_loads_nothing_heavy():
    code = (
        "import sys, triage.diagnose.normal, triage.diagnose.classify\n"
        "print([name for name in ('sklearn', 'skops', 'numpy', 'scipy', 'rapidfuzz') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
