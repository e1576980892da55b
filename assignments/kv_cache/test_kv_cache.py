"""The checks you can run yourself: `pytest` in this folder, or `pytest --task cache` for one task."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.toys import ModelConfig, forward, random_weights

F64 = torch.float64
SIZE = ModelConfig(vocab_size=17, n_layers=2, n_heads=4, n_kv_heads=2, d_model=8, d_k=4)


def normal(generator, *shape, device="cpu"):
    """Standard normal numbers, float64."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(device)


def weights_on(device, config, rng):
    """A model's random weights, float64."""
    return {name: weight.to(device) for name, weight in random_weights(config, rng).items()}


def counting_model(tokens):
    """Logits of a model that has learned to count modulo 10: after 3 it says 4."""
    return torch.eye(10, dtype=F64)[(tokens + 1) % 10]


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(2)
@tags("naive")
def test_naive_by_hand(impl):
    """A model that counts goes on counting, for max_len tokens or until it says eos."""
    fed = []

    def model(tokens):
        fed.append(tokens.tolist())
        return counting_model(tokens)

    assert_close(impl.generate_naive(model, [3, 4], max_len=3), [3, 4, 5, 6, 7], name="tokens")
    assert_close(fed, [[3, 4], [3, 4, 5], [3, 4, 5, 6]], name="what the model was fed, call by call")
    ended = impl.generate_naive(counting_model, [3, 4], max_len=3, eos=6)
    assert_close(ended, [3, 4, 5, 6], name="tokens when 6 is eos")
    assert_close(impl.generate_naive(counting_model, [3], max_len=0), [3], name="tokens with max_len=0")


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(2)
@tags("cache")
def test_cache_holds_what_was_appended(impl, torch_rng, device):
    """After three appends the cache returns all tokens in order; truncated and reset, it goes on from
    there."""
    k, v = (normal(torch_rng, 2, 3, 6, 4, device=device) for _ in range(2))
    cache = impl.LayerCache(6)

    for start, stop in [(0, 3), (3, 4), (4, 6)]:
        keys, values = cache.append(k[..., start:stop, :], v[..., start:stop, :])
        assert_close(keys, k[..., :stop, :], name="keys")
        assert_close(values, v[..., :stop, :], name="values")
        assert len(cache) == stop, f"len(cache) is {len(cache)} after {stop} tokens"

    cache.truncate(2)
    keys, _ = cache.append(k[..., 5:, :], v[..., 5:, :])
    assert_close(keys, k[..., [0, 1, 5], :], name="keys after truncate(2) and one more token")
    cache.reset()
    keys, _ = cache.append(k[..., 4:, :], v[..., 4:, :])
    assert_close(keys, k[..., 4:, :], name="keys after reset() and two more tokens")


@number("2.p2")
@weight(1)
@tags("cache")
def test_cache_refuses_what_does_not_fit(impl, torch_rng):
    """A token too many and a length that isn't there are ValueErrors, and the cache is as it was."""
    k = normal(torch_rng, 3, 4, 2)
    cache = impl.LayerCache(4)
    cache.append(k[:, :3], k[:, :3])

    with pytest.raises(ValueError, match="capacity"):
        cache.append(k[:, :2], k[:, :2])
    with pytest.raises(ValueError, match="length"):
        cache.truncate(4)

    keys, _ = cache.append(k[:, 3:], k[:, 3:])
    assert_close(keys, k, name="keys")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(2)
@tags("visible")
@pytest.mark.parametrize(
    ("options", "want"),
    [
        pytest.param({}, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], id="causal"),
        pytest.param({"window": 2}, [[0, 0, 1, 1, 0], [0, 0, 0, 1, 1]], id="window"),
        pytest.param({"padding": torch.tensor([1])}, [[0, 1, 1, 1, 0], [0, 1, 1, 1, 1]], id="padding"),
    ],
)
def test_visible_by_hand(impl, options, want):
    """Two new tokens after three: who sees whom, drawn by hand."""
    seen = impl.visible_keys(2, 5, **options)

    assert_close(tuple(seen.shape), (1, 1, 2, 5) if "padding" in options else (2, 5), name="shape")
    for query, row in enumerate(want):
        keys = seen.reshape(2, 5)[query]
        assert_close(keys, torch.tensor(row, dtype=torch.bool), name=f"keys 0 to 4 as seen by query {query}")


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(2)
@tags("grouped")
def test_grouped_by_hand(impl, torch_rng):
    """Queries of zeros average the values that they see: heads 0 and 1 those of key head 0, 2 and 3 those
    of 1."""
    k, v = normal(torch_rng, 2, 3, 4), normal(torch_rng, 2, 3, 4)
    visible = torch.tensor([[True, True, False]])

    out = impl.grouped_attention(torch.zeros(4, 1, 4, dtype=F64), k, v, visible)

    first, second = v[0, :2].mean(0), v[1, :2].mean(0)
    assert_close(out[:, 0], torch.stack([first, first, second, second]))


@number("4.p2")
@weight(1)
@tags("grouped")
def test_grouped_without_groups_is_attention(impl, torch_rng):
    """With as many key heads as query heads it is what torch computes."""
    q, k, v = normal(torch_rng, 2, 3, 4, 6), normal(torch_rng, 2, 3, 5, 6), normal(torch_rng, 2, 3, 5, 6)
    visible = torch.ones(4, 5, dtype=torch.bool).tril(1)

    out = impl.grouped_attention(q, k, v, visible)

    assert_close(out, torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=visible))


# --- Task 5 ------------------------------------------------------------------------------------


def plain_attention(q, keys, values, *, padding=None, window=None):
    """Causal attention for as many key heads as query heads, by torch; the last query is the last key."""
    T_q, T_k = q.shape[-2], keys.shape[-2]
    seen = torch.ones(T_q, T_k, dtype=torch.bool, device=q.device).tril(T_k - T_q)
    return torch.nn.functional.scaled_dot_product_attention(q, keys, values, attn_mask=seen)


@number("5.p1")
@weight(3)
@tags("layer")
def test_layer_does_not_depend_on_the_split(impl, rng, torch_rng, device):
    """Five tokens at once, or three and then one by one: the same output."""
    config = ModelConfig(n_layers=1, n_heads=2, n_kv_heads=2, d_model=8, d_k=4)
    weights = impl.block_weights(weights_on(device, config, rng), 0)
    x = normal(torch_rng, 2, 5, 8, device=device)

    whole = impl.cached_attention(config, weights, x, impl.GrowingCache(), attend=plain_attention)
    cache = impl.GrowingCache()
    pieces = [x[:, :3], x[:, 3:4], x[:, 4:]]
    split = [impl.cached_attention(config, weights, piece, cache, attend=plain_attention) for piece in pieces]

    assert len(cache) == 5, f"len(cache) is {len(cache)} after 5 tokens"
    assert_close(torch.cat(split, -2), whole, name="output in pieces")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(2)
@tags("model")
@pytest.mark.parametrize("lengths", [(7,), (4, 1, 1, 1)], ids=["at once", "prompt then tokens"])
def test_model_equals_the_uncached_one(impl, rng, device, lengths):
    """All your parts together: the logits at every position are those of coursekit.toys.forward."""
    weights = weights_on(device, SIZE, rng)
    tokens = torch.from_numpy(rng.integers(0, 17, size=(2, 7))).to(device)
    caches = impl.new_caches(SIZE)

    logits = [impl.cached_forward(SIZE, weights, piece, caches) for piece in tokens.split(lengths, -1)]

    assert_close(torch.cat(logits, -2), forward(SIZE, weights, tokens), name="logits")


@number("6.p2")
@weight(1)
@tags("model")
def test_model_prefill_by_hand(impl):
    """Five tokens in chunks of two are fed as two, two and one."""
    fed = []

    def step(tokens):
        fed.append(tokens.tolist())
        return counting_model(tokens)

    logits = impl.prefill(step, torch.tensor([1, 2, 3, 4, 5]), chunk_size=2)

    assert_close(fed, [[1, 2], [3, 4], [5]], name="what step was fed, call by call")
    assert_close(int(logits.argmax()), 6, name="token after the prompt")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(2)
@tags("generate")
def test_generate_feeds_each_token_once(impl):
    """The prompt in one call, then token by token, except the last."""
    fed = []

    def step(tokens):
        fed.append(tokens.tolist())
        return counting_model(tokens)

    assert_close(impl.generate_cached(step, [3, 4], max_len=3), [3, 4, 5, 6, 7], name="tokens")
    assert_close(fed, [[3, 4], [5], [6]], name="what step was fed, call by call")


@number("7.p2")
@weight(1)
@tags("generate")
def test_generate_batch_by_hand(impl):
    """Two prompts of different lengths count on side by side; the row that reaches eos waits, fed with
    pad."""
    fed = []

    def step(tokens, padding):
        fed.append((tokens.tolist(), padding.tolist()))
        return counting_model(tokens)

    rows = impl.generate_batch(step, [[5], [1, 2, 3]], max_len=4, eos=7, pad=0)

    assert_close(rows, [[5, 6, 7], [1, 2, 3, 4, 5, 6, 7]], name="rows")
    assert_close(fed[0], ([[0, 0, 5], [1, 2, 3]], [2, 0]), name="tokens and padding of the first call")
    later = [tokens for tokens, _ in fed[1:]]
    assert_close(later, [[[6], [4]], [[0], [5]], [[0], [6]]], name="tokens of the later calls")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(2)
@tags("window")
def test_window_by_hand(impl):
    """A window of two: five tokens come one, three and one at a time."""
    tokens = torch.arange(5, dtype=F64)[:, None]  # T = 5, d_k = 1, one head
    cache = impl.WindowCache(2)

    pieces = tokens[None].split([1, 3, 1], dim=-2)
    returned = [cache.append(piece, piece)[0].flatten().tolist() for piece in pieces]

    assert_close(returned, [[0.0], [0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], name="keys from each append")
    assert len(cache) == 5, f"len(cache) is {len(cache)} after 5 tokens"


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(2)
@tags("memory")
def test_memory_by_hand(impl):
    """Costs that can be counted on paper."""
    config = ModelConfig(n_layers=3, n_heads=4, n_kv_heads=2, d_model=20, d_k=4)

    # Keys and values, 3 layers, 2 key heads, 4 numbers, 10 tokens, 2 bytes.
    assert_close(impl.cache_bytes(config, 10), 2 * 3 * 2 * 4 * 10 * 2, name="cache_bytes")
    assert_close(impl.tokens_fed(2, 3, cached=False), 2 + 3 + 4, name="tokens_fed without a cache")
    assert_close(impl.tokens_fed(2, 3, cached=True), 2 + 1 + 1, name="tokens_fed with a cache")
    scores = (1 + 2) + (1 + 2 + 3) + (1 + 2 + 3 + 4)
    assert_close(impl.attention_scores(2, 3, cached=False), scores, name="attention_scores without a cache")
    assert_close(impl.attention_scores(2, 3, cached=True), 1 + 2 + 3 + 4, name="attention_scores with a cache")
