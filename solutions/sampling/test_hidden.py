"""Graded checks of the sampling assignment."""

import itertools
import math

import numpy as np
import pytest
import torch
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

NEVER = -math.inf
F64, F32 = torch.float64, torch.float32


def random_logits(rng, *shape, scale=2.0, dtype=F64):
    """Normal logits, far from ties."""
    return torch.from_numpy(rng.normal(scale=scale, size=shape)).to(dtype)


def some_impossible(rng, logits):
    """The same logits with about a third of the tokens at -inf, at least one of each row possible."""
    ruled_out = torch.from_numpy(rng.random(logits.shape) < 1 / 3)
    ruled_out.scatter_(-1, logits.argmin(dim=-1, keepdim=True), True)
    ruled_out.scatter_(-1, logits.argmax(dim=-1, keepdim=True), False)
    return logits.masked_fill(ruled_out, NEVER)


def kept(logp):
    """Which tokens are possible."""
    return logp > NEVER


def assert_normalized(logp):
    """Each row of probabilities adds up to 1."""
    total = logp.exp().sum(dim=-1)
    assert_close(total, torch.ones(logp.shape[:-1], dtype=logp.dtype), name="sum of probabilities")


def assert_like(answer, like):
    """The answer has the shape and dtype of its logits."""
    form = (tuple(answer.shape), str(answer.dtype)) if isinstance(answer, torch.Tensor) else type(answer).__name__
    assert_close(form, (tuple(like.shape), str(like.dtype)), name="shape and dtype")


def kept_by(answer, logits):
    """Which tokens a filter keeps. They have the odds that they had; how much mass they share is not asked here."""
    assert_like(answer, logits)
    stay = kept(answer)
    ruled_out = torch.where(stay, NEVER, answer)
    assert_close(ruled_out, torch.full_like(logits, NEVER), name="log-probabilities of tokens that are ruled out")
    # Against the best token that is kept: a filter changes all of them by the same amount.
    best = torch.where(stay, logits, NEVER).argmax(dim=-1, keepdim=True)
    odds, before = answer - answer.gather(-1, best), logits - logits.gather(-1, best)
    assert_close(odds[stay], before[stay], name="log-odds of the tokens that are kept")
    return stay


def assert_shares_all_mass(answer, logits):
    """The tokens that a filter keeps, whichever they are, add up to 1."""
    assert_close(bool(kept_by(answer, logits).all()), False, name="whether every token is kept")
    assert_normalized(answer)


# ---- Task 1: temperature ----------------------------------------------------------------------------


@number("1.1")
@weight(1)
@tags("temperature")
@pytest.mark.parametrize("kind", ["row", "batch", "ties", "impossible tokens", "one token"])
def test_greedy_takes_the_first_maximum_of_each_row(agree, rng, kind):
    """Greedy decoding picks the largest logit of each row, and the lowest id among equals."""
    shape = {"row": (9,), "one token": (3, 1)}.get(kind, (4, 3, 9))
    logits = random_logits(rng, *shape)
    logits[..., 0] -= 20.0 * (shape[-1] > 1)  # never token 0, so that it is no answer by accident
    if kind == "ties":  # 36 rows over three values: nearly every row has several maxima
        logits = torch.from_numpy(rng.integers(-1, 2, size=(36, 9))).to(F64)
    if kind == "impossible tokens":
        logits = some_impossible(rng, logits)
    rows = [logits, random_logits(rng, 6, 9)] if kind == "one token" else [logits]

    agree(lambda impl: [impl.greedy(row) for row in rows])


@number("1.2")
@weight(3)
@tags("temperature")
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_temperature_divides_every_log_odds(impl, rng, temperature, dtype):
    """The log-odds of any two tokens at temperature T are those of the logits divided by T, in any batch shape."""
    logits = random_logits(rng, 2, 3, 8, dtype=dtype)

    logp = assert_leaves_arguments(impl.apply_temperature, logits, temperature, name="apply_temperature")

    assert_like(logp, logits)
    odds = (logp - logp[..., :1]) * temperature
    assert_close(odds, logits - logits[..., :1], name="log-odds times T")
    assert_normalized(logp)


@number("1.3")
@weight(2)
@tags("temperature")
def test_temperature_zero_is_the_limit_of_small_temperatures(impl, rng):
    """At T = 0 the most probable token has probability 1, all others are impossible, and T = 0.001 is nearly there."""
    logits = random_logits(rng, 5, 7)
    best = logits.argmax(dim=-1, keepdim=True)
    logits = logits.scatter_add(-1, best, torch.ones(5, 1, dtype=F64))  # ahead of the rest by 1 or more

    frozen = impl.apply_temperature(logits, 0)
    cold = impl.apply_temperature(logits, 1e-3)

    assert_close(frozen, torch.full_like(logits, NEVER).scatter(-1, best, 0.0), name="log-probabilities at T = 0")
    # The other six tokens have at most 6 exp(-1000) of the mass: nothing in float64.
    assert_close(cold.exp(), frozen.exp(), name="probabilities at T = 0.001")
    odds = (cold - cold.gather(-1, best)) * 1e-3
    assert_close(odds, logits - logits.gather(-1, best), name="log-odds at T = 0.001 times T")


@number("1.4")
@weight(1)
@tags("temperature")
def test_temperature_zero_gives_one_token_where_several_tie(agree, rng):
    """At T = 0 the token that `greedy` picks is certain, and no other that ties with it."""
    tied = torch.from_numpy(rng.integers(0, 2, size=(12, 7))).to(F64)

    agree("apply_temperature", tied, 0.0)


@number("1.5")
@weight(2)
@tags("temperature")
@pytest.mark.parametrize("extreme", ["hot", "cold and large", "all far below zero"])
def test_temperature_holds_at_extremes(agree, rng, extreme):
    """As T grows all possible tokens become equally likely, impossible ones stay so, and large logits do no harm."""
    logits = some_impossible(rng, random_logits(rng, 4, 9))
    scaled, temperature = {
        "hot": (logits, 1e12),
        "cold and large": (logits * 60.0, 0.02),  # scaled logits in the thousands
        "all far below zero": (logits - 2000.0, 1.0),  # every exp(logit) underflows
    }[extreme]

    logp = agree("apply_temperature", scaled, temperature)

    if extreme == "hot":
        possible = kept(logits)
        uniform = possible / possible.sum(dim=-1, keepdim=True, dtype=F64)
        assert_close(logp.exp(), uniform, name="probabilities at T = 1e12")


# ---- Task 2: top-k ----------------------------------------------------------------------------------


@number("2.1")
@weight(3)
@tags("top_k")
@pytest.mark.parametrize("shape", [(11,), (4, 11), (2, 3, 11)], ids=["row", "batch", "two batch axes"])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_top_k_keeps_the_k_best_of_each_row(impl, rng, shape, dtype):
    """Each row keeps its own k best tokens and rules the others out."""
    scale = torch.from_numpy(rng.uniform(0.2, 3.0, size=(*shape[:-1], 1)))  # rows that differ in spread
    logits = (random_logits(rng, *shape) * scale).to(dtype)

    for k in (1, 3, 10):
        stay = kept_by(impl.keep_top_k(logits, k), logits)

        best = torch.zeros(shape, dtype=torch.bool).scatter(-1, logits.topk(k, dim=-1).indices, True)
        assert_close(stay.sum(dim=-1), torch.full(shape[:-1], k), name="number of tokens kept")
        assert_close(stay, best, name="tokens kept")


@number("2.2")
@weight(2)
@tags("top_k")
@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_top_k_keeps_exactly_k_where_tokens_tie(impl, rng, k):
    """Where tokens tie for the last place, exactly k are kept, and those with the lower ids."""
    logits = torch.from_numpy(rng.integers(0, 3, size=(20, 9))).to(F64)

    stay = kept_by(impl.keep_top_k(logits, k), logits)

    assert_close(stay.sum(dim=-1), torch.full((20,), k), name="number of tokens kept")
    nudged = logits - torch.arange(9, dtype=F64) / 100  # the lower id is a little ahead
    best = torch.zeros((20, 9), dtype=torch.bool).scatter(-1, nudged.topk(k, dim=-1).indices, True)
    assert_close(stay, best, name="tokens kept")


@number("2.3")
@weight(1)
@tags("top_k")
def test_top_k_limits(agree, rng):
    """k = V and any larger k keep every token, and tokens ruled out before stay out."""
    logits = random_logits(rng, 5, 8)

    whole = agree("keep_top_k", logits, 8)
    agree("keep_top_k", logits, 50)
    agree("keep_top_k", some_impossible(rng, logits), 8)

    assert_close(whole, torch.log_softmax(logits, dim=-1), name="k = V")


@number("2.4")
@weight(2)
@tags("top_k")
def test_top_k_shares_the_mass_out_among_the_kept(impl, rng):
    """The probabilities of the kept tokens add up to 1, their odds are those of before, and the logits are untouched."""
    logits = random_logits(rng, 6, 8)

    answer = assert_leaves_arguments(impl.keep_top_k, logits, 3, name="keep_top_k")

    assert_shares_all_mass(answer, logits)


# ---- Task 3: top-p and min-p ------------------------------------------------------------------------


def between_masses(logits, row, count):
    """A p that the `count` best tokens of a row reach and `count` - 1 do not, halfway between the two."""
    mass = torch.softmax(logits[row], dim=-1).sort(descending=True).values.cumsum(dim=-1)
    below = mass[count - 2] if count > 1 else 0.0
    return float((mass[count - 1] + below) / 2)


@number("3.1")
@weight(4)
@tags("top_p")
@pytest.mark.parametrize("shape", [(10,), (6, 10), (2, 3, 10)], ids=["row", "batch", "two batch axes"])
def test_top_p_keeps_the_shortest_list_that_reaches_p(impl, rng, shape):
    """The tokens kept hold at least p, without the least of them less than p, and no other is more probable."""
    logits = random_logits(rng, *shape)
    full = torch.softmax(logits, dim=-1)

    for count in (1, 2, 4, 7):
        p = between_masses(logits.reshape(-1, 10), 0, count)
        stay = kept_by(impl.keep_top_p(logits, p), logits)

        nucleus = torch.where(stay, full, 0.0)
        least = torch.where(stay, full, 1.0).amin(dim=-1)
        reaches, is_short = nucleus.sum(dim=-1) >= p, nucleus.sum(dim=-1) - least < p
        are_best = torch.where(stay, 0.0, full).amax(dim=-1) <= least
        assert_close(reaches, torch.ones_like(reaches), name="whether the tokens kept hold p")
        assert_close(is_short, torch.ones_like(is_short), name="whether they hold less than p without the least")
        assert_close(are_best, torch.ones_like(are_best), name="whether they are the most probable ones")


@number("3.2")
@weight(2)
@tags("top_p")
@pytest.mark.parametrize("case", ["tiny p", "p of 1"])
def test_top_p_limits(agree, rng, case):
    """A tiny p leaves the best token alone, and p = 1 keeps every token, even one of probability 1e-30."""
    if case == "tiny p":
        agree("keep_top_p", random_logits(rng, 4, 9, dtype=F32), 1e-4)
        return
    tail = torch.from_numpy(rng.permuted(np.tile(np.arange(9), (4, 1)), axis=1)) < 3
    with_tail = random_logits(rng, 4, 9)
    with_tail = torch.where(tail, -70.0 + with_tail, with_tail)  # three of nine tokens around 1e-30
    # Whether a running sum of floats has reached 1 before the tail hangs on rounding. Here 1/2 + 1/2 has, exactly.
    with_tail[0] = torch.tensor([-70.0, 0.0, -71.0, -72.0, -73.0, -74.0, 0.0, -75.0, -76.0], dtype=F64)
    # And here it has passed 1: nine rounded ninths add up to more, in float64.
    ninths = torch.tensor([0.0] * 9 + [-70.0, -71.0], dtype=F64)

    agree(lambda impl: [impl.keep_top_p(with_tail, 1.0), impl.keep_top_p(ninths, 1)])


@number("3.3")
@weight(1)
@tags("top_p")
@pytest.mark.parametrize("crossing", [1, 2, 3])
def test_top_p_takes_equals_in_order_of_id(impl, rng, crossing):
    """Where the crossing falls among tokens of the same probability, those with the lower ids are kept."""
    # Two tokens of weight 4 and six of weight 2 in random places: 20 in all.
    weights = rng.permuted(np.array([4, 4, 2, 2, 2, 2, 2, 2]))
    logits = torch.from_numpy(np.log(weights))
    p = (8 + 2 * crossing + 1) / 20  # in the middle of one of the six

    stay = kept_by(impl.keep_top_p(logits, p), logits)

    among_equals = stay[torch.from_numpy(weights == 2)]
    n_kept = int(among_equals.sum())
    assert_close(1 <= n_kept <= 5, True, name="whether some of the equal tokens are kept, and not all")
    assert_close(among_equals, torch.arange(6) < n_kept, name="which of the equal tokens are kept, in order of id")


@number("3.4")
@weight(3)
@tags("top_p")
@pytest.mark.parametrize("min_p", [0.02, 0.2, 0.7])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_min_p_sets_the_bar_by_the_best_token_of_each_row(impl, rng, min_p, dtype):
    """A token stays if its probability is at least min_p times the largest one of its own row, sure or unsure."""
    spread = torch.from_numpy(rng.uniform(0.3, 3.0, size=(2, 4, 1)))
    logits = (random_logits(rng, 2, 4, 12) * spread + rng.normal(scale=3.0)).to(dtype)

    stay = kept_by(impl.keep_min_p(logits, min_p), logits)

    p = torch.softmax(logits.double(), dim=-1)
    assert_close(stay, p >= min_p * p.amax(dim=-1, keepdim=True), name="tokens kept")


def at_limits(impl, cases):
    """The min-p filter on several inputs."""
    return [impl.keep_min_p(logits, min_p) for logits, min_p in cases]


@number("3.5")
@weight(2)
@tags("top_p")
def test_min_p_limits(agree, rng):
    """min_p = 0 keeps every token, min_p = 1 all tokens that share the maximum, and neither makes a NaN."""
    # Three values in every row, several tokens tied at the largest; and tokens of probability below 1e-300.
    ties = torch.from_numpy(rng.integers(0, 3, size=(8, 6)) / 3.0)
    with_tail = torch.cat([random_logits(rng, 8, 5), torch.full((8, 1), -900.0, dtype=F64)], dim=-1)
    fewer = some_impossible(rng, with_tail)

    # All answers are looked at together, so that a hint can tell one slip from another.
    agree(at_limits, [(with_tail, 0.0), (fewer, 0), (fewer, 1e-3), (ties, 0.9), (ties, 1.0)])


@number("3.6")
@weight(2)
@tags("top_p")
@pytest.mark.parametrize(("name", "setting"), [("keep_top_p", 0.6), ("keep_min_p", 0.1)], ids=["top_p", "min_p"])
def test_filters_share_the_mass_out_among_the_kept(impl, rng, name, setting):
    """The probabilities of the kept tokens add up to 1, their odds are those of before, and the logits are untouched."""
    logits = random_logits(rng, 6, 8)

    answer = assert_leaves_arguments(getattr(impl, name), logits, setting, name=name)

    assert_shares_all_mass(answer, logits)


# ---- Task 4: a draw with a given uniform number -----------------------------------------------------


def ids_of(drawn, shape, V):
    """The answer as token ids, after refusing what is none."""
    form = (tuple(drawn.shape), str(drawn.dtype)) if isinstance(drawn, torch.Tensor) else type(drawn).__name__
    assert_close(form, (shape, "torch.int64"), name="shape and dtype")
    assert_close(bool(((drawn >= 0) & (drawn < V)).all()), True, name=f"whether all ids lie in 0 .. {V - 1}")
    return drawn


@number("4.1")
@weight(3)
@tags("draw")
@pytest.mark.parametrize("shape", [(6,), (40, 6), (5, 8, 6)], ids=["row", "batch", "two batch axes"])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_draw_is_exact_for_given_uniforms(impl, rng, shape, dtype):
    """The token drawn is the one whose stretch of [0, 1) holds u, stretches laid out in order of token id."""
    logp = torch.log_softmax(random_logits(rng, *shape, scale=1.0, dtype=dtype), dim=-1)
    # Each u is put well inside a token's stretch, so that rounding decides nothing; a single row never asks for token 0.
    p = logp.double().exp().numpy()
    token = rng.integers(len(shape) == 1, 6, size=shape[:-1])[..., None]
    start = np.take_along_axis(p.cumsum(axis=-1) - p, token, axis=-1)
    u = start + np.take_along_axis(p, token, axis=-1) * rng.uniform(0.1, 0.9, size=token.shape)
    u = torch.from_numpy(u.clip(0, 0.999999)).squeeze(-1)

    drawn = impl.draw(logp, u if u.ndim else float(u))

    assert_close(drawn, torch.from_numpy(token).squeeze(-1), name="token")


@number("4.2")
@weight(3)
@tags("draw")
def test_draw_spends_evenly_spaced_uniforms_in_proportion(impl, rng):
    """With n evenly spaced uniforms every token is drawn n p times, give or take one."""
    n = 500
    logp = torch.log_softmax(random_logits(rng, 8, scale=1.0), dim=-1)
    u = torch.from_numpy((np.arange(n) + rng.uniform(0.3, 0.7)) / n)

    drawn = ids_of(impl.draw(logp.expand(n, 8), u[torch.from_numpy(rng.permutation(n))]), (n,), 8)

    # A stretch of length p holds floor(n p) or ceil(n p) of n points at equal distances 1 / n.
    in_proportion = (torch.bincount(drawn, minlength=8) - n * logp.exp()).abs() <= 1
    assert_close(in_proportion, torch.ones_like(in_proportion), name="whether a token comes up n p times, to within 1")


@number("4.3")
@weight(2)
@tags("draw")
def test_draw_never_gives_an_impossible_token(impl, rng):
    """At u = 0, at u next to 1, and where the sum is a little short of u, a token is drawn that can occur."""
    logits = random_logits(rng, 6, 9)
    logits[:, :2] = NEVER
    logits[:, 6:] = NEVER
    logp = torch.log_softmax(logits, dim=-1)
    cases = {
        "u = 0": (logp, 0.0),
        "u next to 1": (logp, math.nextafter(1.0, 0.0)),
        "u beyond the sum": (logp - 1e-6, 1 - 1e-9),
        "u = 1/2": (logp, 0.5),
    }

    # All answers are looked at together, so that a hint can tell one slip from another.
    drawn = {name: impl.draw(row, torch.full((6,), u, dtype=F64)) for name, (row, u) in cases.items()}

    for name, tokens in drawn.items():
        can_occur = kept(logp).gather(-1, ids_of(tokens, (6,), 9)[:, None]).squeeze(-1)
        assert_close(can_occur, torch.ones_like(can_occur), name=f"whether the token at {name} can occur")


@number("4.4")
@weight(1)
@tags("draw")
def test_draw_of_random_uniforms_has_the_right_frequencies(impl, rng):
    """Over many random uniforms the counts of the tokens are as far from n p as chance allows, and no farther."""
    n, V = 4000, 6
    logp = torch.log_softmax(random_logits(rng, V, scale=0.7), dim=-1)

    drawn = ids_of(impl.draw(logp.expand(n, V), torch.from_numpy(rng.random(n))), (n,), V)

    # Bernstein: P(|count - n p| > t) <= 2 exp(-t^2 / (2 n p (1 - p) + 2 t / 3)). With L = log(2 V / 1e-10),
    # t = 2 L / 3 + sqrt(2 n p (1 - p) L) is exceeded with probability below 1e-10 over all V tokens, so the
    # chi-squared statistic stays below the sum of t^2 / (n p).
    p = logp.exp()
    L = math.log(2 * V / 1e-10)
    bound = (2 * L / 3 + (2 * n * p * (1 - p) * L).sqrt()) ** 2 / (n * p)
    chi_squared = (torch.bincount(drawn, minlength=V) - n * p) ** 2 / (n * p)
    is_likely = float(chi_squared.sum()) <= float(bound.sum())
    assert_close(is_likely, True, name="whether the frequencies are as close to p as chance allows")


@number("4.5")
@weight(1)
@tags("draw")
def test_draw_leaves_its_arguments_alone(impl, rng):
    """The log-probabilities and the uniform numbers are the same after the call as before."""
    logp = torch.tensor([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5]], dtype=F64).log()
    u = torch.from_numpy(rng.uniform(0.6, 0.9, size=2))  # in the last stretch, in any order of the two

    drawn = assert_leaves_arguments(impl.draw, logp, u, name="draw")

    assert_close(drawn, torch.tensor([2, 2]), name="tokens")


# ---- A made-up language model -----------------------------------------------------------------------

STATES = 101


def made_up_model(table, calls):
    """A model whose logits depend on every token of the prefix and on their order; it notes each call."""

    def next_logits(tokens):
        prefix = [int(token) for token in tokens]
        calls.append(prefix)
        state = 0
        for token in prefix:
            state = (7 * state + token + 1) % STATES
        return table[state]

    return next_logits


def ids(rng, V, size):
    """Random token ids, as a list."""
    return [int(token) for token in rng.integers(0, V, size=size)]


# ---- Task 5: ancestral generation -------------------------------------------------------------------


def generation(impl, table, prompt, uniforms, settings):
    """What is generated, and every prefix that the model was asked about."""
    calls = []
    text = impl.generate(made_up_model(table, calls), prompt, uniforms, **settings)
    return {"text": text, "calls": calls}


def new_tokens(text, prompt):
    """The new tokens of a text, whether or not it begins with the prompt, which another check asks for."""
    assert_close(isinstance(text, list), True, name="whether the text is a list")
    return text[len(prompt) :] if text[: len(prompt)] == prompt else text


def right_parts(reference):
    """Working functions for the two things that `generate` needs from earlier tasks."""
    return {"distribution": reference.next_log_probs, "pick": reference.draw}


@number("5.1")
@weight(2)
@tags("generate")
@pytest.mark.parametrize("prompt_length", [0, 1, 5], ids=lambda n: f"prompt of {n} tokens")
def test_generation_draws_each_token_with_its_own_uniform(agree, rng, reference, prompt_length):
    """New token t is drawn with uniform number t, however long the prompt is, and the text begins with the prompt."""
    table, prompt = random_logits(rng, STATES, 8, scale=1.5), ids(rng, 8, prompt_length)
    parts = right_parts(reference)

    def text(impl, uniforms, n):
        return generation(impl, table, prompt, uniforms, {"max_new_tokens": n, **parts})["text"]

    agree(text, rng.random(20), 12)
    agree(text, rng.random(20), 0)


@number("5.2")
@weight(2)
@tags("generate")
@pytest.mark.parametrize("place", ["first", "later", "in the prompt", "never"], ids=lambda p: f"eos {p}")
def test_generation_ends_with_the_first_new_eos(impl, rng, reference, place):
    """The first new token equal to eos is kept and ends the text; an eos in the prompt ends nothing."""
    table, prompt = random_logits(rng, STATES, 6, scale=0.5), [3]
    table[:, 5] = NEVER  # eos only where it is put below
    if place == "in the prompt":
        prompt = [5]
    uniforms = rng.random(15)
    if place in ("first", "later"):
        table[:, 5] = 0.0
        uniforms[0 if place == "first" else 4] = 0.9999  # the last stretch is that of token 5
    if place == "later":
        uniforms[:4] *= 0.5  # and the first half never reaches it
    settings = {"max_new_tokens": 10, "eos": 5, **right_parts(reference)}

    new = new_tokens(generation(impl, table, prompt, uniforms, settings)["text"], prompt)

    due = {"first": 1, "later": 5}.get(place, 10)
    assert_close(len(new), due, name="number of new tokens")
    ends = [5] if due < 10 else []
    assert_close([token for token in new if token == 5], ends, name="eos among the new tokens")
    assert_close(len(set(new)) > 1 or due == 1, True, name="whether the model's own tokens are drawn")


def three_texts(impl, table, prompt, uniforms, settings):
    """The new tokens that are generated with each row of uniforms."""
    return [new_tokens(generation(impl, table, prompt, row, settings)["text"], prompt) for row in uniforms]


@number("5.3")
@weight(3)
@tags("generate")
@pytest.mark.parametrize(
    "setting",
    ["temperature", "greedy", "top_k", "top_p", "min_p", "penalty", "all"],
    ids=lambda setting: "temperature of 0" if setting == "greedy" else f"{setting} set",
)
def test_generation_passes_its_settings_on(agree, rng, reference, setting):
    """Temperature, filters and penalty act on every draw; the penalty sees the prompt and all new tokens."""
    table, prompt = random_logits(rng, STATES, 9, scale=1.5), ids(rng, 9, 1)
    settings = {"temperature": 0.7, "top_k": 6, "top_p": 0.9, "min_p": 0.1, "penalty": 2.5}
    if setting != "all":
        # Beside a temperature or a penalty, so that a filter that does nothing is not a setting that is lost.
        alone = {
            "temperature": {"temperature": 2.0},
            "greedy": {"temperature": 0.0, "penalty": 2.5},
            "top_k": {"top_k": 2, "temperature": 1.5},
            "top_p": {"top_p": 0.4, "temperature": 1.5},
            "min_p": {"min_p": 0.5, "temperature": 1.5},
            "penalty": {"penalty": 2.5},
        }
        settings = alone[setting]
    # The prompt's token is the model's favorite, so that a penalty which forgets the prompt shows.
    table[:, prompt[0]] += 1.5
    settings |= right_parts(reference)

    agree(three_texts, table, prompt, rng.random((3, 20)), {"max_new_tokens": 15, **settings})


@number("5.4")
@weight(1)
@tags("generate")
def test_generation_leaves_the_prompt_alone(impl, rng, reference):
    """The prompt and the uniform numbers are the same after the call as before."""
    table = torch.full((STATES, 4), NEVER, dtype=F64)
    only = int(rng.integers(1, 4))
    table[:, only] = 0.0  # one token is possible, whatever is asked and drawn
    model, parts = made_up_model(table, []), right_parts(reference)

    text = assert_leaves_arguments(
        impl.generate, model, [0], rng.random(3).tolist(), name="generate", max_new_tokens=3, **parts
    )

    assert_close(new_tokens(text, [0]), [only] * 3, name="new tokens")


@number("5.5")
@weight(2)
@tags("generate")
def test_generation_asks_the_model_once_for_each_new_token(impl, rng, reference):
    """The model is called once per new token, with the prompt and all new tokens so far, and never after the end."""
    table, prompt = random_logits(rng, STATES, 8, scale=1.5), ids(rng, 6, 3)
    endless, ending = table.clone(), table.clone()
    endless[:, 7], ending[:, 7] = NEVER, 9.0  # eos never, or nearly always
    settings = {"max_new_tokens": 9, "eos": 7, **right_parts(reference)}

    # All answers are looked at together, so that a hint can tell one slip from another.
    found = [generation(impl, table, prompt, rng.random(20), settings) for table in (endless, ending)]

    for answer, ends in zip(found, (False, True), strict=True):
        new = new_tokens(answer["text"], prompt)
        n_due = len(new) + (ends and new[-1:] != [7])  # an eos that was not kept was asked for, too
        assert_close(n_due >= 1, True, name="whether there are new tokens")
        expected = [[*prompt, *new[:n]] for n in range(n_due)]
        assert_close(answer["calls"], expected, name="what the model was asked")


# ---- Task 6: beam search ----------------------------------------------------------------------------


def search(impl, table, prompt, settings):
    """The hypotheses found, and every prefix that the model was asked about, in no particular order."""
    calls = []
    found = impl.beam_search(made_up_model(table, calls), prompt, **settings)
    return {"hypotheses": found, "calls": sorted(calls)}


def hypotheses_of(answer, most):
    """The pairs (tokens, score) of an answer, after refusing what is no list of them."""
    is_list = isinstance(answer, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], list) and isinstance(pair[1], float)
        for pair in answer
    )
    assert_close(is_list, True, name="whether the result is a list of pairs of a list and a float")
    assert_close(1 <= len(answer) <= most, True, name="whether there are 1 to beam_width hypotheses")
    return answer


@number("6.1")
@weight(5)
@tags("beam")
@pytest.mark.parametrize("beam_width", [2, 3, 5])
def test_beam_keeps_the_best_extensions_of_all_hypotheses(agree, rng, beam_width):
    """At each step the most probable extensions of all live hypotheses together go on, by their summed logs."""
    for prompt_length in (1, 4):
        table, prompt = random_logits(rng, STATES, 7, scale=1.2), ids(rng, 6, prompt_length)

        agree(search, table, prompt, {"beam_width": beam_width, "max_new_tokens": 5})


@number("6.2")
@weight(1)
@tags("beam")
def test_beam_of_width_one_is_greedy(impl, rng):
    """A beam of width 1 follows the greedy path, and its score is the sum of the log-probabilities on it."""
    table = random_logits(rng, STATES, 6)
    model = made_up_model(table, [])

    answer = assert_leaves_arguments(impl.beam_search, model, [2, 0], name="beam_search", beam_width=1, max_new_tokens=6)

    path, total = [2, 0], 0.0
    for _ in range(6):
        logp = torch.log_softmax(model(path), dim=-1)
        total += float(logp.max())
        path.append(int(logp.argmax()))
    assert_close(answer, [(path, total)], name="hypotheses")


@number("6.3")
@weight(3)
@tags("beam")
def test_beam_wide_enough_finds_the_true_maximum(impl, rng):
    """A beam as wide as there are hypotheses is an exhaustive search: no text has a better score than its first."""
    V, depth = 4, 4
    table = random_logits(rng, STATES, V, scale=1.5)

    found = search(impl, table, [1], {"beam_width": V**depth, "max_new_tokens": depth})["hypotheses"]

    model = made_up_model(table, [])
    best = (NEVER, None)
    for new in itertools.product(range(V), repeat=depth):
        text = [1, *new]
        scores = [torch.log_softmax(model(text[:t]), dim=-1)[text[t]] for t in range(1, depth + 1)]
        best = max(best, (float(sum(scores)), text))
    assert_close(hypotheses_of(found, V**depth)[0], (best[1], best[0]), name="best hypothesis")


@number("6.4")
@weight(2)
@tags("beam")
@pytest.mark.parametrize("length_penalty", [0.5, 1.0, 2.0])
def test_beam_divides_by_the_number_of_new_tokens(impl, rng, length_penalty):
    """The score of a text is its log-probability over a power of the number of new tokens: eos counts, the prompt not."""
    table = random_logits(rng, STATES, 5, scale=1.0)
    table[:, 4] += 1.0  # many hypotheses end early, at different lengths
    settings = {"beam_width": 4, "max_new_tokens": 6, "eos": 4, "length_penalty": length_penalty}

    for prompt_length in (0, 1, 9):
        prompt = ids(rng, 4, prompt_length)
        found = hypotheses_of(search(impl, table, prompt, settings)["hypotheses"], 4)

        # The submission's own texts, whichever they are, scored again.
        model, scores = made_up_model(table, []), []
        for text, _ in found:
            assert_close(text[:prompt_length], prompt, name="beginning of a text")
            steps = range(prompt_length, len(text))
            total = sum(float(torch.log_softmax(model(text[:t]), dim=-1)[text[t]]) for t in steps)
            scores.append(total / max(1, len(steps)) ** length_penalty)
        assert_close([score for _, score in found], scores, name="scores")
        assert_close(scores, sorted(scores, reverse=True), name="scores in falling order")


@number("6.5")
@weight(2)
@tags("beam")
@pytest.mark.parametrize("likely", [0.0, 2.0, 6.0], ids=["few end", "many end", "nearly all end"])
def test_beam_sets_finished_hypotheses_aside(agree, rng, likely):
    """A finished hypothesis is never given to the model again and keeps its score; the next step is as wide again."""
    table = random_logits(rng, STATES, 6, scale=1.0)
    table[:, 5] += likely

    agree(search, table, [5, 1], {"beam_width": 3, "max_new_tokens": 6, "eos": 5})


@number("6.6")
@weight(1)
@tags("beam")
def test_beam_breaks_ties_in_order(agree, rng):
    """Of equally probable extensions, those of the higher-ranked hypothesis go first, then those with lower ids."""
    table = torch.zeros(STATES, 5, dtype=F64)
    # Two tokens never, others in two classes of equal probability, the same after every prefix.
    classes = torch.from_numpy(rng.permuted(np.array([NEVER, 0.0, 0.0, 1.0, 1.0])))

    agree(search, table, ids(rng, 5, 2), {"beam_width": 3, "max_new_tokens": 3})
    agree(search, table + classes, ids(rng, 5, 2), {"beam_width": 5, "max_new_tokens": 2})


@number("6.7")
@weight(1)
@tags("beam")
@pytest.mark.parametrize("beam_width", [1, 3])
def test_beam_ends_when_no_hypothesis_is_live(agree, rng, beam_width):
    """Where every hypothesis has ended early, the search ends with them, however many tokens were allowed."""
    table = torch.full((STATES, 4), NEVER, dtype=F64)
    table[:, 3] = 0.0  # only eos can follow, but for the first token
    table[0] = random_logits(rng, 4)  # state 0 is that of the empty prompt
    # None of the states after one token is state 0, because 1 <= token + 1 < STATES.

    agree(search, table, [], {"beam_width": beam_width, "max_new_tokens": 6, "eos": 3})


# ---- Task 7: how surprised a model is ---------------------------------------------------------------


@number("7.1")
@weight(1)
@tags("perplexity")
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_entropy_lies_between_zero_and_log_V(agree, rng, dtype):
    """Entropy is in nats: log V for the uniform distribution, 0 for a certain token, and never NaN."""
    logp = torch.log_softmax(random_logits(rng, 2, 5, 7, dtype=dtype), dim=-1)
    extremes = torch.zeros(2, 7, dtype=dtype).log_softmax(dim=-1)
    extremes[1] = NEVER
    extremes[1, 3] = 0.0

    agree("entropy", logp)
    agree("entropy", logp[0, 0])
    agree("entropy", torch.log_softmax(some_impossible(rng, logp), dim=-1))
    agree(lambda impl: assert_leaves_arguments(impl.entropy, extremes, name="entropy"))


def scoring(impl, table, tokens, start):
    """The scores of a text, and every prefix that the model was asked about."""
    calls = []
    scores = impl.token_log_probs(made_up_model(table, calls), tokens, start=start)
    return {"scores": scores, "calls": sorted(calls)}


@number("7.2")
@weight(2)
@tags("perplexity")
@pytest.mark.parametrize("start", [0, 1, 4, 8])
def test_each_token_is_scored_after_all_before_it(agree, rng, start):
    """A token's score is what the model gives it after exactly the tokens before it."""
    table, tokens = random_logits(rng, STATES, 6), ids(rng, 6, 9)

    agree(scoring, table, tokens, start)


@number("7.3")
@weight(2)
@tags("perplexity")
@pytest.mark.parametrize("case", ["uniform", "random", "impossible token", "large"])
def test_perplexity_is_a_geometric_mean(agree, rng, case):
    """Perplexity is V for a uniform model, infinite after an impossible token, and a geometric mean in between."""
    V = int(rng.integers(3, 50))
    logp = torch.from_numpy(-rng.exponential(size=(4, 5)))
    scores = {
        "uniform": torch.full((6,), -math.log(V), dtype=F64),
        "random": logp,
        "impossible token": torch.cat([logp.flatten(), torch.tensor([NEVER], dtype=F64)]),
        "large": torch.cat([logp.flatten()] * 300),  # 6,000 tokens: the product of their probabilities underflows
    }[case]

    found = agree("perplexity", scores)

    if case == "uniform":
        assert_close(float(found), float(V), name="perplexity of the uniform model")


# ---- Task 8: Shannon's n-gram model -----------------------------------------------------------------


def texts(rng, V, lengths):
    """Random texts of the given lengths, as lists, with the lower ids more frequent."""
    odds = 1.0 / np.arange(1, V + 1)
    return [[int(t) for t in rng.choice(V, size=length, p=odds / odds.sum())] for length in lengths]


@number("8.1")
@weight(2)
@tags("ngram")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_counts_stay_within_a_text(agree, rng, n):
    """A text of T tokens has T - n + 1 n-grams, none if it is shorter, and none reaches into the next
    text."""
    lengths = [30, 0, 1, 2, 17]

    corpus = texts(rng, 4, lengths)

    agree(lambda impl: assert_leaves_arguments(impl.ngram_counts, corpus, n, name="ngram_counts"))


@number("8.2")
@weight(2)
@tags("ngram")
@pytest.mark.parametrize("alpha", [0.0, 0.3, 5.0])
def test_additive_smoothing_gives_every_token_its_share(agree, rng, reference, alpha):
    """alpha is added to the count of each of the V tokens; a context never seen gives the uniform
    distribution."""
    V = 6  # token 5 occurs in no text
    corpus = texts(rng, 5, [25, 40])
    for n in (1, 2, 3):
        counts = reference.ngram_counts(corpus, n)
        history = corpus[0][:10]
        unseen = [0, 5, 5]

        for tokens in (history, corpus[1], unseen, []):
            logp = agree("ngram_log_probs", counts, tokens, n=n, vocab_size=V, alpha=alpha)
            assert_close(float(logp.exp().sum()), 1.0, name="sum of probabilities")


@number("8.3")
@weight(1)
@tags("ngram")
@pytest.mark.parametrize("weight_", [0.0, 0.4, 0.9, 1.0], ids=lambda w: f"weight={w}")
def test_interpolation_hands_what_it_lacks_to_the_shorter_context(agree, rng, reference, weight_):
    """Each order mixes with the one below it; where its context was never seen, the one below it decides
    alone."""
    V = 6
    corpus = texts(rng, 5, [30, 30])
    orders = [reference.ngram_counts(corpus, n) for n in (1, 2, 3)]
    histories = [corpus[0][:8], [0, 5, corpus[1][0]], [0, 5], [corpus[1][3]], []]

    for upto in range(4):
        for tokens in histories:
            logp = agree("interpolated_log_probs", orders[:upto], tokens, vocab_size=V, weight=weight_)
            assert_close(float(logp.exp().sum()), 1.0, name="sum of probabilities")


@number("8.4")
@weight(1)
@tags("ngram")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_training_loss_is_the_conditional_entropy(agree, rng, reference, n):
    """The unsmoothed model's mean surprise on its own text is the conditional entropy; 0 if nothing is
    left open."""
    text = texts(rng, 4, [60])[0]
    cycle = [0, 1, 2, 3] * 5

    loss = agree("conditional_entropy", reference.ngram_counts([text], n))
    # Contexts of very different frequency: a mean over contexts is not a mean over tokens.
    agree("conditional_entropy", {(0,): {0: 90, 1: 10}, (1,): {0: 1, 1: int(rng.integers(1, 4)), 2: 1}})
    certain = agree("conditional_entropy", reference.ngram_counts([cycle], n))

    counts = reference.ngram_counts([text], n)
    surprise = [
        -float(reference.ngram_log_probs(counts, text[:t], n=n, vocab_size=4)[text[t]])
        for t in range(n - 1, len(text))
    ]
    assert_close(float(loss), float(np.mean(surprise)), name="entropy against the loss on the same text")
    assert_close(float(certain), math.log(4) if n == 1 else 0.0, name="entropy of a cycle of four tokens")
