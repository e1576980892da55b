"""Graded checks of the key/value cache assignment.

Tasks don't wait for each other: the layer and the model are given parts of the reference (`attend`, `layer`)
and the `GrowingCache` of the stub; generation is given a `step` made here, which counts what it is fed.
Inputs are float64 unless a check is about another dtype.

Values are compared exactly in one check for each feature. The others choose inputs on which a misread
convention makes no difference (queries of zeros attend alike wherever they stand; weights or storage in
float32 show in float64 only), or assert a property of the submission's own answers first.
"""

import itertools

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from coursekit.toys import ModelConfig, forward, random_weights

F64, F32 = torch.float64, torch.float32
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
@weight(1)
@tags("naive")
@pytest.mark.parametrize(("n_prompt", "max_len"), [(1, 6), (5, 3), (3, 8), (4, 1)])
def test_naive_generation_runs_the_model_once_per_new_token(agree, rng, torch_rng, n_prompt, max_len):
    """Exactly max_len tokens follow a prompt of any length, and the model reads all tokens for each."""
    table, prompt = normal(torch_rng, 997, V), prompt_of(rng, n_prompt)

    tokens, fed = agree(naive_run, table, prompt, max_len, None)
    agree(naive_run, table, prompt, 0, None)

    assert len(tokens) == n_prompt + max_len
    assert sum(fed) == max_len * n_prompt + max_len * (max_len - 1) // 2


def says(script):
    """A model that says the tokens of a script, one in each call, whatever it is fed."""
    left = list(script)

    def model(tokens):
        logits = torch.zeros(len(tokens), V, dtype=F64)
        logits[-1, left.pop(0)] = 1.0
        return logits

    return model


def naive_script(impl, script, prompt, max_len, eos):
    """What becomes of a script."""
    return impl.generate_naive(says(script), prompt, max_len=max_len, eos=eos)


def script_with_eos(rng, where):
    """A script, a prompt, max_len and eos: room for many more tokens, so that nothing but eos ends it."""
    eos, *others = (int(token) for token in rng.permutation(V)[:15])
    script, prompt = others[:10], others[10:]
    script[0 if where == "first" else int(rng.integers(1, 5))] = eos
    if "prompt" in where:
        prompt[int(rng.integers(4))] = eos
    return script, prompt, 14, eos


@number("1.2")
@weight(2)
@tags("naive")
@pytest.mark.parametrize("where", ["first", "later", "in the prompt and later"])
def test_naive_generation_ends_with_the_first_generated_eos(agree, rng, where):
    """The first generated eos is kept and ends it, be it the first token; one in the prompt ends nothing."""
    agree(naive_script, *script_with_eos(rng, where))


@number("1.3")
@weight(1)
@tags("naive")
def test_naive_generation_leaves_the_prompt_alone(impl, agree, rng):
    """The list that holds the prompt is the same after generation as before."""
    eos, *others = (int(token) for token in rng.permutation(V)[:8])
    script, prompt = [*others[:2], eos], others[4:]

    assert_leaves_arguments(
        impl.generate_naive, says(script), prompt, max_len=9, eos=eos, name="generate_naive"
    )
    agree(naive_script, script, prompt, 9, eos)


# --- Task 2: the cache of one layer ------------------------------------------------------------


def after_each_append(impl, pieces_k, pieces_v, capacity):
    """What each append returns, and the length after it."""
    cache = impl.LayerCache(capacity)
    return [(*cache.append(k, v), len(cache)) for k, v in zip(pieces_k, pieces_v, strict=True)]


@number("2.1")
@weight(4)
@tags("cache")
@pytest.mark.parametrize(
    ("lead", "lengths", "dtype"),
    [
        pytest.param((), (1, 1, 1, 1), F64, id="one by one"),
        pytest.param((2,), (4, 1, 2), F32, id="prompt then tokens"),
        pytest.param((2,), (2, 0, 3), F32, id="nothing new"),
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
    """A cache filled token by token: the numbers asked for before the first and in all, and what it held."""
    log = []
    cache = impl.LayerCache(capacity, allocate=filled_with_nan(log))
    early, seen = len(log), []
    for t in range(capacity):
        seen.append(cache.append(k[..., t : t + 1, :], v[..., t : t + 1, :]))
    return early, sum(log), seen


@number("2.2")
@weight(2)
@tags("cache")
@pytest.mark.parametrize("capacity", [3, 8])
def test_memory_is_allocated_once(agree, torch_rng, capacity):
    """However many tokens come, room for `capacity` tokens is asked for once, at the first of them."""
    k, v = (normal(torch_rng, 2, 3, capacity, 4, dtype=F32) for _ in range(2))

    early, total, _ = agree(counted_life, k, v, capacity)

    assert (early, total) == (0, 2 * 2 * 3 * capacity * 4)


def pairs_of(generator, *lengths):
    """Keys and values for one append after another, float32."""
    return ([normal(generator, 2, 3, n, 4, dtype=F32) for _ in range(2)] for n in lengths)


def reset_and_go_on(impl, first, *later):
    """Lengths, contents and memory around a reset; the arguments are pairs of keys and values."""
    log = []
    cache = impl.LayerCache(8, allocate=filled_with_nan(log))
    cache.append(*first)
    cache.reset()
    empty = len(cache)
    return empty, [cache.append(*pair) for pair in later][-1], len(cache), sum(log)


@number("2.3")
@weight(2)
@tags("cache")
@pytest.mark.parametrize("second", [1, 3, 6])
def test_reset_forgets_every_token(agree, torch_rng, second):
    """After a reset the cache is empty, all its memory is free and is used again, and no old token comes
    back."""
    old, new, newest = pairs_of(torch_rng, 5, second, 2)

    empty, (keys, _), *_ = agree(reset_and_go_on, old, new, newest)

    assert empty == 0
    assert_close(keys, torch.cat([new[0], newest[0]], -2), name="keys after a reset")


def truncate_and_go_on(impl, first, length, *later):
    """Lengths, contents and memory around a truncation."""
    log = []
    cache = impl.LayerCache(9, allocate=filled_with_nan(log))
    cache.append(*first)
    cache.truncate(length)
    kept = len(cache)
    return kept, [cache.append(*pair) for pair in later][-1], len(cache), sum(log)


@number("2.4")
@weight(2)
@tags("cache")
@pytest.mark.parametrize("length", [0, 2, 5, 6])
def test_truncate_keeps_the_first_tokens(agree, torch_rng, length):
    """Truncating to n keeps the n oldest tokens, from none to all; what is appended next stands behind
    them."""
    old, new, newest = pairs_of(torch_rng, 6, 2, 1)

    kept, (keys, values), *_ = agree(truncate_and_go_on, old, length, new, newest)

    assert kept == length
    for i, (held, name) in enumerate([(keys, "keys"), (values, "values")]):
        due = torch.cat([old[i][..., :length, :], new[i], newest[i]], -2)
        assert_close(held, due, name=f"{name} after a truncation")


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
    return held, len(cache), len(copied), len(impl.LayerCache(4).copy())


@number("2.5")
@weight(2)
@tags("cache")
@pytest.mark.parametrize("kept", [4, 2], ids=["whole", "truncated"])
def test_copies_go_their_own_ways(agree, torch_rng, kept):
    """What is done to a cache never shows in its copy, nor the other way round."""
    prompt, one, other = pairs_of(torch_rng, 4, 2, 3)

    agree(two_answers, prompt, one, other, kept)


@number("2.6")
@weight(1)
@tags("cache")
def test_appending_leaves_the_new_tokens_alone(impl, agree, torch_rng):
    """Neither the first append nor a later one changes the keys and values that it is given."""
    first, second = pairs_of(torch_rng, 3, 2)
    cache = impl.LayerCache(6)

    assert_leaves_arguments(cache.append, *first, name="LayerCache.append")
    assert_leaves_arguments(cache.append, *second, name="LayerCache.append")
    agree(after_each_append, *zip(first, second, strict=True), 6)


def copied_memory(impl, first, one, other):
    """The numbers asked for by a cache, and by it and its copy; what both hold once each went on."""
    log = []
    cache = impl.LayerCache(7, allocate=filled_with_nan(log))
    cache.append(*first)
    alone, copied = sum(log), cache.copy()
    cache.append(*one)
    copied.append(*other)
    nothing = [x[..., :0, :] for x in first]
    return alone, sum(log), cache.append(*nothing), copied.append(*nothing)


@number("2.7")
@weight(1)
@tags("cache")
def test_a_copy_takes_its_memory_from_allocate(agree, torch_rng):
    """A copy asks `allocate` for as much room as the first cache did, once."""
    alone, both, *_ = agree(copied_memory, *pairs_of(torch_rng, 3, 2, 2))

    assert (alone, both) == (2 * 2 * 3 * 7 * 4, 2 * 2 * 2 * 3 * 7 * 4)


# --- Task 3: who sees whom ---------------------------------------------------------------------


@number("3.1")
@weight(2.5)
@tags("visible")
@pytest.mark.parametrize(("n_queries", "n_keys"), [(1, 1), (4, 4), (6, 6), (1, 6), (3, 7)])
def test_the_last_query_is_the_last_key(agree, n_queries, n_keys):
    """Each query sees its own slot and all before it; the queries are the newest of the keys."""
    agree("visible_keys", n_queries, n_keys)


@number("3.2")
@weight(2.5)
@tags("visible")
@pytest.mark.parametrize("window", [1, 2, 4, 50])
@pytest.mark.parametrize(("n_queries", "n_keys"), [(6, 6), (5, 5), (4, 4), (3, 7)])
def test_a_window_counts_the_query_itself(agree, n_queries, n_keys, window):
    """With a window of w, a query sees itself and the w - 1 slots before it, and no more."""
    agree("visible_keys", n_queries, n_keys, window=window)


@number("3.3")
@weight(2.5)
@tags("visible")
@pytest.mark.parametrize(("n_queries", "window"), [(6, None), (6, 50), (6, 3), (2, None)])
def test_padding_stands_in_front_and_is_not_seen(agree, rng, n_queries, window):
    """Row by row, the first slots are padding; nobody sees them, and padding sees nothing."""
    padding = torch.from_numpy(rng.permutation([0, 1, 4]))

    agree("visible_keys", n_queries, 6, window=window, padding=padding)


@number("3.4")
@weight(1)
@tags("visible")
def test_the_mask_leaves_the_padding_alone(impl, agree):
    """The tensor that says how much padding there is remains as it was."""
    padding = torch.tensor([0, 0])

    assert_leaves_arguments(impl.visible_keys, 4, 4, window=50, padding=padding, name="visible_keys")
    agree("visible_keys", 4, 4, padding=padding)


# --- Task 4: fewer key heads than query heads --------------------------------------------------


@number("4.1")
@weight(2)
@tags("grouped")
@pytest.mark.parametrize(
    ("lead", "h", "h_kv", "dtype"),
    [
        pytest.param((2,), 4, 4, F64, id="multi-head"),
        pytest.param((2, 3), 4, 1, F64, id="multi-query"),
        pytest.param((2,), 4, 4, F32, id="multi-head float32"),
        pytest.param((), 4, 1, F32, id="multi-query float32"),
        pytest.param((2,), 6, 2, F64, id="two groups of three"),
        pytest.param((2,), 6, 3, F32, id="three groups of two"),
    ],
)
def test_neighboring_query_heads_share_a_key_head(agree, reference, torch_rng, lead, h, h_kv, dtype):
    """Query head i attends with key and value head i // (h / h_kv), scaled by the width of one head, and to
    all digits of the dtype."""
    q = normal(torch_rng, *lead, h, 3, 4, dtype=dtype)
    k, v = (normal(torch_rng, *lead, h_kv, 5, 4, dtype=dtype) for _ in range(2))

    agree("grouped_attention", q, k, v, reference.visible_keys(3, 5))


@number("4.2")
@weight(2)
@tags("grouped")
def test_a_query_that_sees_nothing_gets_zeros(agree, reference, torch_rng):
    """Where nothing may be seen the output is zero, not NaN; scores of a thousand do no harm."""
    # One key head: who shares it is clear. Values of -1, 0 and 1 at two keys, a thousand apart in score.
    q, k = 1000 * torch.ones(3, 4, 5, 4), torch.zeros(3, 1, 5, 4)
    k[..., 4, :] = 1.0
    v = torch.round(normal(torch_rng, 3, 1, 5, 4, dtype=F32))
    visible = reference.visible_keys(5, 5, padding=torch.tensor([0, 2, 4]))

    agree("grouped_attention", q, k, v, visible)


@number("4.3")
@weight(2)
@tags("grouped")
def test_each_key_head_reaches_its_own_queries_only(impl, agree, reference, torch_rng):
    """What changes in one key and value head reaches h / h_kv query heads, each of them one's alone."""
    q = normal(torch_rng, 6, 3, 4, dtype=F32)
    k, v = normal(torch_rng, 3, 5, 4, dtype=F32), normal(torch_rng, 3, 5, 4, dtype=F32)
    visible = reference.visible_keys(3, 5)

    before = impl.grouped_attention(q, k, v, visible)
    reached = []
    for j in range(3):
        changed_k, changed_v = k.clone(), v.clone()
        changed_k[j] += 1 + normal(torch_rng, 5, 4, dtype=F32)
        changed_v[j] += 1 + normal(torch_rng, 5, 4, dtype=F32)
        after = impl.grouped_attention(q, changed_k, changed_v, visible)
        assert_close(after.shape, before.shape, name="shape")
        reached.append((after != before).flatten(1).any(1).nonzero().flatten().tolist())

    assert [len(heads) for heads in reached] == [2, 2, 2], f"key heads reach the query heads {reached}"
    assert sorted(sum(reached, [])) == list(range(6)), f"key heads reach the query heads {reached}"
    agree("grouped_attention", torch.zeros_like(q), k[:1], v[:1], visible)


@number("4.4")
@weight(1)
@tags("grouped")
def test_grouped_attention_leaves_its_inputs_alone(impl, agree, reference, torch_rng):
    """Attention changes nothing in queries, keys, values and mask."""
    q, visible = torch.zeros(4, 3, 4), reference.visible_keys(3, 3)
    k, v = (normal(torch_rng, 1, 3, 4, dtype=F32) for _ in range(2))

    assert_leaves_arguments(impl.grouped_attention, q, k, v, visible, name="grouped_attention")
    agree("grouped_attention", q, k, v, visible)


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
@weight(1.5)
@tags("layer")
@pytest.mark.parametrize("lengths", SPLITS[1:])
@pytest.mark.parametrize("lead", [(), (2,)], ids=["one sequence", "batch"])
def test_the_layer_does_not_depend_on_the_split(impl, agree, reference, rng, torch_rng, lead, lengths):
    """A layer fed in pieces gives what it gives when it is fed everything at once."""
    weights, x = block_of(reference, rng, SIZE), normal(torch_rng, *lead, 6, 10)

    whole, *_ = layer_run(impl, SIZE, weights, [x], reference.causal_attention)
    pieces, *_ = layer_run(impl, SIZE, weights, cut(x, lengths), reference.causal_attention)

    assert_close(pieces, whole, name="output in pieces")
    # Zeros don't depend on the split either. At the first position there is nothing to rotate.
    agree(layer_run, SIZE, weights, cut(x, lengths)[:1], reference.causal_attention)


def layer_cache(impl, config, weights, pieces, attend):
    """What a layer's cache holds in the end, and the output at the first token, which sees itself alone."""
    output, keys, values, _ = layer_run(impl, config, weights, pieces, attend)
    return output[..., :1, :], keys, values


@number("5.2")
@weight(4)
@tags("layer")
@pytest.mark.parametrize(
    ("config", "lengths"),
    [
        pytest.param(SIZE, (5,), id="grouped"),
        pytest.param(ModelConfig(n_heads=3, n_kv_heads=3, d_k=6), (5,), id="multi-head"),
        pytest.param(SIZE, (2, 1, 2), id="grouped, in pieces"),
    ],
)
def test_the_cache_holds_what_attention_needs(agree, reference, rng, torch_rng, config, lengths):
    """Keys are kept as attention needs them, each turned by its own position; values carry no position."""
    weights, x = block_of(reference, rng, config), normal(torch_rng, 2, 5, config.d_model)

    agree(layer_cache, config, weights, cut(x, lengths), reference.causal_attention)


@number("5.3")
@weight(4.5)
@tags("layer")
@pytest.mark.parametrize("window", [None, 2], ids=["no window", "window"])
@pytest.mark.parametrize("lengths", SPLITS[:3])
def test_the_layer_passes_padding_and_window_on(agree, reference, rng, torch_rng, lengths, window):
    """Padding is hidden in every row, and the window holds, in the prompt and in each later token."""
    weights, x = block_of(reference, rng, SIZE), normal(torch_rng, 3, 6, 10)
    weights["W_Q"] = torch.zeros_like(weights["W_Q"])  # all keys seen count alike, wherever they stand
    weights["W_K"] = torch.zeros_like(weights["W_K"])
    padding = torch.from_numpy(rng.permutation([0, 1, 3]))

    agree(layer_run, SIZE, weights, cut(x, lengths), reference.causal_attention, padding, window)


@number("5.4")
@weight(1)
@tags("layer")
def test_the_layer_leaves_tokens_and_weights_alone(impl, agree, reference, rng, torch_rng):
    """The layer changes its cache, and neither the new tokens nor the weights."""
    weights, x = block_of(reference, rng, SIZE), normal(torch_rng, 1, 10)

    cache, attend = impl.GrowingCache(), reference.causal_attention
    assert_leaves_arguments(
        impl.cached_attention, SIZE, weights, x, cache, attend=attend, name="cached_attention"
    )
    agree(layer_run, SIZE, weights, [x], attend)


@number("5.5")
@weight(1.5)
@tags("layer")
@pytest.mark.parametrize("config", [SIZE, ModelConfig(n_heads=3, n_kv_heads=3, d_k=6)], ids=["2", "3"])
def test_queries_and_keys_are_turned_by_where_they_stand(agree, reference, rng, torch_rng, config):
    """A prompt in one piece: each query attends to each key by what they are and where they stand."""
    weights, x = block_of(reference, rng, config), normal(torch_rng, 2, 5, config.d_model)

    agree(layer_run, config, weights, [x], reference.causal_attention)


# --- Task 6: the whole model -------------------------------------------------------------------


def model_run(impl, config, weights, pieces, layer, padding=None, window=None):
    """The logits of all pieces, from a model that keeps its caches between them."""
    caches = [impl.GrowingCache() for _ in range(config.n_layers)]
    options = {"padding": padding, "window": window, "layer": layer}
    return torch.cat([impl.cached_forward(config, weights, x, caches, **options) for x in pieces], -2)


@number("6.1")
@weight(3.5)
@tags("model")
@pytest.mark.parametrize("lengths", SPLITS)
def test_cached_logits_are_the_uncached_ones(agree, reference, rng, lengths):
    """At every position and for any split, the logits are those of a full pass without a cache."""
    weights, tokens = random_weights(SIZE, rng), random_tokens(rng, 2, 6)

    logits = agree(model_run, SIZE, weights, cut(tokens, lengths, -1), reference.cached_attention)

    assert_close(logits, forward(SIZE, weights, tokens), name="logits")


@number("6.2")
@weight(2.5)
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


def as_keys(tokens):
    """Tokens as keys and values of one head and one number, so that a cache can keep them."""
    return (tokens[None, :, None].double(),) * 2


def step_with_cache(impl, table, prompt, fed=None):
    """A cache that holds a prompt but for its last token, and a model that knows what its cache holds."""
    cache = impl.GrowingCache()

    def step(tokens):
        if fed is not None:
            fed.append(tokens)
        keys, _ = cache.append(*as_keys(tokens))
        return hashed_logits(table, keys[0, :, 0].long())[-len(tokens) :]

    cache.append(*as_keys(torch.tensor(prompt[:-1])))
    return cache, step


def drafted(impl, table, prompt, drafts):
    """What comes of drafts one after another: the tokens, the lengths of the caches, and what was fed."""
    fed = []
    cache, step = step_with_cache(impl, table, prompt, fed)
    other = impl.GrowingCache()  # of another layer
    other.append(cache.keys, cache.values)

    def both(tokens):
        other.append(*as_keys(tokens))
        return step(tokens)

    tokens, lengths = list(prompt), []
    for draft in drafts:
        tokens += impl.accept_draft(both, [cache, other], tokens[-1], draft)
        lengths.append([len(cache), len(other)])
    return tokens, lengths, fed


def drafts_right_until(rng, truth, n_right):
    """Drafts of the tokens in `truth`, one after another, of which the first `n` each are right."""
    drafts, start = [], 0
    for right in n_right:
        draft = truth[start : start + right]
        if right < 3:
            draft = [*draft, (truth[start + right] + int(rng.integers(1, V))) % V]
            # What comes after a wrong guess does not matter, even if it happens to be right.
            draft += truth[start + right + 1 : start + 3]
        drafts.append(draft)
        start += right + 1
    return drafts


@number("6.3")
@weight(2)
@tags("model")
@pytest.mark.parametrize("n_right", [(0, 0), (3, 3), (1, 2, 0), (2, 3, 1)], ids=str)
def test_drafts_change_no_token(agree, rng, torch_rng, n_right):
    """Whatever is guessed, the tokens are those of greedy decoding, and the caches hold what belongs."""
    table, prompt = normal(torch_rng, 997, V), prompt_of(rng, 4)
    n_new = sum(n_right) + len(n_right)
    truth = greedy(table, prompt, n_new)

    tokens, lengths, fed = agree(drafted, table, prompt, drafts_right_until(rng, truth, n_right))

    assert tokens == prompt + truth
    assert lengths[-1] == [len(tokens) - 1] * 2
    assert len(fed) == len(n_right)


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


@number("6.4")
@weight(0.5)
@tags("model")
def test_truncate_and_reset_leave_no_trace(agree, rng):
    """With all parts your own: after a draft was taken back, and after a reset, the logits are the
    uncached ones."""
    weights, tokens, draft = random_weights(SIZE, rng), random_tokens(rng, 2, 6), random_tokens(rng, 2, 4)
    weights = {name: weight.float() for name, weight in weights.items()}

    went_back, again = agree(life_of_a_model, SIZE, weights, tokens, draft)

    want = forward(SIZE, weights, tokens)
    assert_close(went_back, want, name="logits around a draft")
    assert_close(again, want, name="logits after a reset")


@number("6.5")
@weight(1)
@tags("model")
@pytest.mark.parametrize("name", ["cached_forward", "accept_draft"])
def test_the_model_leaves_its_inputs_alone(impl, agree, reference, rng, torch_rng, name):
    """A pass changes its caches, and neither tokens, draft nor weights."""
    if name == "cached_forward":
        weights, tokens = random_weights(SIZE, rng), random_tokens(rng, 2, 5)
        caches, layer = [impl.GrowingCache() for _ in range(SIZE.n_layers)], reference.cached_attention

        assert_leaves_arguments(impl.cached_forward, SIZE, weights, tokens, caches, layer=layer, name=name)
        agree(model_run, SIZE, weights, [tokens], layer)
    else:
        table, prompt = normal(torch_rng, 997, V), prompt_of(rng, 4)
        drafts, (cache, step) = [greedy(table, prompt, 3)], step_with_cache(impl, table, prompt)

        assert_leaves_arguments(impl.accept_draft, step, [cache], prompt[-1], drafts[0], name=name)
        agree(drafted, table, prompt, drafts)


# --- Task 7: generation with a cache, and in batches -------------------------------------------


def cached_run(impl, table, prompt, max_len, eos):
    """The tokens, and everything that was fed."""
    fed = []
    return impl.generate_cached(remembering_step(table, fed), prompt, max_len=max_len, eos=eos), fed


@number("7.1")
@weight(2)
@tags("generate")
@pytest.mark.parametrize(("n_prompt", "max_len"), [(1, 6), (5, 4), (3, 1)])
def test_each_token_is_fed_at_most_once(agree, reference, rng, torch_rng, n_prompt, max_len):
    """The tokens are those of naive generation, and all but the last are fed exactly once, in order."""
    table, prompt = normal(torch_rng, 997, V), prompt_of(rng, n_prompt)

    tokens, fed = agree(cached_run, table, prompt, max_len, None)
    agree(cached_run, table, prompt, 0, None)

    assert tokens == reference.generate_naive(lambda x: hashed_logits(table, x), prompt, max_len=max_len)
    assert sum(len(piece) for piece, in fed) == n_prompt + max_len - 1


def cached_script(impl, script, prompt, max_len, eos):
    """What becomes of a script."""
    return impl.generate_cached(says(script), prompt, max_len=max_len, eos=eos)


@number("7.2")
@weight(2)
@tags("generate")
@pytest.mark.parametrize("where", ["first", "later", "in the prompt and later"])
def test_eos_ends_cached_generation_wherever_it_comes(agree, rng, where):
    """The first generated eos is kept and ends it, also when it comes right after the prompt."""
    agree(cached_script, *script_with_eos(rng, where))


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
@weight(2)
@tags("generate")
@pytest.mark.parametrize("max_len", [1, 5])
@pytest.mark.parametrize("with_eos", [False, True], ids=["no eos", "eos"])
def test_a_batch_is_its_members_alone(agree, reference, rng, torch_rng, with_eos, max_len):
    """Each row is what its prompt gives alone, with padding hidden in the prompt and in every later step."""
    table, prompts = normal(torch_rng, 997, V), [prompt_of(rng, n) for n in rng.permutation([2, 5, 3])]
    eos = an_eos(rng, greedy(table, prompts[1], 5), "later") if with_eos else None

    rows, _ = agree(batch_run, table, prompts, max_len, eos, int(rng.integers(V)))
    agree(batch_run, table, prompts, 0, eos, 0)

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
@weight(2)
@tags("generate")
@pytest.mark.parametrize("ends", [(0, 4, 2), (3, 1, 1), (0, 0, 0), (2, 9, 9)], ids=str)
def test_a_row_ends_alone_and_the_batch_with_the_last(agree, rng, ends):
    """A row that ended is fed padding and gets nothing more; the others go on; nothing is fed once all
    ended."""
    eos, pad, *others = (int(t) for t in rng.permutation(V))
    script = [[others[(7 * row + i) % len(others)] for i in range(12)] for row in range(3)]
    for said, end in zip(script, ends, strict=True):
        said[end] = eos
    prompts = [prompt_of(rng, 2) for _ in range(3)]  # padding is for other checks

    rows, fed = agree(scripted_run, script, prompts, 6, eos, pad)

    for row, prompt, end in zip(rows, prompts, ends, strict=True):
        assert len(row) - len(prompt) == min(end + 1, 6)
    assert len(fed) == min(max(ends) + 1, 6)


@number("7.6")
@weight(1)
@tags("generate")
@pytest.mark.parametrize("name", ["generate_cached", "left_pad", "generate_batch"])
def test_generation_leaves_the_prompts_alone(impl, agree, rng, torch_rng, name):
    """The lists that hold the prompts are the same afterwards as before."""
    table, prompts = normal(torch_rng, 997, V), [prompt_of(rng, 3), prompt_of(rng, 3)]

    if name == "left_pad":
        assert_leaves_arguments(impl.left_pad, prompts, pad=0, name=name)
        agree("left_pad", prompts, pad=0)
    elif name == "generate_cached":
        step = remembering_step(table, [])
        assert_leaves_arguments(impl.generate_cached, step, prompts[0], max_len=4, name=name)
        agree(cached_run, table, prompts[0], 4, None)
    else:
        step = remembering_step(table, [])
        assert_leaves_arguments(impl.generate_batch, step, prompts, max_len=4, name=name)
        agree(batch_run, table, prompts, 4, None, 0)


# --- Task 8: a cache that forgets --------------------------------------------------------------


def window_life(impl, k, v, lengths, window):
    """What each append to a window's cache returns, the lengths, and the numbers it asked for."""
    log = []
    cache = impl.WindowCache(window, allocate=filled_with_nan(log))
    pieces = zip(cut(k, lengths), cut(v, lengths), strict=True)
    return [(*cache.append(*piece), len(cache)) for piece in pieces], sum(log)


@number("8.1")
@weight(2.25)
@tags("window")
@pytest.mark.parametrize("window", [1, 3, 4])
@pytest.mark.parametrize("lengths", [(1,) * 9, (2, 1, 1, 5), (6, 3), (7, 0, 2)], ids=str)
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
@weight(2.25)
@tags("window")
@pytest.mark.parametrize("lengths", [(1,) * 8, (3, 5), (6, 1, 1)], ids=str)
def test_a_forgetting_cache_changes_nothing_in_a_window(agree, reference, rng, torch_rng, lengths):
    """A layer with a window gives the same on a cache of `window` tokens as on one that keeps all; so it does
    after a reset."""
    weights, x, window = block_of(reference, rng, SIZE), normal(torch_rng, 2, 8, 10), 3
    everything, *_ = layer_run(reference, SIZE, weights, [x], reference.causal_attention, None, window)

    seen = agree(window_layer_run, reference, SIZE, weights, cut(x, lengths), window)

    assert_close(torch.cat(seen[: len(lengths)], -2), everything, name="output")


@number("8.3")
@weight(1)
@tags("window")
def test_a_window_leaves_the_new_tokens_alone(impl, agree, torch_rng):
    """Neither the first append nor one that wraps around changes the keys and values that it is given."""
    k, v = (normal(torch_rng, 3, 7, 4) for _ in range(2))
    cache = impl.WindowCache(4)

    for piece in zip(cut(k, (3, 4)), cut(v, (3, 4)), strict=True):
        assert_leaves_arguments(cache.append, *piece, name="WindowCache.append")
    agree(window_life, k, v, (3, 4), 4)


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
@weight(1.5)
@tags("memory")
@pytest.mark.parametrize("window", [None, 512, 9999], ids=["no window", "short window", "long window"])
def test_memory_counts_what_the_caches_keep(agree, rng, window):
    """Bytes of what is kept for each layer, head and token, in every sequence of the batch."""
    for bytes_per_number in (2, 4, 8):
        n_tokens, batch = int(rng.integers(1000, 9000)), int(rng.integers(2, 20))
        options = {"batch": batch, "bytes_per_number": bytes_per_number, "window": window}
        agree("cache_bytes", random_config(rng), n_tokens, **options)
    agree("cache_bytes", random_config(rng), 700)


@number("9.2")
@weight(2.25)
@tags("memory")
@pytest.mark.parametrize("cached", [False, True], ids=["naive", "cached"])
def test_tokens_fed_are_those_of_a_counted_generation(agree, rng, cached):
    """Tokens fed are those that a counted generation feeds."""
    for n_prompt, n_new in [(1, 1), (3, 5), *rng.integers(2, 99, size=(3, 2)).tolist()]:
        agree("tokens_fed", n_prompt, n_new, cached=cached)


@number("9.3")
@weight(2.25)
@tags("memory")
@pytest.mark.parametrize("cached", [False, True], ids=["naive", "cached"])
def test_scores_are_those_of_a_counted_generation(agree, rng, cached):
    """Pairs scored by one head are those that a counted generation scores, hidden ones apart."""
    for n_prompt, n_new in [(1, 1), (3, 5), *rng.integers(2, 99, size=(3, 2)).tolist()]:
        agree("attention_scores", n_prompt, n_new, cached=cached)
