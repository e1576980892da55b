"""What the handout, the docstrings and the figures of `kv_cache` say, computed from the reference."""

import math
from dataclasses import replace

import numpy as np
import pytest
import staff_files
import torch
from coursekit.toys import ModelConfig, forward, random_weights, weight_shapes

F64 = torch.float64


@pytest.fixture(scope="module")
def reference():
    return staff_files.reference("kv_cache")


@pytest.fixture(scope="module")
def large():
    """The size that the figure `memory` and Task 9 speak of."""
    return staff_files.figures("kv_cache").LARGE


def counting(tokens):
    """Logits of a model that counts modulo 10."""
    return torch.eye(10, dtype=F64)[(tokens + 1) % 10]


def kept(tokens):
    """Tokens as keys and values, one head and one number each."""
    return (torch.tensor(tokens, dtype=F64)[None, :, None],) * 2


# --- opening -----------------------------------------------------------------------------------


def test_the_thousandth_token_is_a_thousand_times_cheaper_to_feed(reference):
    """ "A cache makes the 1,000th token 1,000 times cheaper to feed." """
    by_cache = [reference.tokens_fed(1, n, cached=True) for n in (999, 1000)]
    without = [reference.tokens_fed(1, n, cached=False) for n in (999, 1000)]

    assert (without[1] - without[0]) / (by_cache[1] - by_cache[0]) == 1000


# --- Tasks 1 to 4 ------------------------------------------------------------------------------


def test_a_model_that_counts(reference):
    """ "Continues 3, 4 with 5, 6, 7 at max_len=3; with eos=5 it says 5 and stops." """
    assert reference.generate_naive(counting, [3, 4], max_len=3) == [3, 4, 5, 6, 7]
    assert reference.generate_naive(counting, [3, 4], max_len=3, eos=5) == [3, 4, 5]


def test_how_often_each_slot_is_copied(reference, monkeypatch):
    """ "1 + 2 + … + 1,000 tokens are copied into 1,000 slots: 500.5 times each." """
    written, cache = [], reference.GrowingCache()
    cat = torch.cat
    monkeypatch.setattr(torch, "cat", lambda *args, **kw: written.append(cat(*args, **kw)) or written[-1])

    for t in range(1000):
        cache.append(*kept([t]))

    tokens = 1 + sum(x.shape[-2] for x in written) / 2  # keys and values; the first token is not copied by cat
    assert tokens / 1000 == 500.5


def test_truncated_and_continued(reference):
    """ "Append 3, 1 and 2 tokens, truncate to 2, append one: it holds tokens 0, 1 and the new one." """
    cache = reference.LayerCache(6)
    for tokens in ([0, 1, 2], [3], [4, 5]):
        cache.append(*kept(tokens))

    cache.truncate(2)
    keys, _ = cache.append(*kept([9]))

    assert keys.flatten().tolist() == [0, 1, 9]


@pytest.mark.parametrize(
    ("options", "drawn"),
    [({}, "●●●●· ●●●●●"), ({"window": 2}, "··●●· ···●●"), ({"padding": torch.tensor([1])}, "·●●●· ·●●●●")],
    ids=["causal", "window", "padding"],
)
def test_masks_as_drawn(reference, options, drawn):
    """The table of Task 3: two queries, five keys."""
    seen = reference.visible_keys(2, 5, **options).reshape(2, 5).tolist()

    assert " ".join("".join("●" if key else "·" for key in row) for row in seen) == drawn


def test_five_keys_are_missed_with_the_corner_at_the_top_left(reference):
    """ "The last five keys it may see, its own included", with 3 queries and 8 keys."""
    right, wrong = reference.visible_keys(3, 8), torch.ones(3, 8, dtype=torch.bool).tril()

    assert [(a & ~b).sum().item() for a, b in zip(right, wrong, strict=True)] == [5, 5, 5]
    assert [(a & ~b).nonzero().flatten().tolist()[-1] for a, b in zip(right, wrong, strict=True)] == [5, 6, 7]


# --- Task 5 ------------------------------------------------------------------------------------


def test_left_padding_is_free(reference):
    """ "About 10⁻¹⁵: none", also beside the model without a cache."""
    config, row = ModelConfig(), torch.tensor([3, 1, 4])
    weights = random_weights(config, np.random.default_rng(0))
    padded = torch.cat([torch.zeros(5, dtype=torch.int64), row])[None]

    caches = reference.new_caches(config)
    beside = reference.cached_forward(config, weights, padded, caches, padding=torch.tensor([5]))
    alone = reference.cached_forward(config, weights, row, reference.new_caches(config))

    assert (beside[0, 5:] - alone).abs().max() < 1e-14
    assert (alone - forward(config, weights, row)).abs().max() < 1e-14


def test_pieces_equal_the_whole(reference):
    """ "Logits in pieces equal those of the whole to 10⁻¹⁵." """
    config = ModelConfig()
    weights = random_weights(config, np.random.default_rng(0))
    tokens, caches = torch.arange(20) % config.vocab_size, reference.new_caches(config)

    pieces = [reference.cached_forward(config, weights, x, caches) for x in tokens.split([7, 1, 5, 7])]

    assert (torch.cat(pieces) - forward(config, weights, tokens)).abs().max() < 1e-14


# --- Tasks 6 and 7 -----------------------------------------------------------------------------


def test_a_draft_by_hand(reference):
    """ "Of the draft 4, 5, 9 it accepts two and says 6, and 3, 4, 5 stay in the caches": three tokens more."""
    cache = reference.GrowingCache()
    cache.append(*kept([1, 2]))

    def step(tokens):
        cache.append(*kept(tokens.tolist()))
        return counting(tokens)

    assert reference.accept_draft(step, [cache], 3, [4, 5, 9]) == [4, 5, 6]
    assert cache.keys.flatten().tolist() == [1, 2, 3, 4, 5]


def test_tokens_won_per_draft(reference):
    """ "1 + 0.7 + 0.49 + 0.343 + 0.2401 = 2.77", summed over which of four guesses are right."""
    mean = 0.0
    for right in range(16):
        draft = [4 + i if right >> i & 1 else 0 for i in range(4)]
        probability = math.prod(0.7 if right >> i & 1 else 0.3 for i in range(4))
        mean += probability * len(reference.accept_draft(counting, [Free()], 3, draft))

    assert round(mean, 2) == 2.77 and round(sum(0.7**i for i in range(5)), 2) == 2.77


class Free:
    """A cache that holds nothing and can forget anything."""

    def __len__(self):
        return 0

    def truncate(self, length):
        pass


def test_a_batch_by_hand(reference):
    """ "eos=7 turns [5] and [1, 2, 3] into [5, 6, 7] and [1, 2, …, 6, 7]." """
    rows = reference.generate_batch(lambda tokens, _: counting(tokens), [[5], [1, 2, 3]], max_len=9, eos=7)

    assert rows == [[5, 6, 7], [1, 2, 3, 4, 5, 6, 7]]


# --- Task 8 ------------------------------------------------------------------------------------


def test_window_by_hand(reference):
    """ "w = 2, tokens 0 … 4 arriving as 1, 3 and 1: [0], [0 1 2 3], [2 3 4]." """
    cache = reference.WindowCache(2)

    returned = [cache.append(*kept(tokens))[0].flatten().tolist() for tokens in ([0], [1, 2, 3], [4])]

    assert returned == [[0], [0, 1, 2, 3], [2, 3, 4]]


@pytest.mark.parametrize(("window", "reaches"), [(1, [0, 0, 0]), (4, [3, 6, 9]), (8, [7, 14, 21])])
def test_how_far_back_a_window_reaches(reference, window, reaches):
    """ "0 for w = 1; 3, 6, 9 for w = 4; 7, 14, 21 for w = 8." """
    n_tokens = 26
    for n_layers, reach in enumerate(reaches, start=1):
        config = ModelConfig(n_layers=n_layers)
        weights = random_weights(config, np.random.default_rng(0))
        # A row without a change, and one for each token that is changed.
        rows = torch.cat([torch.zeros(1, n_tokens), torch.eye(n_tokens)]).long()

        caches = [reference.WindowCache(window) for _ in range(n_layers)]
        last = reference.cached_forward(config, weights, rows, caches, window=window)[:, -1]

        changed = ((last[1:] - last[0]).abs().amax(-1) > 1e-9).nonzero().flatten()
        assert n_tokens - 1 - int(changed.min()) == reach


# --- Task 9 ------------------------------------------------------------------------------------


def test_costs_by_hand(reference):
    """ "10 tokens in 960 bytes of bfloat16 … 9 tokens fed and 19 scores without a cache, 4 and 10 with one." """
    config = ModelConfig(n_layers=3, n_heads=4, n_kv_heads=2, d_k=4)

    assert reference.cache_bytes(config, 10) == 960
    for cached, costs in ((False, (9, 19)), (True, (4, 10))):
        assert tuple(f(2, 3, cached=cached) for f in (reference.tokens_fed, reference.attention_scores)) == costs


def test_what_a_thousand_tokens_save(reference):
    """ "500.5 times fewer tokens and 334 times fewer scores"; generation feeds what the counts say."""
    fed = {True: 0, False: 0}

    def counted(cached):
        def model(tokens):
            fed[cached] += len(tokens)
            return counting(tokens)

        return model

    reference.generate_naive(counted(False), [1], max_len=1000)
    reference.generate_cached(counted(True), [1], max_len=1000)
    scores = [reference.attention_scores(1, 1000, cached=cached) for cached in (False, True)]

    assert fed[False] / fed[True] == 500.5
    assert scores[0] / scores[1] == 334
    assert all(reference.tokens_fed(1, 1000, cached=cached) == n for cached, n in fed.items())


def test_when_the_cache_outweighs_the_weights(reference, large):
    """ "6.2 billion weights … 12.3 GB … 94,000 tokens … (23,500 …). A window of 4,096 stays at 0.54 GB." """
    n_weights = sum(math.prod(shape) for shape in weight_shapes(large).values())
    per_token = [reference.cache_bytes(config, 1) for config in (large, replace(large, n_kv_heads=large.n_heads))]

    assert (large.n_layers, large.n_kv_heads, large.d_k) == (32, 8, 128)
    assert round(n_weights / 1e9, 1) == 6.2 and round(2 * n_weights / 1e9, 1) == 12.3
    assert [round(2 * n_weights / n, -2) for n in per_token] == [94_000, 23_500]
    assert round(reference.cache_bytes(large, 10**6, window=4096) / 1e9, 2) == 0.54
