"""Graded checks of the key/value cache assignment.

Tasks don't wait for each other: the layer and the model are given parts of the reference (`attend`, `layer`)
and the `GrowingCache` of the stub; generation is given a `step` made here, which counts what it is fed.
Inputs are float64 unless a check is about another dtype.
"""

import itertools

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.toys import ModelConfig, forward, random_weights

F64 = torch.float64
V = 40  # large enough that a generated token rarely comes twice


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def random_tokens(rng, *shape, vocab_size=V):
    """Token ids, int64."""
    return torch.from_numpy(rng.integers(0, vocab_size, size=shape))


def prompt_of(rng, length):
    """A prompt as a list of ids."""
    return rng.integers(0, V, size=length).tolist()


def hashed_logits(table, tokens, padding=None):
    """A stand-in for a language model: the logits at a position are a random function of all tokens so far.

    Args:
        table: Shape (P, V).
        tokens: Shape (..., T).
        padding: Shape (B,): slots in front that don't count.
    """
    real = torch.ones_like(tokens)
    if padding is not None:
        real = (torch.arange(tokens.shape[-1]) >= padding[:, None]).long()
    position = real.cumsum(-1)
    return table[((tokens + 1) * position * real).cumsum(-1) % len(table)]


def remembering_step(table, fed):
    """A `step` that keeps the tokens it was fed, and writes them down in `fed`."""
    history = []

    def step(tokens, padding=None):
        fed.append([tokens] if padding is None else [tokens, padding])
        history.append(tokens)
        return hashed_logits(table, torch.cat(history, -1), padding)[..., -tokens.shape[-1] :, :]

    return step


def greedy(table, prompt, n):
    """The n tokens that the stand-in model says after a prompt."""
    tokens = list(prompt)
    for _ in range(n):
        tokens.append(int(hashed_logits(table, torch.tensor(tokens))[-1].argmax()))
    return tokens[len(prompt) :]


def an_eos(rng, generated, where):
    """An end of sequence for a check: None, or a token that is generated first, or later and not before."""
    if where == "first":
        return generated[0]
    if where == "later":
        fresh = [i for i in range(1, len(generated)) if generated[i] not in generated[:i]]
        # All alike is next to impossible, and then there is no later one to choose.
        return generated[fresh[int(rng.integers(len(fresh)))] if fresh else 0]
    return None


def cut(x, lengths, dim=-2):
    """A tensor in pieces of the given lengths."""
    return list(x.split(list(lengths), dim=dim))


def filled_with_nan(log):
    """An `allocate` whose memory poisons whoever reads what was never written; writes down what was asked
    for."""

    def allocate(*shape, dtype, device=None):
        shape = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
        memory = torch.full(shape, float("nan"), dtype=dtype)
        log.append(memory.numel())
        return memory

    return allocate


# --- Task 1: generation that reads everything again --------------------------------------------


def naive_run(impl, table, prompt, max_len, eos):
    """The tokens, and the lengths of what the model was fed."""
    fed = []

    def model(tokens):
        fed.append(len(tokens))
        return hashed_logits(table, tokens)

    return impl.generate_naive(model, prompt, max_len=max_len, eos=eos), fed


@number("1.1")
@weight(3)
@tags("naive")
@pytest.mark.parametrize(("n_prompt", "max_len"), [(1, 6), (5, 3), (3, 8), (4, 1), (4, 0)])
def test_naive_generation_runs_the_model_once_per_new_token(agree, rng, torch_rng, n_prompt, max_len):
    """After a prompt of any length, exactly max_len tokens follow, and the model reads all tokens for
    each."""
    table = normal(torch_rng, 997, V)

    tokens, fed = agree(naive_run, table, prompt_of(rng, n_prompt), max_len, None)

    assert len(tokens) == n_prompt + max_len
    assert sum(fed) == max_len * n_prompt + max_len * (max_len - 1) // 2


@number("1.2")
@weight(3)
@tags("naive")
@pytest.mark.parametrize("where", ["first", "later", "in the prompt"])
def test_naive_generation_ends_with_the_first_generated_eos(agree, rng, torch_rng, where):
    """The first generated eos is kept and ends it, be it the very first token; one in the prompt ends
    nothing."""
    table, prompt = normal(torch_rng, 997, V), prompt_of(rng, 4)
    eos = prompt[-1] if where == "in the prompt" else an_eos(rng, greedy(table, prompt, 8), where)

    agree(naive_run, table, prompt, 8, eos)


# --- Task 2: the cache of one layer ------------------------------------------------------------


def after_each_append(impl, pieces_k, pieces_v, capacity):
    """What each append returns, and the length after it."""
    cache = impl.LayerCache(capacity)
    return [(*cache.append(k, v), len(cache)) for k, v in zip(pieces_k, pieces_v, strict=True)]


@number("2.1")
@weight(3)
@tags("cache")
@pytest.mark.parametrize(
    ("lead", "lengths", "dtype"),
    [
        pytest.param((), (1, 1, 1, 1), F64, id="one by one"),
        pytest.param((2,), (4, 1, 2), F64, id="prompt then tokens"),
        pytest.param((2,), (2, 0, 3), torch.float32, id="nothing new"),
        pytest.param((3, 2), (5, 5), torch.bfloat16, id="bfloat16 filled to the brim"),
    ],
)
def test_append_returns_all_tokens_oldest_first(agree, torch_rng, lead, lengths, dtype):
    """Every append returns the keys and the values of all tokens held, in order, in the dtype they came
    in."""
    n = sum(lengths)
    k, v = (normal(torch_rng, *lead, 3, n, 4, dtype=dtype) for _ in range(2))

    outputs = agree(after_each_append, cut(k, lengths), cut(v, lengths), 10)

    assert_close(outputs[-1][0], k, name="keys")
    assert_close(outputs[-1][1], v, name="values")


def counted_life(impl, k, v, capacity):
    """A long life of one cache: the numbers it asked for, how often before the first append, and what it
    held."""
    log = []
    cache = impl.LayerCache(capacity, allocate=filled_with_nan(log))
    early, seen = len(log), []
    for t in range(capacity):
        seen.append(cache.append(k[..., t : t + 1, :], v[..., t : t + 1, :]))
    cache.truncate(capacity // 2)
    seen.append(cache.append(k[..., :2, :], v[..., :2, :]))
    cache.reset()
    seen.append(cache.append(k[..., 3:4, :], v[..., 3:4, :]))
    return sum(log), early, seen


@number("2.2")
@weight(3)
@tags("cache")
@pytest.mark.parametrize("capacity", [3, 8])
def test_memory_is_allocated_once(agree, torch_rng, capacity):
    """However many tokens come and go, the cache asks for room for `capacity` tokens, keys and values,
    once."""
    k, v = normal(torch_rng, 2, 3, capacity + 4, 4), normal(torch_rng, 2, 3, capacity + 4, 4)

    total, _, _ = agree(counted_life, k, v, capacity)

    assert total == 2 * 2 * 3 * capacity * 4


def reset_and_go_on(impl, first, second):
    """Lengths and contents around a reset; `first` and `second` are pairs of keys and values."""
    cache = impl.LayerCache(8)
    cache.append(*first)
    cache.reset()
    empty = len(cache)
    return empty, cache.append(*second), len(cache)


@number("2.3")
@weight(2)
@tags("cache")
@pytest.mark.parametrize("second", [1, 3, 8])
def test_reset_forgets_every_token(agree, torch_rng, second):
    """After a reset the cache is empty, its whole capacity is free, and nothing of the old tokens comes
    back."""
    old, new = ([normal(torch_rng, 2, 3, n, 4) for _ in range(2)] for n in (5, second))

    empty, (keys, _), _ = agree(reset_and_go_on, old, new)

    assert empty == 0
    assert_close(keys, new[0], name="keys after a reset")


def truncate_and_go_on(impl, first, second, length):
    """Lengths and contents around a truncation."""
    cache = impl.LayerCache(9)
    cache.append(*first)
    cache.truncate(length)
    kept = len(cache)
    return kept, cache.append(*second), len(cache)


@number("2.4")
@weight(3)
@tags("cache")
@pytest.mark.parametrize("length", [0, 2, 5, 6])
def test_truncate_keeps_the_first_tokens(agree, torch_rng, length):
    """Truncating to n keeps the n oldest tokens, from none to all; what is appended next stands behind
    them."""
    old, new = ([normal(torch_rng, 2, 3, n, 4) for _ in range(2)] for n in (6, 2))

    kept, (keys, values), _ = agree(truncate_and_go_on, old, new, length)

    assert kept == length
    assert_close(keys, torch.cat([old[0][..., :length, :], new[0]], -2), name="keys after a truncation")
    assert_close(values, torch.cat([old[1][..., :length, :], new[1]], -2), name="values after a truncation")


def two_answers(impl, prompt, one, other, kept):
    """A cache and its copy, each continued in its own way; then what both hold."""
    nothing = [x[..., :0, :] for x in one]
    cache = impl.LayerCache(9)
    cache.append(*prompt)
    cache.truncate(kept)
    copied = cache.copy()
    cache.append(*one)
    copied.append(*other)
    held = cache.append(*nothing), copied.append(*nothing)
    cache.reset()
    return held, len(cache), len(copied), copied.append(*nothing), len(impl.LayerCache(4).copy())


@number("2.5")
@weight(2)
@tags("cache")
@pytest.mark.parametrize("kept", [4, 2], ids=["whole", "truncated"])
def test_copies_go_their_own_ways(agree, torch_rng, kept):
    """What is done to a cache never shows in its copy, nor the other way round."""
    prompt, one, other = ([normal(torch_rng, 2, 3, n, 4) for _ in range(2)] for n in (4, 2, 3))

    agree(two_answers, prompt, one, other, kept)


# --- Task 3: who sees whom ---------------------------------------------------------------------


@number("3.1")
@weight(3)
@tags("visible")
@pytest.mark.parametrize(("n_queries", "n_keys"), [(1, 1), (4, 4), (1, 6), (3, 7), (2, 3)])
def test_the_last_query_is_the_last_key(agree, n_queries, n_keys):
    """Each query sees its own slot and all before it; the queries are the newest of the keys."""
    agree("visible_keys", n_queries, n_keys)


@number("3.2")
@weight(3)
@tags("visible")
@pytest.mark.parametrize("window", [1, 2, 4, 50])
@pytest.mark.parametrize(("n_queries", "n_keys"), [(6, 6), (3, 7), (1, 5)])
def test_a_window_counts_the_query_itself(agree, n_queries, n_keys, window):
    """With a window of w, a query sees itself and the w - 1 slots before it, and no more."""
    seen = agree("visible_keys", n_queries, n_keys, window=window)

    assert int(seen[-1].sum()) == min(window, n_keys)


@number("3.3")
@weight(2)
@tags("visible")
@pytest.mark.parametrize(("n_queries", "window"), [(6, None), (2, None), (6, 3), (1, 4)])
def test_padding_stands_in_front_and_is_not_seen(agree, rng, n_queries, window):
    """Row by row, the first slots are padding; nobody sees them, and padding sees nothing."""
    padding = torch.from_numpy(rng.permutation([0, 1, 4]))

    seen = agree("visible_keys", n_queries, 6, window=window, padding=padding)

    assert_close(seen.shape, (3, 1, n_queries, 6), name="shape")


# --- Task 4: fewer key heads than query heads --------------------------------------------------


@number("4.1")
@weight(3)
@tags("grouped")
@pytest.mark.parametrize(
    ("lead", "h", "h_kv", "dtype"),
    [
        pytest.param((2,), 4, 4, F64, id="multi-head"),
        pytest.param((), 4, 2, F64, id="two groups of two"),
        pytest.param((2,), 6, 2, F64, id="two groups of three"),
        pytest.param((2,), 6, 3, F64, id="three groups of two"),
        pytest.param((2, 3), 4, 1, F64, id="multi-query"),
        pytest.param((2,), 4, 2, torch.float32, id="float32"),
    ],
)
def test_neighbouring_query_heads_share_a_key_head(agree, reference, torch_rng, lead, h, h_kv, dtype):
    """Query head i attends with key and value head i // (h / h_kv), scaled by the width of one head."""
    q = normal(torch_rng, *lead, h, 3, 4, dtype=dtype)
    k, v = (normal(torch_rng, *lead, h_kv, 5, 4, dtype=dtype) for _ in range(2))

    agree("grouped_attention", q, k, v, reference.visible_keys(3, 5))


@number("4.2")
@weight(2)
@tags("grouped")
def test_a_query_that_sees_nothing_gets_zeros(agree, reference, torch_rng):
    """Where nothing may be seen the output is zero, not NaN; large scores do no harm."""
    q = 100 * normal(torch_rng, 3, 4, 5, 4)
    k, v = normal(torch_rng, 3, 2, 5, 4), normal(torch_rng, 3, 2, 5, 4)
    visible = reference.visible_keys(5, 5, padding=torch.tensor([0, 2, 4]))

    out = agree("grouped_attention", q, k, v, visible)

    assert_close(out[2, :, :4], torch.zeros(4, 4, 4, dtype=F64), name="output at padding")


@number("4.3")
@weight(2)
@tags("grouped")
@pytest.mark.parametrize("j", [0, 1, 2])
def test_a_key_head_reaches_its_own_group_only(agree, reference, torch_rng, j):
    """What changes in one key and value head changes the outputs of its own query heads and no others."""
    q = normal(torch_rng, 6, 3, 4)
    k, v = normal(torch_rng, 3, 5, 4), normal(torch_rng, 3, 5, 4)
    visible = reference.visible_keys(3, 5)
    changed_k, changed_v = k.clone(), v.clone()
    changed_k[j] += normal(torch_rng, 5, 4)
    changed_v[j] += normal(torch_rng, 5, 4)

    before = agree("grouped_attention", q, k, v, visible)
    after = agree("grouped_attention", q, changed_k, changed_v, visible)

    others = [i for i in range(6) if i // 2 != j]
    assert_close(after[others], before[others], name="outputs of the other groups")


# --- Task 5: one layer with a cache ------------------------------------------------------------

SPLITS = [
    pytest.param((6,), id="all at once"),
    pytest.param((1, 1, 1, 1, 1, 1), id="one by one"),
    pytest.param((4, 1, 1), id="prompt then tokens"),
    pytest.param((2, 3, 1), id="chunks"),
]
SIZE = ModelConfig(vocab_size=V, n_layers=3, n_heads=4, n_kv_heads=2, d_model=10, d_k=4)


def block_of(reference, rng, config):
    """The weights of a random block."""
    return reference.block_weights(random_weights(config, rng), 0)


def layer_run(impl, config, weights, pieces, attend, padding=None, window=None):
    """A layer's output for each piece, what its cache holds, and how often it attended."""
    calls = []

    def counted(q, k, v, **options):
        calls.append(q.shape)
        return attend(q, k, v, **options)

    cache = impl.GrowingCache()
    options = {"padding": padding, "window": window, "attend": counted}
    outputs = [impl.cached_attention(config, weights, x, cache, **options) for x in pieces]
    return torch.cat(outputs, -2), cache.keys, cache.values, calls


@number("5.1")
@weight(4)
@tags("layer")
@pytest.mark.parametrize("lengths", SPLITS)
@pytest.mark.parametrize("lead", [(), (2,)], ids=["one sequence", "batch"])
def test_the_layer_does_not_depend_on_the_split(agree, reference, rng, torch_rng, lead, lengths):
    """A layer fed in pieces gives what it gives when it is fed everything at once."""
    weights, x = block_of(reference, rng, SIZE), normal(torch_rng, *lead, 6, 10)
    whole, *_ = layer_run(reference, SIZE, weights, [x], reference.causal_attention)

    pieces, *_ = agree(layer_run, SIZE, weights, cut(x, lengths), reference.causal_attention)

    assert_close(pieces, whole, name="output in pieces")


@number("5.2")
@weight(3)
@tags("layer")
@pytest.mark.parametrize(
    "config",
    [
        pytest.param(SIZE, id="grouped"),
        pytest.param(ModelConfig(n_heads=3, n_kv_heads=3, d_k=6), id="multi-head"),
    ],
)
def test_the_cache_holds_rotated_keys_and_plain_values(agree, reference, rng, torch_rng, config):
    """Token i after n others is rotated by position n + i, once and for good; values carry no position."""
    weights, x = block_of(reference, rng, config), normal(torch_rng, 2, 5, config.d_model)

    agree(layer_run, config, weights, cut(x, (2, 1, 2)), reference.causal_attention)


@number("5.3")
@weight(3)
@tags("layer")
@pytest.mark.parametrize("window", [None, 2], ids=["no window", "window"])
@pytest.mark.parametrize("lengths", SPLITS[:3])
def test_the_layer_passes_padding_and_window_on(agree, reference, rng, torch_rng, lengths, window):
    """Padding is hidden in every row, and the window holds, in the prompt and in each later token."""
    weights, x = block_of(reference, rng, SIZE), normal(torch_rng, 3, 6, 10)
    padding = torch.from_numpy(rng.permutation([0, 1, 3]))

    agree(layer_run, SIZE, weights, cut(x, lengths), reference.causal_attention, padding, window)


# --- Task 6: the whole model -------------------------------------------------------------------


def model_run(impl, config, weights, pieces, layer, padding=None, window=None):
    """The logits of all pieces, from a model that keeps its caches between them."""
    caches = [impl.GrowingCache() for _ in range(config.n_layers)]
    options = {"padding": padding, "window": window, "layer": layer}
    return torch.cat([impl.cached_forward(config, weights, x, caches, **options) for x in pieces], -2)


@number("6.1")
@weight(3)
@tags("model")
@pytest.mark.parametrize("lengths", SPLITS)
def test_cached_logits_are_the_uncached_ones(agree, reference, rng, lengths):
    """At every position and for any split, the logits are those of a full pass without a cache."""
    weights, tokens = random_weights(SIZE, rng), random_tokens(rng, 2, 6)

    logits = agree(model_run, SIZE, weights, cut(tokens, lengths, -1), reference.cached_attention)

    assert_close(logits, forward(SIZE, weights, tokens), name="logits")


@number("6.2")
@weight(2)
@tags("model")
@pytest.mark.parametrize("window", [None, 3], ids=["no window", "window"])
def test_every_block_gets_padding_and_window(agree, reference, rng, window):
    """Rows of different lengths, padded in front, get the logits that each would get alone."""
    weights, tokens = random_weights(SIZE, rng), random_tokens(rng, 3, 6)
    padding = torch.from_numpy(rng.permutation([0, 1, 3]))
    valid = torch.arange(6) >= padding[:, None]

    pieces = cut(tokens, (4, 1, 1), -1)
    logits = agree(model_run, SIZE, weights, pieces, reference.cached_attention, padding, window)

    if window is None:
        alone = forward(SIZE, weights, tokens, valid=valid)
        assert_close(logits[valid], alone[valid], name="logits of real tokens")


def caches_of(impl, config, capacity, k):
    """How many tokens each cache holds after the first was appended to, and the capacities asked for."""
    asked = []

    def make(n):
        asked.append(n)
        return impl.GrowingCache()

    caches = impl.new_caches(config, capacity=capacity, make=make)
    caches[0].append(k, k)
    return [len(cache) for cache in caches], asked


@number("6.3")
@weight(1)
@tags("model")
@pytest.mark.parametrize("capacity", [None, 12])
def test_every_layer_has_a_cache_of_its_own(agree, torch_rng, capacity):
    """There are as many caches as layers, of the capacity asked for, and a token in one is in no other."""
    agree(caches_of, SIZE, capacity, normal(torch_rng, 2, 1, 4))


def prefill_run(impl, table, prompt, chunk_size):
    """The logits, and what was fed."""
    fed = []
    return impl.prefill(remembering_step(table, fed), prompt, chunk_size=chunk_size), fed


@number("6.4")
@weight(2)
@tags("model")
@pytest.mark.parametrize("chunk_size", [1, 3, 4, 8, 100])
def test_prefill_feeds_the_prompt_once_in_chunks(agree, rng, torch_rng, chunk_size):
    """Chunks of one size, the last one shorter if need be, make up the prompt; its last logits are
    returned."""
    table, prompt = normal(torch_rng, 997, V), random_tokens(rng, *([] if chunk_size == 3 else [2]), 8)

    logits, fed = agree(prefill_run, table, prompt, chunk_size)

    assert_close(torch.cat([tokens for tokens, in fed], -1), prompt, name="what was fed")
    assert_close(logits, hashed_logits(table, prompt)[..., -1, :], name="logits after the prompt")


def life_of_a_model(impl, config, weights, tokens, draft):
    """All the student's parts: prompt, a draft that is taken back, the rest, a reset and everything again."""
    caches = impl.new_caches(config, capacity=9)
    seen = [impl.cached_forward(config, weights, tokens[..., :3], caches)]
    impl.cached_forward(config, weights, draft, caches)
    for cache in caches:
        cache.truncate(3)
    seen += [impl.cached_forward(config, weights, tokens[..., t : t + 1], caches) for t in range(3, 6)]
    for cache in caches:
        cache.reset()
    return torch.cat(seen, -2), impl.cached_forward(config, weights, tokens, caches)


@number("6.5")
@weight(2)
@tags("model")
def test_truncate_and_reset_leave_no_trace(agree, rng):
    """With all parts your own: after a draft was taken back, and after a reset, the logits are the
    uncached ones."""
    weights, tokens, draft = random_weights(SIZE, rng), random_tokens(rng, 2, 6), random_tokens(rng, 2, 4)

    went_back, again = agree(life_of_a_model, SIZE, weights, tokens, draft)

    want = forward(SIZE, weights, tokens)
    assert_close(went_back, want, name="logits around a draft")
    assert_close(again, want, name="logits after a reset")


# --- Task 7: generation with a cache, and in batches -------------------------------------------


def cached_run(impl, table, prompt, max_len, eos):
    """The tokens, and everything that was fed."""
    fed = []
    return impl.generate_cached(remembering_step(table, fed), prompt, max_len=max_len, eos=eos), fed


@number("7.1")
@weight(2)
@tags("generate")
@pytest.mark.parametrize(("n_prompt", "max_len"), [(1, 6), (5, 4), (3, 1), (3, 0)])
def test_each_token_is_fed_at_most_once(agree, reference, rng, torch_rng, n_prompt, max_len):
    """The tokens are those of naive generation, and all but the last are fed exactly once, in order."""
    table, prompt = normal(torch_rng, 997, V), prompt_of(rng, n_prompt)

    tokens, fed = agree(cached_run, table, prompt, max_len, None)

    assert tokens == reference.generate_naive(lambda x: hashed_logits(table, x), prompt, max_len=max_len)
    assert sum(len(piece) for piece, in fed) == (n_prompt + max_len - 1 if max_len else 0)


@number("7.2")
@weight(2)
@tags("generate")
@pytest.mark.parametrize("where", ["first", "later", "in the prompt"])
def test_eos_ends_cached_generation_wherever_it_comes(agree, rng, torch_rng, where):
    """The first generated eos is kept and ends it, also when it comes right after the prompt."""
    table, prompt = normal(torch_rng, 997, V), prompt_of(rng, 4)
    eos = prompt[0] if where == "in the prompt" else an_eos(rng, greedy(table, prompt, 8), where)

    agree(cached_run, table, prompt, 8, eos)


@number("7.3")
@weight(1)
@tags("generate")
@pytest.mark.parametrize("lengths", [(3, 1, 5), (2, 2), (4,)])
def test_padding_goes_in_front(agree, rng, lengths):
    """All prompts end in the last column, and the padding says how many slots of each row are filler."""
    prompts = [prompt_of(rng, n) for n in lengths]

    agree("left_pad", prompts, pad=int(rng.integers(V)))


def batch_run(impl, table, prompts, max_len, eos, pad):
    """The rows, and everything that was fed, with its padding."""
    fed = []
    return impl.generate_batch(remembering_step(table, fed), prompts, max_len=max_len, eos=eos, pad=pad), fed


@number("7.4")
@weight(3)
@tags("generate")
@pytest.mark.parametrize("max_len", [0, 1, 5])
@pytest.mark.parametrize("with_eos", [False, True], ids=["no eos", "eos"])
def test_a_batch_is_its_members_alone(agree, reference, rng, torch_rng, with_eos, max_len):
    """Each row is what its prompt gives alone, with padding hidden in the prompt and in every later step."""
    table, prompts = normal(torch_rng, 997, V), [prompt_of(rng, n) for n in rng.permutation([2, 5, 3])]
    eos = an_eos(rng, greedy(table, prompts[1], 5), "later") if with_eos else None

    rows, _ = agree(batch_run, table, prompts, max_len, eos, int(rng.integers(V)))

    for row, prompt in zip(rows, prompts, strict=True):
        assert row == reference.generate_cached(remembering_step(table, []), prompt, max_len=max_len, eos=eos)


def scripted_run(impl, script, prompts, max_len, eos, pad):
    """The rows and what was fed, where row b says script[b][i] in call i."""
    fed = []

    def step(tokens, padding):
        fed.append([tokens, padding])
        logits = torch.zeros(*tokens.shape, V, dtype=F64)
        for row, said in enumerate(script):
            logits[row, -1, said[min(len(fed), len(said)) - 1]] = 1.0
        return logits

    return impl.generate_batch(step, prompts, max_len=max_len, eos=eos, pad=pad), fed


@number("7.5")
@weight(3)
@tags("generate")
@pytest.mark.parametrize("ends", [(0, 4, 2), (3, 1, 1), (0, 0, 0), (2, 9, 9)], ids=str)
def test_a_row_ends_alone_and_the_batch_with_the_last(agree, rng, ends):
    """A row that ended is fed padding and gets nothing more; the others go on; nothing is fed once all
    ended."""
    eos, pad, *others = (int(t) for t in rng.permutation(V))
    script = [[others[(7 * row + i) % len(others)] for i in range(12)] for row in range(3)]
    for said, end in zip(script, ends, strict=True):
        said[end] = eos
    prompts = [prompt_of(rng, n) for n in (2, 1, 3)]

    rows, fed = agree(scripted_run, script, prompts, 6, eos, pad)

    for row, prompt, end in zip(rows, prompts, ends, strict=True):
        assert len(row) - len(prompt) == min(end + 1, 6)
    assert len(fed) == min(max(ends) + 1, 6)


# --- Task 8: a cache that forgets --------------------------------------------------------------


def window_life(impl, k, v, lengths, window):
    """What each append to a window's cache returns, the lengths, and the numbers it asked for."""
    log = []
    cache = impl.WindowCache(window, allocate=filled_with_nan(log))
    pieces = zip(cut(k, lengths), cut(v, lengths), strict=True)
    return [(*cache.append(*piece), len(cache)) for piece in pieces], sum(log)


@number("8.1")
@weight(3)
@tags("window")
@pytest.mark.parametrize("window", [1, 3, 4])
@pytest.mark.parametrize("lengths", [(1,) * 9, (2, 1, 1, 5), (9,), (7, 0, 2)], ids=str)
def test_a_window_returns_what_the_new_tokens_may_see(agree, torch_rng, lengths, window):
    """Each append returns what was held, oldest first, then everything new, however long the chunk is; all
    of it in memory for `window` tokens."""
    k, v = (normal(torch_rng, 2, 3, 9, 4) for _ in range(2))

    outputs, total = agree(window_life, k, v, lengths, window)

    assert total == 2 * 2 * 3 * window * 4
    ends = list(itertools.accumulate(lengths))
    for (keys, _, length), start, end in zip(outputs, [0, *ends], ends, strict=False):
        assert length == end
        assert_close(keys, k[..., max(0, start - window) : end, :], name="keys")


def window_layer_run(impl, reference, config, weights, pieces, window):
    """A layer of the reference on the submission's cache, twice with a reset in between."""
    cache, seen = impl.WindowCache(window), []
    for _ in range(2):
        seen += [reference.cached_attention(config, weights, x, cache, window=window) for x in pieces]
        cache.reset()
        seen.append(len(cache))
    return seen


@number("8.2")
@weight(3)
@tags("window")
@pytest.mark.parametrize("lengths", [(1,) * 8, (3, 5), (6, 1, 1)], ids=str)
def test_a_forgetting_cache_changes_nothing_in_a_window(agree, reference, rng, torch_rng, lengths):
    """A layer with a window gives the same on a cache of `window` tokens as on one that keeps all; so it does
    after a reset."""
    weights, x, window = block_of(reference, rng, SIZE), normal(torch_rng, 2, 8, 10), 3
    everything, *_ = layer_run(reference, SIZE, weights, [x], reference.causal_attention, None, window)

    seen = agree(window_layer_run, reference, SIZE, weights, cut(x, lengths), window)

    assert_close(torch.cat(seen[: len(lengths)], -2), everything, name="output")


# --- Task 9: what it costs ---------------------------------------------------------------------


def random_config(rng):
    """A size in which no two numbers are alike, and the heads together are not d_model wide."""
    n_kv_heads = int(rng.integers(2, 5))
    group, d_k, extra = int(rng.integers(2, 5)), 2 * int(rng.integers(8, 40)), int(rng.integers(1, 9))
    return ModelConfig(
        n_layers=int(rng.integers(5, 40)),
        n_heads=group * n_kv_heads,
        n_kv_heads=n_kv_heads,
        d_model=group * n_kv_heads * d_k + extra,
        d_k=d_k,
        max_len=131_072,
    )


@number("9.1")
@weight(3)
@tags("memory")
@pytest.mark.parametrize("window", [None, 512, 9999], ids=["no window", "short window", "long window"])
def test_memory_counts_keys_and_values_of_key_heads(agree, rng, window):
    """Two vectors of d_k numbers for each layer, key head and token that is kept, times the batch and the
    bytes of a number."""
    for bytes_per_number in (2, 4, 8):
        n_tokens, batch = int(rng.integers(1000, 9000)), int(rng.integers(2, 20))
        options = {"batch": batch, "bytes_per_number": bytes_per_number, "window": window}
        agree("cache_bytes", random_config(rng), n_tokens, **options)
    agree("cache_bytes", random_config(rng), 700)


@number("9.2")
@weight(3)
@tags("memory")
@pytest.mark.parametrize("cached", [False, True], ids=["naive", "cached"])
def test_work_is_what_generation_does(agree, rng, torch_rng, cached):
    """Tokens fed and pairs scored are those that a counted generation makes, and they grow as n² and n³
    without a cache, as n and n² with one."""
    for n_prompt, n_new in [(1, 1), (3, 5), *rng.integers(2, 99, size=(3, 2)).tolist()]:
        agree("tokens_fed", n_prompt, n_new, cached=cached)
        agree("attention_scores", n_prompt, n_new, cached=cached)
