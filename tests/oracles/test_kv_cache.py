"""The key/value cache reference against the uncached model, torch's attention, and counts by loops.

The uncached model is `coursekit.toys.forward`, which shares no code with the reference but `layer_norm` and
`rotate`; those are held to torch here too. A library with caches of its own, `transformers`, is not among the
kit's dependencies.
"""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.toys import ModelConfig, forward, layer_norm, random_weights, rotate
from hypothesis import given, settings
from hypothesis import strategies as st

F64 = torch.float64


reference = staff_files.reference("kv_cache")
CONFIGS = [
    ModelConfig(),
    ModelConfig(n_layers=1, n_heads=1, n_kv_heads=1, d_model=4, d_k=2),
    ModelConfig(n_layers=4, n_heads=6, n_kv_heads=1, d_model=10, d_k=4),
    ModelConfig(n_layers=3, n_heads=3, n_kv_heads=3, d_model=8, d_k=6),
]


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def same(got, want):
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


def tokens_of(rng, config, *shape):
    return torch.from_numpy(rng.integers(0, config.vocab_size, size=shape))


# --- attention and its mask --------------------------------------------------------------------


@pytest.mark.parametrize(("h", "h_kv"), [(4, 4), (4, 2), (6, 3), (5, 1)])
@pytest.mark.parametrize(("T_q", "T_k"), [(1, 1), (5, 5), (2, 7)])
def test_grouped_attention(rng, h, h_kv, T_q, T_k):
    """torch's attention with grouped heads, under the reference's mask."""
    q, k, v = normal(rng, 2, h, T_q, 4), normal(rng, 2, h_kv, T_k, 4), normal(rng, 2, h_kv, T_k, 4)
    visible = reference.visible_keys(T_q, T_k)

    theirs = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=visible, enable_gqa=True)

    same(reference.grouped_attention(q, k, v, visible), theirs)


@pytest.mark.parametrize(("T_q", "T_k"), [(1, 6), (3, 6), (6, 6), (1, 8), (6, 8)])
@pytest.mark.parametrize("window", [None, 1, 2, 5, 100])
def test_visible_keys(T_q, T_k, window):
    """The definition, pair by pair."""
    padding = torch.tensor([0, 2, 5])

    seen = reference.visible_keys(T_q, T_k, window=window, padding=padding)

    for b, i, j in itertools.product(range(3), range(T_q), range(T_k)):
        slot = T_k - T_q + i
        due = j <= slot and (window is None or slot - j < window) and j >= padding[b]
        assert bool(seen[b, 0, i, j]) == due
    assert torch.equal(reference.visible_keys(T_q, T_k, window=window), seen[0, 0])


def test_pieces_of_the_toy_model(rng):
    """layer_norm is torch's, and rotate multiplies complex numbers by exp(i p theta)."""
    x, gain, bias = normal(rng, 2, 3, 8), normal(rng, 8), normal(rng, 8)
    same(layer_norm(x, gain, bias), torch.nn.functional.layer_norm(x, (8,), gain, bias))

    heads, positions = normal(rng, 2, 4, 5, 6), torch.arange(3, 8)
    theta = 10_000.0 ** (-torch.arange(3, dtype=F64) / 3)
    turned = torch.view_as_complex(heads.unflatten(-1, (3, 2)).contiguous()) * torch.exp(
        1j * positions[:, None].to(F64) * theta
    )
    same(rotate(heads, positions), torch.view_as_real(turned).flatten(-2))


# --- the model with caches ---------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("make", ["LayerCache", "GrowingCache"])
def test_cached_logits(rng, config, make):
    """The uncached logits, for random splits, after a reset and after a truncated draft."""
    weights, tokens = random_weights(config, rng), tokens_of(rng, config, 2, 9)
    want = forward(config, weights, tokens)
    kind = getattr(reference, make)
    caches = reference.new_caches(config, make=lambda n: kind(n) if make == "LayerCache" else kind())

    for _ in range(3):
        cuts = sorted(rng.choice(np.arange(1, 9), size=int(rng.integers(0, 8)), replace=False).tolist())
        pieces = tokens.tensor_split(cuts, -1)
        got = [reference.cached_forward(config, weights, piece, caches) for piece in pieces]
        same(torch.cat(got, -2), want)
        for cache in caches:
            cache.reset()

    if make == "LayerCache":
        reference.cached_forward(config, weights, tokens[:, :4], caches)
        reference.cached_forward(config, weights, tokens_of(rng, config, 2, 3), caches)
        for cache in caches:
            cache.truncate(4)
        same(reference.cached_forward(config, weights, tokens[:, 4:], caches), want[:, 4:])


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_windows(rng, config):
    """A window by mask on a full cache, the same on a cache that forgets, and a direct computation."""
    weights, tokens, window = random_weights(config, rng), tokens_of(rng, config, 2, 9), 3
    full = reference.new_caches(config)
    whole = reference.cached_forward(config, weights, tokens, full, window=window)

    forgetful = reference.new_caches(config, make=lambda _: reference.WindowCache(window))
    pieces = tokens.split([1, 5, 1, 2], -1)
    got = [reference.cached_forward(config, weights, piece, forgetful, window=window) for piece in pieces]

    same(torch.cat(got, -2), whole)
    if config.n_layers == 1:  # with one layer, a window is the same as reading the last tokens afresh
        for t in range(9):
            start = max(0, t + 1 - window)
            same(whole[:, t], forward(config, weights, tokens[:, start : t + 1])[:, -1])


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_generation(rng, config):
    """Naive, cached and batched generation agree with each other on a real model, and with a plain loop."""
    weights = random_weights(config, rng)
    prompts = [tokens_of(rng, config, n).tolist() for n in (3, 1, 6)]

    def model(tokens):
        return forward(config, weights, tokens)

    def stepper():
        caches = reference.new_caches(config)
        run = reference.cached_forward
        return lambda tokens, padding=None: run(config, weights, tokens, caches, padding=padding)

    naive = []
    for prompt in prompts:
        tokens = torch.tensor(prompt)
        for _ in range(8):
            tokens = torch.cat([tokens, model(tokens)[-1].argmax()[None]])
        naive.append(tokens.tolist())
    assert [reference.generate_naive(model, prompt, max_len=8) for prompt in prompts] == naive
    for eos in (None, naive[0][3], naive[1][3], naive[2][-1]):
        cut = []
        for prompt, tokens in zip(prompts, naive, strict=True):
            new = tokens[len(prompt) :]
            cut.append(prompt + new[: new.index(eos) + 1 if eos in new else 8])
        alone = [reference.generate_cached(stepper(), prompt, max_len=8, eos=eos) for prompt in prompts]
        assert alone == cut
        pad = int(rng.integers(17))
        assert reference.generate_batch(stepper(), prompts, max_len=8, eos=eos, pad=pad) == cut


@pytest.mark.parametrize("make", ["LayerCache", "GrowingCache"])
def test_drafts(rng, make):
    """Decoding with drafts, right and wrong ones by chance, says what naive decoding says on a real model."""
    config, weights, prompt = CONFIGS[0], random_weights(CONFIGS[0], rng), [3, 1, 4]
    truth = reference.generate_naive(lambda x: forward(config, weights, x), prompt, max_len=20)
    caches = [getattr(reference, make)(*[40] * (make == "LayerCache")) for _ in range(config.n_layers)]

    def step(tokens):
        return reference.cached_forward(config, weights, tokens, caches)

    step(torch.tensor(prompt[:-1]))
    tokens, calls = list(prompt), 0
    while len(tokens) < 18:
        draft = [t if rng.random() < 0.7 else int(rng.integers(17)) for t in truth[len(tokens) :][:3]]
        tokens += reference.accept_draft(step, caches, tokens[-1], draft)
        calls += 1
        assert [len(cache) for cache in caches] == [len(tokens) - 1] * config.n_layers

    assert tokens == truth[: len(tokens)]
    assert calls < len(tokens) - len(prompt)


def test_prefill(rng):
    """The last logits of a full pass, for every size of chunk."""
    config = CONFIGS[0]
    weights, tokens = random_weights(config, rng), tokens_of(rng, config, 2, 7)
    for chunk_size in range(1, 9):
        caches = reference.new_caches(config, capacity=7)

        def step(chunk, caches=caches):
            return reference.cached_forward(config, weights, chunk, caches)

        logits = reference.prefill(step, tokens, chunk_size=chunk_size)

        same(logits, forward(config, weights, tokens)[:, -1])


# --- caches ------------------------------------------------------------------------------------

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 4)),
        st.tuples(st.just("truncate"), st.floats(0, 1)),
        st.tuples(st.just("reset"), st.none()),
        st.tuples(st.just("copy"), st.none()),
    ),
    max_size=20,
)


@settings(max_examples=100, deadline=None)
@given(operations=OPERATIONS, seed=st.integers(0, 2**32 - 1))
def test_layer_cache_is_a_list(operations, seed):
    """Any sequence of operations leaves what it leaves in a Python list of tokens."""
    rng, capacity = np.random.default_rng(seed), 12
    cache, held, aside = reference.LayerCache(capacity), [], []
    for operation, value in operations:
        if operation == "append":
            k = normal(rng, 2, value, 3)
            if len(held) + value > capacity:
                with pytest.raises(ValueError, match="capacity"):
                    cache.append(k, k + 1)
                continue
            held += list(k.unbind(-2))
            keys, values = cache.append(k, k + 1)
            same(keys, torch.stack(held, -2) if held else torch.empty(2, 0, 3, dtype=F64))
            same(values, keys + 1)
        elif operation == "truncate":
            cache.truncate(int(value * len(held)))
            held = held[: int(value * len(held))]
        elif operation == "reset":
            cache.reset()
            held = []
        else:
            aside.append((cache.copy(), list(held)))
        assert len(cache) == len(held)
    nothing = torch.empty(2, 0, 3, dtype=F64)
    for copied, kept in aside:
        assert len(copied) == len(kept)
        if kept:
            same(copied.append(nothing, nothing)[0], torch.stack(kept, -2))


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=12), window=st.integers(1, 6))
def test_window_cache_is_the_tail_of_a_list(lengths, window):
    """Each append returns the last `window` tokens of all that came before, and the new ones."""
    cache, seen = reference.WindowCache(window), 0
    for n in lengths:
        k = torch.arange(seen, seen + n, dtype=F64)[None, :, None]
        keys, values = cache.append(k, -k)
        assert keys.flatten().tolist() == list(range(max(0, seen - window), seen + n))
        same(values, -keys)
        seen += n
        assert len(cache) == seen


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, F64])
def test_cache_bytes(rng, dtype):
    """The storage that the caches of a model really have."""
    config, batch, n_tokens = CONFIGS[0], 3, 7
    for window in (None, 4, 100):
        log = []

        def allocate(shape, *, dtype, device):
            memory = torch.empty(shape, dtype=dtype, device=device)
            log.append(memory.untyped_storage().nbytes())
            return memory

        room = n_tokens if window is None else min(window, n_tokens)
        kind = reference.LayerCache if window is None else reference.WindowCache
        k = normal(rng, batch, config.n_kv_heads, n_tokens, config.d_k).to(dtype)
        for cache in reference.new_caches(config, capacity=room, make=lambda n: kind(n, allocate=allocate)):
            cache.append(k, k)

        formula = reference.cache_bytes(config, n_tokens, batch=batch, bytes_per_number=dtype.itemsize, window=window)
        assert sum(log) == formula


def test_costs():
    """The counts of a loop that goes through generation token by token."""
    for n_prompt, n_new in itertools.product(range(1, 9), repeat=2):
        lengths = [n_prompt + i for i in range(n_new)]
        fed = [n_prompt] + [1] * (n_new - 1)
        ends = list(itertools.accumulate(fed))
        assert reference.tokens_fed(n_prompt, n_new, cached=False) == sum(lengths)
        assert reference.tokens_fed(n_prompt, n_new, cached=True) == sum(fed)
        triangles = sum(math.comb(n + 1, 2) for n in lengths)
        assert reference.attention_scores(n_prompt, n_new, cached=False) == triangles
        pairs = sum(int(reference.visible_keys(T, end).sum()) for T, end in zip(fed, ends, strict=True))
        assert reference.attention_scores(n_prompt, n_new, cached=True) == pairs


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: reference.generate_naive(None, [], max_len=1), "prompt"),
        (lambda: reference.generate_cached(None, [1], max_len=-1), "max_len"),
        (lambda: reference.generate_batch(None, [[1], []], max_len=1), "prompt"),
        (lambda: reference.left_pad([], pad=0), "prompt"),
        (lambda: reference.LayerCache(0), "capacity"),
        (lambda: reference.LayerCache(3).truncate(1), "length"),
        (lambda: reference.LayerCache(3).append(torch.ones(1, 2, 2), torch.ones(1, 2, 3)), "k and v"),
        (lambda: reference.WindowCache(0), "window"),
        (lambda: reference.visible_keys(3, 2), "n_queries"),
        (lambda: reference.visible_keys(2, 3, window=0), "window"),
        (lambda: reference.grouped_attention(*(torch.ones(h, 2, 4) for h in (4, 3, 3)), None), "heads"),
        (lambda: reference.cached_forward(CONFIGS[0], {}, None, []), "caches"),
        (lambda: reference.accept_draft(None, [], 1, []), "draft"),
        (lambda: reference.prefill(None, torch.ones(2, 0), chunk_size=1), "prompt"),
        (lambda: reference.prefill(None, torch.ones(2, 3), chunk_size=0), "chunk_size"),
    ],
)
def test_bad_input(call, named):
    """Errors name the argument."""
    with pytest.raises(ValueError, match=named):
        call()


def test_append_refuses_other_shapes(rng):
    """Another batch, head count or dtype can't follow, not even after a reset, and the cache is as it was."""
    for cache in (reference.LayerCache(5), reference.WindowCache(5)):
        cache.append(normal(rng, 2, 3, 2, 4), normal(rng, 2, 3, 2, 4))
        for length in (2, 0):
            for shape in [(1, 3, 1, 4), (2, 2, 1, 4), (3, 1, 4), (2, 3, 1, 2)]:
                with pytest.raises(ValueError, match="shape .* of the first append"):
                    cache.append(normal(rng, *shape), normal(rng, *shape))
            with pytest.raises(ValueError, match="dtype .* of the first append"):
                cache.append(normal(rng, 2, 3, 1, 4).float(), normal(rng, 2, 3, 1, 4).float())
            with pytest.raises(ValueError, match="k and v"):
                cache.append(normal(rng, 2, 3, 1, 4), normal(rng, 2, 3, 1, 4).float())
            assert len(cache) == length
            cache.reset()
