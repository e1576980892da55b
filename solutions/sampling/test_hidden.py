"""Graded checks of the sampling assignment."""

import itertools
import math

import numpy as np
import pytest
import torch
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


def assert_normalised(logp):
    """Each row of probabilities adds up to 1."""
    total = logp.exp().sum(dim=-1)
    assert_close(total, torch.ones(logp.shape[:-1], dtype=logp.dtype), name="sum of probabilities")


# ---- Task 1: temperature ----------------------------------------------------------------------------


@number("1.1")
@weight(2)
@tags("temperature")
@pytest.mark.parametrize("kind", ["row", "batch", "ties", "impossible tokens", "one token"])
def test_greedy_takes_the_first_maximum_of_each_row(agree, rng, kind):
    """Greedy decoding picks the largest logit of each row, and the lowest id among equals."""
    shape = {"row": (9,), "one token": (3, 1)}.get(kind, (4, 3, 9))
    logits = random_logits(rng, *shape)
    if kind == "ties":  # 36 rows over three values: nearly every row has several maxima
        logits = torch.from_numpy(rng.integers(-1, 2, size=(36, 9))).to(F64)
    if kind == "impossible tokens":
        logits = some_impossible(rng, logits)

    agree("greedy", logits)


@number("1.2")
@weight(3)
@tags("temperature")
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_temperature_divides_every_log_odds(agree, rng, temperature, dtype):
    """The log-odds of any two tokens at temperature T are those of the logits divided by T, in any batch
    shape."""
    logits = random_logits(rng, 2, 3, 8, dtype=dtype)

    logp = agree("apply_temperature", logits, temperature)

    odds = (logp - logp[..., :1]) * temperature
    assert_close(odds, logits - logits[..., :1], name="log-odds times T")
    assert_normalised(logp)


@number("1.3")
@weight(2)
@tags("temperature")
def test_temperature_zero_is_greedy(agree, rng):
    """At T = 0 the greedy token has probability 1, ties included, and as T goes to 0 the distribution
    goes there."""
    logits = random_logits(rng, 5, 7)
    best = logits.argmax(dim=-1, keepdim=True)
    logits = logits.scatter_add(-1, best, torch.ones(5, 1, dtype=F64))  # ahead of the rest by 1 or more
    tied = torch.from_numpy(rng.integers(0, 2, size=(12, 7))).to(F64)

    frozen = agree("apply_temperature", logits, 0)
    agree("apply_temperature", tied, 0.0)
    cold = agree("apply_temperature", logits, 1e-3)

    # The other six tokens have at most 6 exp(-1000) of the mass: nothing in float64.
    assert_close(cold.exp(), frozen.exp(), name="probabilities at T = 0.001")


@number("1.4")
@weight(2)
@tags("temperature")
def test_temperature_grows_to_the_uniform_distribution_over_possible_tokens(agree, rng):
    """As T grows all possible tokens become equally likely; impossible ones stay so; large logits do no
    harm."""
    logits = some_impossible(rng, random_logits(rng, 4, 9))

    hot = agree("apply_temperature", logits, 1e12)
    agree("apply_temperature", logits * 60.0, 0.02)  # scaled logits in the thousands
    agree("apply_temperature", logits - 2000.0, 1.0)  # every exp(logit) underflows

    possible = kept(logits)
    uniform = possible / possible.sum(dim=-1, keepdim=True, dtype=F64)
    assert_close(hot.exp(), uniform, name="probabilities at T = 1e12")


# ---- Task 2: top-k ----------------------------------------------------------------------------------


@number("2.1")
@weight(3)
@tags("top_k")
@pytest.mark.parametrize("shape", [(11,), (4, 11), (2, 3, 11)], ids=["row", "batch", "two batch axes"])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_top_k_keeps_the_k_best_of_each_row(agree, rng, shape, dtype):
    """Each row keeps its own k best tokens with renormalised log-probabilities, the others get -inf."""
    scale = torch.from_numpy(rng.uniform(0.2, 3.0, size=(*shape[:-1], 1)))  # rows that differ in spread
    logits = (random_logits(rng, *shape) * scale).to(dtype)

    for k in (1, 3, 10):
        logp = agree("keep_top_k", logits, k)

        assert_close(kept(logp).sum(dim=-1), torch.full(shape[:-1], k), name="number of tokens kept")
        assert_normalised(logp)


@number("2.2")
@weight(3)
@tags("top_k")
@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_top_k_keeps_exactly_k_where_tokens_tie(agree, rng, k):
    """Where tokens tie for the last place, exactly k are kept, and those with the lower ids."""
    logits = torch.from_numpy(rng.integers(0, 3, size=(20, 9))).to(F64)

    logp = agree("keep_top_k", logits, k)

    assert_close(kept(logp).sum(dim=-1), torch.full((20,), k), name="number of tokens kept")


@number("2.3")
@weight(2)
@tags("top_k")
def test_top_k_limits(agree, rng):
    """k = V and any larger k keep every token, k = 1 is greedy, and tokens ruled out before stay out."""
    logits = random_logits(rng, 5, 8)
    fewer = some_impossible(rng, random_logits(rng, 5, 8))

    whole = agree("keep_top_k", logits, 8)
    agree("keep_top_k", logits, 50)
    single = agree("keep_top_k", logits, 1)
    agree("keep_top_k", fewer, 7)

    assert_close(whole, torch.log_softmax(logits, dim=-1), name="k = V")
    assert_close(single.argmax(dim=-1), logits.argmax(dim=-1), name="the token left by k = 1")


# ---- Task 3: top-p and min-p ------------------------------------------------------------------------


def between_masses(logits, row, count):
    """A p that the `count` best tokens of a row reach and `count` - 1 do not, halfway between the two."""
    mass = torch.softmax(logits[row], dim=-1).sort(descending=True).values.cumsum(dim=-1)
    below = mass[count - 2] if count > 1 else 0.0
    return float((mass[count - 1] + below) / 2)


@number("3.1")
@weight(3)
@tags("top_p")
@pytest.mark.parametrize("shape", [(10,), (6, 10), (2, 3, 10)], ids=["row", "batch", "two batch axes"])
def test_top_p_keeps_the_shortest_list_that_reaches_p(agree, rng, shape):
    """The tokens kept hold at least p, without the least of them less than p, and no other is more
    probable."""
    logits = random_logits(rng, *shape)

    for count in (1, 2, 4, 7):
        p = between_masses(logits.reshape(-1, 10), 0, count)
        logp = agree("keep_top_p", logits, p)

        full = torch.softmax(logits, dim=-1)
        nucleus = torch.where(kept(logp), full, 0.0)
        least = torch.where(kept(logp), full, 1.0).amin(dim=-1)
        assert bool((nucleus.sum(dim=-1) >= p).all())
        assert bool((nucleus.sum(dim=-1) - least < p).all())
        assert bool((torch.where(kept(logp), 0.0, full).amax(dim=-1) <= least).all())


@number("3.2")
@weight(2)
@tags("top_p")
def test_top_p_limits(agree, rng):
    """A tiny p leaves the best token alone, and p = 1 keeps every token, even one of probability 1e-30."""
    logits = random_logits(rng, 4, 9, dtype=F32)
    with_tail = random_logits(rng, 4, 9)
    tail = torch.from_numpy(rng.permuted(np.tile(np.arange(9), (4, 1)), axis=1)) < 3
    with_tail = torch.where(tail, -70.0 + with_tail, with_tail)  # three of nine tokens around 1e-30

    agree("keep_top_p", logits, 1e-4)
    everything = agree("keep_top_p", with_tail, 1.0)
    agree("keep_top_p", with_tail, 1)
    agree("keep_top_p", some_impossible(rng, with_tail), 0.999)

    assert bool(kept(everything).all())


@number("3.3")
@weight(1)
@tags("top_p")
@pytest.mark.parametrize("crossing", [0, 1, 3])
def test_top_p_takes_equals_in_order_of_id(agree, rng, crossing):
    """Where the crossing falls among tokens of the same probability, those with the lower ids are kept."""
    # Two tokens of weight 4 and five of weight 2 in random places: 18 in all.
    weights = rng.permuted(np.array([4, 4, 2, 2, 2, 2, 2]))
    logits = torch.from_numpy(np.log(weights))
    p = (8 + 2 * crossing + 1) / 18  # in the middle of one of the five

    agree("keep_top_p", logits, p)


@number("3.4")
@weight(3)
@tags("top_p")
@pytest.mark.parametrize("min_p", [0.02, 0.2, 0.7])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_min_p_sets_the_bar_by_the_best_token_of_each_row(agree, rng, min_p, dtype):
    """A token stays if its probability is at least min_p times the largest one of its own row, sure or
    unsure."""
    spread = torch.from_numpy(rng.uniform(0.3, 3.0, size=(2, 4, 1)))
    logits = (random_logits(rng, 2, 4, 12) * spread + rng.normal(scale=3.0)).to(dtype)

    logp = agree("keep_min_p", logits, min_p)

    assert_normalised(logp)


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


# ---- Task 4: a draw with a given uniform number -----------------------------------------------------


@number("4.1")
@weight(3)
@tags("draw")
@pytest.mark.parametrize("shape", [(6,), (40, 6), (5, 8, 6)], ids=["row", "batch", "two batch axes"])
@pytest.mark.parametrize("dtype", [F64, F32], ids=["float64", "float32"])
def test_draw_is_exact_for_given_uniforms(agree, rng, shape, dtype):
    """The token drawn is the one whose stretch of [0, 1) holds u, stretches laid out in order of token id."""
    logp = torch.log_softmax(random_logits(rng, *shape, scale=1.0, dtype=dtype), dim=-1)
    # Each u is put well inside a token's stretch, so that rounding decides nothing.
    p = logp.double().exp().numpy()
    token = rng.integers(0, 6, size=shape[:-1])[..., None]
    start = np.take_along_axis(p.cumsum(axis=-1) - p, token, axis=-1)
    u = start + np.take_along_axis(p, token, axis=-1) * rng.uniform(0.1, 0.9, size=token.shape)
    u = torch.from_numpy(u.clip(0, 0.999999)).squeeze(-1)

    drawn = agree("draw", logp, u if u.ndim else float(u))

    assert_close(drawn, torch.from_numpy(token).squeeze(-1), name="token")


@number("4.2")
@weight(2)
@tags("draw")
def test_draw_spends_evenly_spaced_uniforms_in_proportion(agree, rng):
    """With n evenly spaced uniforms every token is drawn n p times, give or take one."""
    n = 500
    logp = torch.log_softmax(random_logits(rng, 8, scale=1.0), dim=-1)
    u = torch.from_numpy((np.arange(n) + rng.uniform(0.3, 0.7)) / n)

    drawn = agree("draw", logp.expand(n, 8), u[torch.from_numpy(rng.permutation(n))])

    counts = torch.bincount(drawn, minlength=8)
    # A stretch of length p holds floor(n p) or ceil(n p) of n points at equal distances 1 / n.
    assert bool(((counts - n * logp.exp()).abs() <= 1).all())


@number("4.3")
@weight(2)
@tags("draw")
@pytest.mark.parametrize("ends", ["both ends", "start", "end"])
def test_draw_never_gives_an_impossible_token(agree, rng, ends):
    """u = 0 gives the first possible token and u next to 1 the last one, even if the sum is a little
    short of 1."""
    logits = random_logits(rng, 6, 9)
    if ends != "end":
        logits[:, :2] = NEVER
    if ends != "start":
        logits[:, 6:] = NEVER
    logp = torch.log_softmax(logits, dim=-1)

    first = agree("draw", logp, torch.zeros(6, dtype=F64))
    agree("draw", logp, torch.full((6,), math.nextafter(1.0, 0.0), dtype=F64))
    last = agree("draw", logp - 1e-6, torch.full((6,), 1 - 1e-9, dtype=F64))

    ids = torch.arange(9).expand(6, 9)
    assert_close(first, torch.where(kept(logp), ids, 9).amin(dim=-1), name="token at u = 0")
    assert_close(last, torch.where(kept(logp), ids, -1).amax(dim=-1), name="token at u next to 1")


@number("4.4")
@weight(1)
@tags("draw")
def test_draw_of_random_uniforms_has_the_right_frequencies(agree, rng):
    """Over many random uniforms the counts of the tokens are as far from n p as chance allows, and no
    farther."""
    n, V = 4000, 6
    logp = torch.log_softmax(random_logits(rng, V, scale=0.7), dim=-1)

    drawn = agree("draw", logp.expand(n, V), torch.from_numpy(rng.random(n)))

    # Bernstein: P(|count - n p| > t) <= 2 exp(-t^2 / (2 n p (1 - p) + 2 t / 3)). With L = log(2 V / 1e-10),
    # t = 2 L / 3 + sqrt(2 n p (1 - p) L) is exceeded with probability below 1e-10 over all V tokens, so the
    # chi-squared statistic stays below the sum of t^2 / (n p).
    p = logp.exp()
    L = math.log(2 * V / 1e-10)
    bound = (2 * L / 3 + (2 * n * p * (1 - p) * L).sqrt()) ** 2 / (n * p)
    chi_squared = (torch.bincount(drawn, minlength=V) - n * p) ** 2 / (n * p)
    assert float(chi_squared.sum()) <= float(bound.sum())


# ---- Task 5: the settings together ------------------------------------------------------------------


@number("5.1")
@weight(3)
@tags("pipeline")
@pytest.mark.parametrize("penalty", [1.3, 3.0, 0.5])
@pytest.mark.parametrize("shape", [(12,), (2, 3, 12)], ids=["row", "batch"])
def test_penalty_divides_positive_and_multiplies_other_logits(agree, rng, penalty, shape):
    """A token that occurred is made less likely (penalty > 1) whatever the sign of its logit; no other
    logit moves."""
    logits = random_logits(rng, *shape)
    tokens = rng.permuted(np.tile(np.arange(12), (*shape[:-1], 1)), axis=-1)[..., :5]

    agree("repetition_penalty", logits, torch.from_numpy(tokens), penalty)


@number("5.2")
@weight(1)
@tags("pipeline")
def test_penalty_counts_a_token_once(agree, rng):
    """How often and in which order tokens occurred does not matter, and without any nothing changes."""
    logits = random_logits(rng, 10)
    once = [int(token) for token in rng.choice(10, size=4, replace=False)]
    often = once[::-1] + [once[0]] * 3 + once[1:3]

    penalised = agree("repetition_penalty", logits, once, 1.7)
    again = agree("repetition_penalty", logits, often, 1.7)
    untouched = agree("repetition_penalty", logits, [], 1.7)

    assert_close(again, penalised, name="logits after repeats")
    assert_close(untouched, logits, name="logits without a history")


@number("5.3")
@weight(3)
@tags("pipeline")
@pytest.mark.parametrize("dropped", ["nothing", "penalty", "temperature", "top_k", "top_p", "min_p"])
def test_settings_apply_in_the_stated_order(agree, rng, dropped):
    """The order is penalty, temperature, top-k, top-p, min-p, each on what the one before it returned."""
    settings = {"penalty": 1.8, "temperature": 2.0, "top_k": 7, "top_p": 0.8, "min_p": 0.2}
    settings.pop(dropped, None)
    # Many rows at once: no two orders agree on all of them.
    logits = random_logits(rng, 60, 14, scale=1.5)
    tokens = torch.from_numpy(rng.integers(0, 14, size=(60, 6)))

    agree("next_log_probs", logits, tokens, **settings)


@number("5.4")
@weight(1)
@tags("pipeline")
def test_settings_at_their_limits(agree, rng):
    """The defaults are log-softmax, settings that filter nothing change nothing, and T = 0 is a setting,
    too."""
    logits = random_logits(rng, 3, 9)

    plain = agree("next_log_probs", logits)
    loose = agree("next_log_probs", logits, temperature=1.0, top_k=9, top_p=1.0, min_p=0.0, penalty=1.0)
    certain = agree("next_log_probs", logits, temperature=0.0)
    agree("next_log_probs", logits, temperature=0, top_k=3, top_p=0.9)

    assert_close(loose, plain, name="log-probabilities with filters that keep everything")
    assert_close(certain.argmax(dim=-1), logits.argmax(dim=-1), name="the token left by T = 0")


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


# ---- Task 6: ancestral generation -------------------------------------------------------------------


def generation(impl, table, prompt, uniforms, settings):
    """What is generated, and every prefix that the model was asked about."""
    calls = []
    text = impl.generate(made_up_model(table, calls), prompt, uniforms, **settings)
    return {"text": text, "calls": calls}


def right_parts(reference):
    """Working functions for the two things that `generate` needs from earlier tasks."""
    return {"distribution": reference.next_log_probs, "pick": reference.draw}


@number("6.1")
@weight(4)
@tags("generate")
@pytest.mark.parametrize(
    "prompt_length", [0, 1, 5], ids=["prompt of 0 tokens", "prompt of 1 token", "prompt of 5 tokens"]
)
def test_generation_draws_each_token_after_all_before_it(agree, rng, reference, prompt_length):
    """New token t is drawn with uniform number t from the model's distribution after everything so far."""
    table, prompt = random_logits(rng, STATES, 8, scale=1.5), ids(rng, 8, prompt_length)
    uniforms = rng.random(20)
    parts = right_parts(reference)

    found = agree(generation, table, prompt, uniforms, {"max_new_tokens": 12, **parts})

    # one call per new token, each with all tokens before it
    ends = range(prompt_length, prompt_length + 12)
    assert found["calls"] == [found["text"][:end] for end in ends]
    agree(generation, table, prompt, uniforms, {"max_new_tokens": 0, **parts})


@number("6.2")
@weight(3)
@tags("generate")
@pytest.mark.parametrize("place", ["first", "later", "in the prompt", "never"], ids=lambda p: f"eos {p}")
def test_generation_ends_with_the_first_new_eos(agree, rng, reference, place):
    """The first new token equal to eos is kept and ends the text and the calls; an eos in the prompt ends
    nothing."""
    table, prompt = random_logits(rng, STATES, 6, scale=0.5), [0, 1, 2]
    table[:, 5] = NEVER  # eos only where it is put below
    if place == "in the prompt":
        prompt = [5, 1, 5]
    uniforms = rng.random(15)
    if place in ("first", "later"):
        table[:, 5] = 0.0
        uniforms[0 if place == "first" else 4] = 0.9999  # the last stretch is that of token 5
    if place == "later":
        uniforms[:4] *= 0.5  # and the first half never reaches it

    settings = {"max_new_tokens": 10, "eos": 5, **right_parts(reference)}
    found = agree(generation, table, prompt, uniforms, settings)

    due = {"first": 1, "later": 5}.get(place, 10)
    assert len(found["text"]) == 3 + due and len(found["calls"]) == due


def three_texts(impl, table, prompt, uniforms, settings):
    """What is generated with each row of uniforms."""
    return [generation(impl, table, prompt, row, settings) for row in uniforms]


@number("6.3")
@weight(3)
@tags("generate")
@pytest.mark.parametrize(
    "setting",
    ["temperature", "greedy", "top_k", "top_p", "min_p", "penalty", "all"],
    ids=lambda setting: "temperature of 0" if setting == "greedy" else f"{setting} set",
)
def test_generation_passes_its_settings_on(agree, rng, setting):
    """Temperature, filters and penalty act on every draw; the penalty sees the prompt and all new tokens."""
    table, prompt = random_logits(rng, STATES, 9, scale=1.5), ids(rng, 9, 4)
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

    agree(three_texts, table, prompt, rng.random((3, 20)), {"max_new_tokens": 15, **settings})


# ---- Task 7: beam search ----------------------------------------------------------------------------


def search(impl, table, prompt, settings):
    """The hypotheses found, and every prefix that the model was asked about, in no particular order."""
    calls = []
    found = impl.beam_search(made_up_model(table, calls), prompt, **settings)
    return {"hypotheses": found, "calls": sorted(calls)}


@number("7.1")
@weight(3)
@tags("beam")
@pytest.mark.parametrize("beam_width", [2, 3, 5])
@pytest.mark.parametrize("length_penalty", [0.0, 0.7])
def test_beam_keeps_the_best_extensions_of_all_hypotheses(agree, rng, beam_width, length_penalty):
    """At each step the most probable extensions of all live hypotheses together go on, by their summed
    logs."""
    for prompt_length in (1, 4):
        table, prompt = random_logits(rng, STATES, 7, scale=1.2), ids(rng, 6, prompt_length)
        settings = {"beam_width": beam_width, "max_new_tokens": 5, "eos": 6, "length_penalty": length_penalty}

        agree(search, table, prompt, settings)


@number("7.2")
@weight(2)
@tags("beam")
def test_beam_of_width_one_is_greedy(agree, rng):
    """A beam of width 1 follows the greedy path, and its score is the sum of the log-probabilities on it."""
    table = random_logits(rng, STATES, 6)

    answer = agree(search, table, [2, 0], {"beam_width": 1, "max_new_tokens": 6})

    path, total = [2, 0], 0.0
    model = made_up_model(table, [])
    for _ in range(6):
        logp = torch.log_softmax(model(path), dim=-1)
        total += float(logp.max())
        path.append(int(logp.argmax()))
    assert_close(answer["hypotheses"], [(path, total)], name="hypotheses")
    assert len(answer["calls"]) == 6


@number("7.3")
@weight(2)
@tags("beam")
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_beam_wide_enough_finds_the_true_maximum(agree, rng, length_penalty):
    """A beam as wide as there are hypotheses is an exhaustive search: no text has a better score than its
    first."""
    V, depth, eos = 4, 4, 2
    table = random_logits(rng, STATES, V, scale=1.5)
    settings = {"beam_width": V**depth, "max_new_tokens": depth, "eos": eos, "length_penalty": length_penalty}

    found = agree(search, table, [1], settings)["hypotheses"]

    model = made_up_model(table, [])
    best = (NEVER, None)
    for length in range(1, depth + 1):
        for new in itertools.product(range(V), repeat=length):
            if eos in new[:-1] or (length < depth and new[-1] != eos):
                continue  # goes on after its end, or stops before it
            text = [1, *new]
            scores = [torch.log_softmax(model(text[:t]), dim=-1)[text[t]] for t in range(1, length + 1)]
            best = max(best, (float(sum(scores)) / length**length_penalty, text))
    assert_close(found[0], (best[1], best[0]), name="best hypothesis")


@number("7.4")
@weight(2)
@tags("beam")
@pytest.mark.parametrize("length_penalty", [0.5, 1.0, 2.0])
def test_beam_divides_by_the_number_of_new_tokens(agree, rng, length_penalty):
    """The score is the log-probability over a power of the number of new tokens: eos counts, the prompt
    does not."""
    table = random_logits(rng, STATES, 5, scale=1.0)
    table[:, 4] += 1.0  # many hypotheses end early, at different lengths
    settings = {"beam_width": 4, "max_new_tokens": 6, "eos": 4, "length_penalty": length_penalty}

    for prompt_length in (0, 1, 9):
        agree(search, table, ids(rng, 4, prompt_length), settings)


@number("7.5")
@weight(2)
@tags("beam")
def test_beam_sets_finished_hypotheses_aside(agree, rng):
    """A finished hypothesis is never given to the model again, keeps its score, and the beam fills up
    again."""
    for likely in (0.0, 2.0, 6.0):  # from few hypotheses that end to nearly all
        table = random_logits(rng, STATES, 6, scale=1.0)
        table[:, 5] += likely
        settings = {"beam_width": 3, "max_new_tokens": 6, "eos": 5}

        calls = agree(search, table, [5, 1], settings)["calls"]

        assert all(5 not in prefix[2:] for prefix in calls)
        assert len(calls) <= 1 + 3 * 5


@number("7.6")
@weight(1)
@tags("beam")
def test_beam_breaks_ties_in_order(agree, rng):
    """Of equally probable extensions, those of the higher-ranked hypothesis go first, then those with
    lower ids."""
    table = torch.zeros(STATES, 5, dtype=F64)
    # Two tokens never, others in two classes of equal probability, the same after every prefix.
    classes = torch.from_numpy(rng.permuted(np.array([NEVER, 0.0, 0.0, 1.0, 1.0])))

    agree(search, table, ids(rng, 5, 2), {"beam_width": 3, "max_new_tokens": 3})
    agree(search, table + classes, ids(rng, 5, 2), {"beam_width": 5, "max_new_tokens": 2})


# ---- Task 8: how surprised a model is ---------------------------------------------------------------


@number("8.1")
@weight(2)
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
    values = agree("entropy", extremes)

    assert_close(values, torch.tensor([math.log(7), 0.0], dtype=dtype), name="entropy at the extremes")


def scoring(impl, table, tokens, start):
    """The scores of a text, and every prefix that the model was asked about."""
    calls = []
    scores = impl.token_log_probs(made_up_model(table, calls), tokens, start=start)
    return {"scores": scores, "calls": sorted(calls)}


@number("8.2")
@weight(2)
@tags("perplexity")
@pytest.mark.parametrize("start", [0, 1, 4, 9])
def test_each_token_is_scored_after_all_before_it(agree, rng, start):
    """A token's score is what the model gives it after exactly the tokens before it."""
    table, tokens = random_logits(rng, STATES, 6), ids(rng, 6, 9)

    answer = agree(scoring, table, tokens, start)

    assert len(answer["calls"]) == 9 - start
    assert tuple(answer["scores"].shape) == (9 - start,)


@number("8.3")
@weight(2)
@tags("perplexity")
def test_perplexity_is_a_geometric_mean(agree, rng):
    """Perplexity is V for a uniform model, infinite after an impossible token, and a geometric mean in
    between."""
    V = int(rng.integers(3, 50))
    logp = torch.from_numpy(-rng.exponential(size=(4, 5)))

    uniform = agree("perplexity", torch.full((6,), -math.log(V), dtype=F64))
    whole = agree("perplexity", logp)
    halves = [agree("perplexity", half) for half in (logp[:2], logp[2:])]
    impossible = agree("perplexity", torch.cat([logp.flatten(), torch.tensor([NEVER], dtype=F64)]))

    assert_close(float(uniform), float(V), name="perplexity of the uniform model")
    assert_close(float(whole), math.sqrt(halves[0] * halves[1]), name="perplexity of two texts of one length")
    assert_close(float(impossible), math.inf, name="perplexity of an impossible text")


# ---- Task 9: Shannon's n-gram model -----------------------------------------------------------------


def texts(rng, V, lengths):
    """Random texts of the given lengths, as lists, with the lower ids more frequent."""
    odds = 1.0 / np.arange(1, V + 1)
    return [[int(t) for t in rng.choice(V, size=length, p=odds / odds.sum())] for length in lengths]


@number("9.1")
@weight(2)
@tags("ngram")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_counts_stay_within_a_text(agree, rng, n):
    """A text of T tokens has T - n + 1 n-grams, none if it is shorter, and none reaches into the next
    text."""
    lengths = [30, 0, 1, 2, 17]

    counts = agree("ngram_counts", texts(rng, 4, lengths), n)

    total = sum(sum(followers.values()) for followers in counts.values())
    assert total == sum(max(0, length - n + 1) for length in lengths)


@number("9.2")
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


@number("9.3")
@weight(2)
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


@number("9.4")
@weight(2)
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
