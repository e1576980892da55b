"""The checks you can run yourself: `pytest` in this folder, or `pytest --task cache` for one task."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_stays_on_device
from coursekit.compare import assert_close
from coursekit.toys import ModelConfig, forward, random_weights
from coursekit.toys import _attention as attention_without_a_cache

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
@weight(1)
@tags("naive")
def test_naive_ends_with_eos(impl):
    """A model that counts goes on until it says eos, be it its first word; the prompt's eos ends nothing."""
    later = impl.generate_naive(counting_model, [3, 4], max_len=20, eos=8)
    at_once = impl.generate_naive(counting_model, [3, 4], max_len=20, eos=5)
    in_the_prompt = impl.generate_naive(counting_model, [3, 4], max_len=20, eos=3)

    assert_close(later, [3, 4, 5, 6, 7, 8], name="tokens when 8 is eos")
    assert_close(at_once, [3, 4, 5], name="tokens when 5 is eos")
    assert_close(in_the_prompt, [3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3], name="tokens when 3 is eos")


@number("1.p2")
@weight(1)
@tags("naive")
def test_naive_counts_generated_tokens(impl):
    """max_len tokens are generated, and for each of them the model reads everything so far."""
    fed = []

    def model(tokens):
        fed.append(tokens.tolist())
        return counting_model(tokens)

    assert_close(impl.generate_naive(model, [3, 4], max_len=3), [3, 4, 5, 6, 7], name="tokens")
    assert_close(fed, [[3, 4], [3, 4, 5], [3, 4, 5, 6]], name="what the model was fed, call by call")
    assert_close(impl.generate_naive(model, [3], max_len=0), [3], name="tokens with max_len=0")


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1.5)
@tags("cache")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=str)
def test_cache_holds_what_was_appended(impl, torch_rng, device, dtype):
    """After three appends the cache returns all tokens in order; truncated and reset, it goes on from
    there."""
    k, v = (normal(torch_rng, 2, 3, 6, 4, device=device).to(dtype) for _ in range(2))
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
@weight(0.5)
@tags("cache")
def test_cache_allocates_once_and_copies_apart(impl, torch_rng):
    """Room is asked for at the first append and for a copy, and never again; a copy goes its own way."""
    k, asked = normal(torch_rng, 3, 4, 2), []

    def allocate(shape, *, dtype, device=None):
        asked.append(torch.Size(shape).numel())
        return torch.full(tuple(shape), float("nan"), dtype=dtype)

    cache = impl.LayerCache(4, allocate=allocate)
    for t in range(3):
        cache.append(k[:, t : t + 1], -k[:, t : t + 1])
    alone = sum(asked)
    copied = cache.copy()
    copied.append(k[:, :1], -k[:, :1])
    keys, values = cache.append(k[:, 3:], -k[:, 3:])
    of_the_copy, _ = copied.append(k[:, :0], k[:, :0])

    assert_close((alone, sum(asked)), (48, 2 * 48), name="numbers asked for, without the copy and with it")
    assert_close(of_the_copy, k[:, [0, 1, 2, 0]], name="keys of the copy")
    assert_close((keys, values), (k, -k), name="keys and values of the first cache")


@number("2.p3")
@weight(0)
@tags("cache")
@pytest.mark.gpu
def test_cache_stays_on_the_device(impl, torch_rng, device):
    """On a GPU, for no points: a float16 cache asks for memory where the keys are, and no append waits for the host."""
    k, v = (normal(torch_rng, 2, 3, 40, 8, device=device).half() for _ in range(2))
    named = []

    def allocate(shape, *, dtype, device=None):
        named.append(device is not None)
        return torch.full(tuple(shape), float("nan"), dtype=dtype).to(k.device)

    cache = impl.LayerCache(40, allocate=allocate)
    for start, stop in [(0, 32), (32, 33), (33, 40)]:
        new = (x[..., start:stop, :] for x in (k, v))
        keys, values = assert_stays_on_device(cache.append, *new, name="append")

    assert_close(all(named), True, name="whether allocate is told a device")
    assert_close((keys, values), (k, v), name="keys and values")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1.5)
@tags("visible")
@pytest.mark.parametrize(
    ("options", "want"),
    [
        pytest.param({}, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], id="causal"),
        pytest.param({"window": 2}, [[0, 0, 1, 1, 0], [0, 0, 0, 1, 1]], id="window"),
        pytest.param({"padding": [1]}, [[0, 1, 1, 1, 0], [0, 1, 1, 1, 1]], id="padding"),
    ],
)
def test_visible_by_hand(impl, options, want):
    """Two new tokens after three: who sees whom, drawn by hand."""
    options = {name: torch.tensor(n) if name == "padding" else n for name, n in options.items()}

    seen = impl.visible_keys(2, 5, **options)

    assert_close(tuple(seen.shape), (1, 1, 2, 5) if "padding" in options else (2, 5), name="shape")
    for query, row in enumerate(want):
        keys = seen.reshape(2, 5)[query]
        assert_close(keys, torch.tensor(row, dtype=torch.bool), name=f"keys 0 to 4 as seen by query {query}")


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
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


@number("4.p3")
@weight(1)
@tags("grouped")
def test_grouped_sees_nothing(impl, torch_rng):
    """A query that sees no key gets zeros; one that sees a single key gets its value, whatever the score."""
    q, k, v = (1000 * normal(torch_rng, 2, 2, 3) for _ in range(3))
    visible = torch.tensor([[False, False], [True, False]])

    out = impl.grouped_attention(q, k, v, visible)

    assert_close(out[:, 0], torch.zeros(2, 3, dtype=F64), name="output where nothing is seen")
    assert_close(out[:, 1], v[:, 0], name="output where one key is seen")


# --- Task 5 ------------------------------------------------------------------------------------


def plain_attention(q, keys, values, *, padding=None, window=None):
    """Causal attention for as many key heads as query heads, by torch; the last query is the last key."""
    T_q, T_k = q.shape[-2], keys.shape[-2]
    seen = torch.ones(T_q, T_k, dtype=torch.bool, device=q.device).tril(T_k - T_q)
    return torch.nn.functional.scaled_dot_product_attention(q, keys, values, attn_mask=seen)


@number("5.p1")
@weight(1.5)
@tags("layer")
def test_layer_averages_what_came_so_far(impl, torch_rng, device):
    """With W_Q = 0 all keys count alike: each token gets the mean of the values so far, head by head."""
    config = ModelConfig(n_layers=1, n_heads=2, n_kv_heads=2, d_model=4, d_k=2)
    one, x = torch.eye(4, dtype=F64, device=device), normal(torch_rng, 2, 5, 4, device=device)
    weights = {"W_Q": 0 * one, "W_K": one, "W_V": 2 * one, "W_O": one}
    cache = impl.GrowingCache()

    pieces = [x[:, :3], x[:, 3:4], x[:, 4:]]
    out = [impl.cached_attention(config, weights, piece, cache, attend=plain_attention) for piece in pieces]

    means = 2 * x.cumsum(1) / torch.arange(1, 6, device=device)[:, None]
    assert len(cache) == 5, f"len(cache) is {len(cache)} after 5 tokens"
    assert_close(torch.cat(out, -2), means)


@number("5.p2")
@weight(1)
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

    assert_close(torch.cat(split, -2), whole, name="output in pieces")
    # The first token sees itself alone, wherever it stands.
    first = (x[:, 0] @ weights["W_V"]) @ weights["W_O"]
    assert_close(whole[:, 0], first, name="output at the first token")


# --- Task 6 ------------------------------------------------------------------------------------


def forgetful_layer(config, weights, x, cache, *, padding=None, window=None):
    """A layer to lend: its cache keeps what came in, and everything is computed again."""
    inputs, _ = cache.append(x[..., None, :, :], x[..., None, :, :])
    inputs, n = inputs[..., 0, :, :], inputs.shape[-2]
    seen = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()
    whole = attention_without_a_cache(config, weights, inputs, torch.arange(n, device=x.device), seen)
    return whole[..., n - x.shape[-2] :, :]


@number("6.p1")
@weight(1.5)
@tags("model")
@pytest.mark.parametrize("lengths", [(7,), (4, 1, 1, 1)], ids=["at once", "prompt then tokens"])
def test_model_equals_the_uncached_one(impl, rng, device, lengths):
    """With a layer that is lent, the logits at every position are those of coursekit.toys.forward."""
    weights = weights_on(device, SIZE, rng)
    tokens = torch.from_numpy(rng.integers(0, 17, size=(2, 7))).to(device)
    caches = [impl.GrowingCache() for _ in range(SIZE.n_layers)]

    pieces = tokens.split(lengths, -1)
    logits = [impl.cached_forward(SIZE, weights, piece, caches, layer=forgetful_layer) for piece in pieces]

    assert_close(torch.cat(logits, -2), forward(SIZE, weights, tokens), name="logits")


@number("6.p2")
@weight(0.5)
@tags("model")
def test_model_of_your_own_parts(impl, rng, device):
    """All your parts together, in float32: the logits are those of coursekit.toys.forward."""
    weights = {name: weight.float() for name, weight in weights_on(device, SIZE, rng).items()}
    tokens = torch.from_numpy(rng.integers(0, 17, size=(2, 7))).to(device)
    caches = impl.new_caches(SIZE)

    logits = [impl.cached_forward(SIZE, weights, piece, caches) for piece in tokens.split([4, 1, 2], -1)]

    assert_close(torch.cat(logits, -2), forward(SIZE, weights, tokens), name="logits")


@number("6.p3")
@weight(1.5)
@tags("model")
@pytest.mark.parametrize(
    ("draft", "won"),
    [
        pytest.param([4, 5, 9], [4, 5, 6], id="two right"),
        pytest.param([4, 5], [4, 5, 6], id="all right"),
        pytest.param([7, 5, 6], [4], id="none right"),
    ],
)
def test_model_judges_a_draft(impl, draft, won):
    """A model that counts has read 1 and 2 and said 3; now somebody guesses how it goes on."""
    caches, fed = [impl.GrowingCache() for _ in range(2)], []

    def step(tokens):
        fed.append(tokens.tolist())
        for cache in caches:
            cache.append(*(tokens[None, :, None].double(),) * 2)
        return counting_model(tokens)

    step(torch.tensor([1, 2]))

    tokens = impl.accept_draft(step, caches, 3, list(draft))

    assert_close(tokens, won, name="tokens won")
    assert_close(fed[1:], [[3, *draft]], name="what step was fed, call by call")
    held = [cache.keys[0, :, 0].tolist() for cache in caches]
    due = [float(token) for token in [1, 2, 3, *won[:-1]]]
    assert_close(held, [due, due], name="tokens that the caches hold")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1.5)
@tags("generate")
def test_generate_feeds_each_token_once(impl):
    """The prompt in one call, then token by token, except the last."""
    fed = []

    def step(tokens):
        fed.append(tokens.tolist())
        return counting_model(tokens)

    assert_close(impl.generate_cached(step, [3, 4], max_len=3), [3, 4, 5, 6, 7], name="tokens")
    assert_close(fed, [[3, 4], [5], [6]], name="what step was fed, call by call")
    ended = impl.generate_cached(counting_model, [3, 4], max_len=9, eos=5)
    assert_close(ended, [3, 4, 5], name="tokens when the first one is eos")


@number("7.p2")
@weight(1)
@tags("generate")
def test_generate_left_pad_by_hand(impl):
    """The shorter prompt gets its filler in front, also when the filler is a token of the prompt."""
    tokens, padding = impl.left_pad([[5], [1, 2, 3]], pad=5)

    assert_close(tokens, torch.tensor([[5, 5, 5], [1, 2, 3]]), name="tokens")
    assert_close(padding, torch.tensor([2, 0]), name="padding")


@number("7.p3")
@weight(1.5)
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
@weight(2.5)
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
@weight(0.5)
@tags("memory")
def test_memory_of_a_small_model(impl):
    """3 layers with 2 key heads of 4 numbers keep 10 tokens in 960 bytes of bfloat16."""
    config = ModelConfig(n_layers=3, n_heads=4, n_kv_heads=2, d_model=20, d_k=4)

    assert_close(impl.cache_bytes(config, 10), 960, name="cache_bytes")


@number("9.p2")
@weight(0.5)
@tags("memory")
def test_memory_of_a_batch_with_a_window(impl):
    """5 sequences in float32 take ten times as much; a window of 4 keeps 4 of the 10 tokens."""
    config = ModelConfig(n_layers=3, n_heads=4, n_kv_heads=2, d_model=20, d_k=4)

    batch = impl.cache_bytes(config, 10, batch=5, bytes_per_number=4)
    window = impl.cache_bytes(config, 10, window=4)

    assert_close((batch, window), (9600, 384), name="cache_bytes")


@number("9.p3")
@weight(0.5)
@tags("memory")
def test_memory_tokens_fed(impl):
    """Three tokens after a prompt of two: 2, 3 and 4 are fed without a cache, and 2, 1 and 1 with one."""
    assert_close(impl.tokens_fed(2, 3, cached=False), 2 + 3 + 4, name="tokens_fed without a cache")
    assert_close(impl.tokens_fed(2, 3, cached=True), 2 + 1 + 1, name="tokens_fed with a cache")


@number("9.p4")
@weight(0.5)
@tags("memory")
def test_memory_attention_scores(impl):
    """For the same three tokens, one head scores 19 pairs without a cache and 10 with one."""
    assert_close(impl.attention_scores(2, 3, cached=False), 19, name="attention_scores without a cache")
    assert_close(impl.attention_scores(2, 3, cached=True), 10, name="attention_scores with a cache")
