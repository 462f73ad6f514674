"""Clusters of messages that nobody could name: alike ones together, the most promising first."""

import random

from hypothesis import given
from hypothesis import strategies as st

from triage.diagnose.cluster import Unknown, clusters, label_of

LOADING = "<path>: the adapter weights of <name> were rejected by the merge step at layer {}"
SENDING = "worker lost its heartbeat while the shard {} was being sent to peers"


def unknown(key, template, *, tool="other", seen=1, sources=(), last="2026-01-01"):
    return Unknown(key, tool, template, template, seen, last, sources)


def test_near_templates_make_one_cluster_and_others_stay_apart():
    items = [unknown(f"a{n}", LOADING.format(w)) for n, w in enumerate(("embedding", "norm", "head"))]
    items += [unknown(f"b{n}", SENDING.format(w)) for n, w in enumerate(("left", "right"))]
    found = clusters(items)
    assert [sorted(member.key for member in c.members) for c in found] == [["a0", "a1", "a2"], ["b0", "b1"]]
    assert found[0].label == "<path>: the adapter weights of <name> were rejected by the merge step at layer …"
    assert found[1].label == "worker lost its heartbeat while the shard … was being sent to peers"


def test_what_one_rule_would_be_worth_decides_the_order():
    often = unknown("often", LOADING.format("norm"), seen=30, sources=("model-a",))
    spread = unknown(
        "spread", SENDING.format("left"), seen=20, sources=("model-a", "model-b", "model-c"), last="2026-03-01"
    )
    first, second = clusters([often, spread])
    assert (first.members[0].key, first.incidents, first.total, first.spread, first.promise) == (
        "spread",
        20,
        50,
        3,
        60,
    )
    assert (second.promise, first.last_seen) == (30, "2026-03-01")


def test_tools_are_kept_apart():
    same = SENDING.format("left")
    assert len(clusters([unknown("1", same, tool="vllm"), unknown("2", same, tool="triton")])) == 2


def test_nothing_gives_nothing():
    assert clusters([]) == ()


WORDS = ("kernel", "adapter", "shard", "worker", "refused", "lost", "while", "<path>", "<number>", "merging", "peers")
TEMPLATES = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join), max_size=25)


@given(TEMPLATES, st.randoms(use_true_random=False))
def test_every_item_is_in_one_cluster_whatever_the_order(templates, rng):
    items = [unknown(str(n), template, seen=n % 4 + 1) for n, template in enumerate(templates)]
    found = clusters(items)
    assert sorted(member.key for c in found for member in c.members) == sorted(item.key for item in items)
    assert sum(c.incidents for c in found) == sum(item.incidents for item in items)
    shuffled = list(items)
    rng.shuffle(shuffled)
    assert clusters(shuffled) == found


@given(TEMPLATES.filter(bool))
def test_a_label_holds_only_words_that_all_share(templates):
    fixed = [word for word in label_of(templates).split() if word != "…"]
    assert all(set(fixed) <= set(template.split()) for template in templates[:12])


def test_many_distinct_templates_are_not_compared_with_each_other():
    rng = random.Random(4)  # noqa: S311 - the same words in every run
    words = ["".join(rng.choices("abcdefghijklmnop", k=7)) for _ in range(400)]
    items = [unknown(str(n), " ".join(rng.choices(words, k=10))) for n in range(2000)]
    twins = [unknown(f"t{n}", f"{item.template} again") for n, item in enumerate(items[:50])]
    found = clusters([*items, *twins])
    together = {frozenset(member.key for member in c.members) for c in found if c.size > 1}
    assert {frozenset({str(n), f"t{n}"}) for n in range(50)} <= together
