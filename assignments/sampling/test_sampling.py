"""Public checks of the sampling assignment: run them with pytest, as often as you like.

Most of them use one distribution over five tokens whose probabilities are powers of two:

    token          0     1     2      3     4
    probability    1/8   1/2   1/16   1/4   1/16
"""

import math

import numpy as np
import pytest
import torch
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

FIVE = (1 / 8, 1 / 2, 1 / 16, 1 / 4, 1 / 16)
NEVER = -math.inf


def log_of(*probabilities):
    """Log-probabilities as a float64 tensor; log 0 is -inf."""
    return torch.tensor(probabilities, dtype=torch.float64).log()


def from_table(rows):
    """A model that looks only at the last token: rows[token] holds the probabilities of what follows it."""
    table = log_of(*rows)
    return lambda tokens: table[int(tokens[-1])]


# ---- Task 1: temperature ----------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("temperature")
def test_greedy_takes_the_most_probable_token(impl):
    """The most probable of the five tokens is token 1; among equals the lowest id is taken, row by row."""
    tied = torch.tensor([[0.0, 2.0, 2.0], [5.0, 5.0, 5.0]])

    assert_close(impl.greedy(log_of(*FIVE)), torch.tensor(1), name="greedy token")
    assert_close(impl.greedy(tied), torch.tensor([1, 0]), name="greedy token among equals")


@number("1.p2")
@weight(1)
@tags("temperature")
def test_temperature_one_half_squares_the_probabilities(impl):
    """T = 1/2 squares the probabilities, up to a factor, and T = 1 gives those of the logits, however large."""
    logits = log_of(*FIVE) + 3.0

    squared = torch.tensor([4, 64, 1, 16, 1], dtype=torch.float64) / 86
    assert_close(impl.apply_temperature(logits, 0.5), squared.log(), name="log-probabilities at T = 1/2")
    assert_close(impl.apply_temperature(logits, 1.0), log_of(*FIVE), name="log-probabilities at T = 1")
    large = torch.tensor([1000.0, 1003.0, 2.0], dtype=torch.float64)
    odds = impl.apply_temperature(large, 1.0)[0] - impl.apply_temperature(large, 1.0)
    assert_close(odds, torch.tensor([0.0, -3.0, 998.0], dtype=torch.float64), name="log-odds of large logits")


@number("1.p3")
@weight(1)
@tags("temperature")
def test_temperature_zero_is_certain(impl):
    """At T = 0 the most probable token is certain and all others are impossible; of equals, it is the lowest id."""
    certain = torch.tensor([NEVER, 0.0, NEVER, NEVER, NEVER], dtype=torch.float64)

    assert_close(impl.apply_temperature(log_of(*FIVE), 0), certain, name="log-probabilities at T = 0")
    tied = impl.apply_temperature(torch.tensor([0.0, 2.0, 2.0]), 0.0)
    assert_close(tied, torch.tensor([NEVER, 0.0, NEVER]), name="log-probabilities of two equal logits at T = 0")


# ---- Task 2: top-k ----------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("top_k")
def test_top_k_keeps_two_of_the_five_tokens(impl):
    """Of the five tokens, k = 2 keeps 1 and 3, which share all the mass; k = 9 keeps all five. Rows are apart."""
    logits = log_of(*FIVE)

    assert_close(impl.keep_top_k(logits, 2), log_of(0, 2 / 3, 0, 1 / 3, 0), name="log p with k = 2")
    assert_close(impl.keep_top_k(logits, 9), logits, name="log p with k = 9")
    rows = torch.tensor([[9.0, 8.0, 7.0], [0.0, -1.0, 0.5]], dtype=torch.float64)
    single = torch.tensor([[0.0, NEVER, NEVER], [NEVER, NEVER, 0.0]], dtype=torch.float64)
    assert_close(impl.keep_top_k(rows, 1), single, name="log p of two rows with k = 1")


@number("2.p3")
@weight(0)
@tags("top_k")
@pytest.mark.gpu
def test_top_k_keeps_the_lower_ids_of_a_large_vocabulary(impl, rng, device):
    """On a GPU, for no points: of 50,257 tokens at seven levels, k = 9,000 keeps the lower ids of a tie, where a sort that isn't
    stable mixes them."""
    levels = rng.integers(0, 7, (4, 50_257))

    stay = impl.keep_top_k(torch.from_numpy(levels).float().to(device), 9_000) > NEVER

    first = np.argsort(-levels, axis=-1, kind="stable")[:, :9_000]
    assert_close(stay, torch.zeros(4, 50_257, dtype=torch.bool).scatter(-1, torch.from_numpy(first), True), name="tokens kept")


@number("2.p2")
@weight(1)
@tags("top_k")
def test_top_k_keeps_the_lower_id_of_a_tie(impl):
    """With k = 4, two of the five tokens tie for fourth place: token 2 stays and token 4 goes."""
    stay = impl.keep_top_k(log_of(*FIVE), 4) > NEVER

    assert_close(stay, torch.tensor([True, True, True, True, False]), name="which tokens stay with k = 4")


# ---- Task 3: top-p and min-p ------------------------------------------------------------------------


@number("3.p1")
@weight(2)
@tags("top_p")
def test_top_p_keeps_the_shortest_list_that_holds_p(impl):
    """With p = 0.8 the two best tokens hold 0.75, which is not enough; with p = 0.01 the best token is enough."""
    logits = log_of(*FIVE)

    assert_close(impl.keep_top_p(logits, 0.8), log_of(1 / 7, 4 / 7, 0, 2 / 7, 0), name="log p with p = 0.8")
    assert_close(impl.keep_top_p(logits, 0.01), log_of(0, 1, 0, 0, 0), name="log p with p = 0.01")
    four = log_of(2 / 15, 8 / 15, 1 / 15, 4 / 15, 0)  # of two equal tokens, the lower id
    assert_close(impl.keep_top_p(logits, 0.9), four, name="log p with p = 0.9")


@number("3.p2")
@weight(1)
@tags("top_p")
def test_top_p_of_one_changes_nothing(impl):
    """p = 1 keeps all five tokens, and also a token of probability exp(-70) beside two that hold 1/2 each."""
    tail = torch.tensor([0.0, -70.0, 0.0], dtype=torch.float64)
    halves = torch.tensor([-math.log(2), -70 - math.log(2), -math.log(2)], dtype=torch.float64)

    assert_close(impl.keep_top_p(log_of(*FIVE), 1.0), log_of(*FIVE), name="log p with p = 1")
    assert_close(impl.keep_top_p(tail, 1.0), halves, name="log p with an improbable token and p = 1")


@number("3.p3")
@weight(1)
@tags("top_p")
def test_min_p_compares_with_the_best_token(impl):
    """With min_p = 0.2 and a best token of probability 1/2, the bar is at 0.1: tokens 0, 1 and 3 stay."""
    three = log_of(1 / 7, 4 / 7, 0, 2 / 7, 0)

    assert_close(impl.keep_min_p(log_of(*FIVE), 0.2), three, name="log p with min_p = 0.2")
    assert_close(impl.keep_min_p(log_of(*FIVE) + 5.0, 0.2), three, name="log p with 5 added to all logits")
    assert_close(impl.keep_min_p(log_of(*FIVE), 0.0), log_of(*FIVE), name="log p with min_p = 0")
    best = impl.keep_min_p(torch.tensor([3.0, 1.0, 3.0], dtype=torch.float64), 1.0)
    assert_close(best, log_of(1 / 2, 0, 1 / 2), name="log p of two equal tokens with min_p = 1")


# ---- Task 4: a draw with a given uniform number -----------------------------------------------------


@number("4.p1")
@weight(1)
@tags("draw")
def test_draw_finds_the_stretch_that_holds_u(impl):
    """The five tokens own [0, .125), [.125, .625), [.625, .6875), [.6875, .9375) and [.9375, 1)."""
    logp = log_of(*FIVE)
    u = torch.tensor([0.0, 0.1, 0.13, 0.6, 0.65, 0.7, 0.93, 0.94, 0.999], dtype=torch.float64)

    tokens = impl.draw(logp.expand(len(u), 5), u)

    assert_close(tokens, torch.tensor([0, 0, 1, 1, 2, 3, 3, 4, 4]), name="tokens")
    assert_close(impl.draw(logp.float(), 0.7), torch.tensor(3), name="token of one row in float32")


@number("4.p2")
@weight(1)
@tags("draw")
def test_draw_never_gives_an_impossible_token(impl):
    """A token of probability 0 is not drawn: not at u = 0, and not where rounding leaves the sum below u."""
    cases = ((log_of(0, 0.5, 0.5), 0.0), (log_of(0, 0.999999, 0), 0.9999999), (log_of(0, 0.5, 0.5), 0.8))

    start, end, inside = [impl.draw(logp, u) for logp, u in cases]

    assert_close(inside, torch.tensor(2), name="token inside a stretch")
    assert_close(start, torch.tensor(1), name="token at u = 0")
    assert_close(end, torch.tensor(1), name="the only possible token, u beyond the sum")


# ---- Task 5: ancestral generation -------------------------------------------------------------------


def lent_distribution(logits, tokens, **settings):
    """A stand-in for `next_log_probs` that knows no settings; the models here give log-probabilities."""
    return logits


def lent_draw(logp, u):
    """A stand-in for `draw` that does as told: the token is the whole part of 10 u."""
    return torch.tensor(int(10 * u))


LENT = {"distribution": lent_distribution, "pick": lent_draw}


@number("5.p1")
@weight(1)
@tags("generate")
def test_generation_follows_the_uniforms(impl):
    """Each new token takes the next uniform number, after a prompt of two tokens as after any other."""
    asked = []

    def model(tokens):
        asked.append(list(tokens))
        return log_of(*FIVE)

    text = impl.generate(model, [2, 0], [0.1, 0.4, 0.3, 0.2], max_new_tokens=3, **LENT)

    assert_close(text, [2, 0, 1, 4, 3], name="text")
    assert_close(asked, [[2, 0], [2, 0, 1], [2, 0, 1, 4]], name="what the model was asked")


@number("5.p2")
@weight(1)
@tags("generate")
def test_generation_stops_at_eos_and_passes_settings_on(impl):
    """The first new eos is kept and ends the text; an eos in the prompt doesn't. Settings reach `distribution`."""
    heard = []

    def distribution(logits, tokens, **settings):
        heard.append((list(tokens), settings))
        return logits

    settings = {"temperature": 0.5, "penalty": 2.0}
    text = impl.generate(
        lambda tokens: log_of(*FIVE), [4], [0.1, 0.4, 0.3], max_new_tokens=3, eos=4,
        distribution=distribution, pick=lent_draw, **settings,
    )  # fmt: skip

    assert_close(text[-2:], [1, 4], name="new tokens")
    first = impl.generate(lambda tokens: log_of(*FIVE), [0], [0.4, 0.1], max_new_tokens=2, eos=4, **LENT)
    assert_close(first[-2:], [0, 4], name="text whose first new token is eos")
    assert_close(heard, [([4], settings), ([4, 1], settings)], name="what `distribution` was given")


# ---- Task 6: beam search ----------------------------------------------------------------------------

# From token 0 the likelier step is to token 1, after which nothing is likely.
ASTRAY = ((0, 0.6, 0.4, 0), (0.3, 0.4, 0.3, 0), (0, 0.05, 0.05, 0.9), (0, 0, 0, 1))


@number("6.p1")
@weight(1)
@tags("beam")
def test_beam_of_two_finds_what_greedy_misses(impl):
    """The best first token leads nowhere good: 0.6 * 0.4 at best, where the other one leads to 0.4 * 0.9. A constant
    that the model adds to all logits after a text changes nothing."""
    model = from_table(ASTRAY)

    narrow = impl.beam_search(model, [0], beam_width=1, max_new_tokens=2)
    assert_close(narrow, [([0, 1, 1], math.log(0.24))], name="texts and scores with beam_width = 1")
    wide = impl.beam_search(model, [0], beam_width=2, max_new_tokens=2)
    want = [([0, 2, 3], math.log(0.36)), ([0, 1, 1], math.log(0.24))]
    assert_close(wide, want, name="texts and scores with beam_width = 2")
    shifted = impl.beam_search(lambda tokens: model(tokens) + tokens[-1], [0], beam_width=2, max_new_tokens=2)
    assert_close(shifted, want, name="texts and scores where the model adds a constant")


@number("6.p2")
@weight(1)
@tags("beam")
def test_beam_ranks_a_short_text_by_its_mean_if_asked(impl):
    """With eos = 2 the text (0, 2) is finished after one token: the most probable of all, but per token it is
    behind (0, 1, 1) and (0, 1, 0)."""
    model = from_table(ASTRAY)

    plain = impl.beam_search(model, [0], beam_width=2, max_new_tokens=2, eos=2)
    want = [([0, 2], math.log(0.4)), ([0, 1, 1], math.log(0.24))]
    assert_close(plain, want, name="texts and scores with eos = 2")
    mean = impl.beam_search(model, [0], beam_width=2, max_new_tokens=2, eos=2, length_penalty=1.0)
    want = [([0, 1, 1], math.log(0.24) / 2), ([0, 1, 0], math.log(0.18) / 2)]
    assert_close(mean, want, name="texts and scores with eos = 2, length_penalty = 1")


@number("6.p3")
@weight(1)
@tags("beam")
def test_beam_ends_when_every_hypothesis_has_ended(impl):
    """Where only eos = 2 can follow the first token, the search ends after two, however many are allowed."""
    model = from_table([[0.5, 0.3, 0.2], [0, 0, 1], [0, 0, 1], [0.25, 0.75, 0]])
    only_eos = from_table([[0, 0, 1], [0, 0, 1], [0, 0, 1], [0.25, 0.75, 0]])

    found = impl.beam_search(only_eos, [3], beam_width=2, max_new_tokens=5, eos=2)
    assert_close(found, [([3, 1, 2], math.log(0.75)), ([3, 0, 2], math.log(0.25))], name="texts and scores")
    mean = impl.beam_search(only_eos, [3], beam_width=2, max_new_tokens=5, eos=2, length_penalty=1.0)
    want = [([3, 1, 2], math.log(0.75) / 2), ([3, 0, 2], math.log(0.25) / 2)]
    assert_close(mean, want, name="texts and scores with length_penalty = 1")
    # After (3, 1, 2) has ended, the next step takes two extensions of (3, 0) again.
    found = impl.beam_search(model, [3], beam_width=2, max_new_tokens=3, eos=2)
    want = [([3, 1, 2], math.log(0.75)), ([3, 0, 0, 0], math.log(0.0625))]
    assert_close(found, want, name="texts and scores where one goes on")


# ---- Task 7: how surprised a model is ---------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("perplexity")
def test_entropy_of_the_five_tokens(impl):
    """The five tokens have an entropy of 15/8 log 2; a certain token has 0, and impossible ones add nothing."""
    # 1/8 * 3 + 1/2 * 1 + 1/16 * 4 + 1/4 * 2 + 1/16 * 4 = 15/8 bits, of log 2 nats each
    nats = torch.tensor(15 / 8 * math.log(2), dtype=torch.float64)

    assert_close(impl.entropy(log_of(*FIVE)), nats, name="entropy")
    certain = torch.tensor([0.0, math.log(2)], dtype=torch.float64)
    assert_close(impl.entropy(log_of([0, 1, 0], [0.5, 0, 0.5])), certain, name="entropy with impossible tokens")


@number("7.p2")
@weight(1)
@tags("perplexity")
def test_scores_of_two_tokens_by_hand(impl):
    """Each token is scored by what the model gives it after the tokens before it, whether those are scored or not."""
    asked = []

    def model(tokens):
        asked.append(list(tokens))
        return log_of(*{1: (0.25, 0.5, 0.25), 2: (0.125, 0.5, 0.375), 3: (0, 0, 1)}[len(tokens)])

    assert_close(impl.token_log_probs(model, [0, 1, 0]), log_of(1 / 2, 1 / 8), name="scores of the text")
    assert_close(sorted(asked), [[0], [0, 1]], name="what the model was asked")
    assert_close(impl.token_log_probs(model, [0, 1, 0, 2], start=2), log_of(1 / 8, 1), name="scores from token 2 on")


@number("7.p3")
@weight(1)
@tags("perplexity")
def test_perplexity_of_two_tokens_by_hand(impl):
    """A text whose tokens had probabilities 1/2 and 1/8 has perplexity 4; an impossible token makes it infinite."""
    assert_close(float(impl.perplexity(log_of(1 / 2, 1 / 8))), 4.0, name="perplexity")
    assert_close(float(impl.perplexity(log_of(1 / 2, 0))), math.inf, name="perplexity with an impossible token")


# ---- Task 8: Shannon's n-gram model -----------------------------------------------------------------


def bigrams():
    """Those of the texts 0 1 0 1 2 and 2 0."""
    return {(0,): {1: 2}, (1,): {0: 1, 2: 1}, (2,): {0: 1}}


def unigrams():
    """Those of the same texts."""
    return {(): {0: 3, 1: 2, 2: 2}}


@number("8.p1")
@weight(1)
@tags("ngram")
def test_bigrams_of_two_short_texts(impl):
    """In the texts 0 1 0 1 2 and 2 0, token 1 follows 0 twice; 0 and 2 follow 1 once, and 0 follows 2."""
    texts = [[0, 1, 0, 1, 2], [2, 0]]

    assert_close(impl.ngram_counts(texts, 2), bigrams(), name="bigram counts")
    assert_close(impl.ngram_counts(texts, 1), unigrams(), name="unigram counts")
    assert_close(impl.ngram_counts(texts, 5), {(0, 1, 0, 1): {2: 1}}, name="5-gram counts")


@number("8.p2")
@weight(1)
@tags("ngram")
def test_additive_smoothing_by_hand(impl):
    """Of four tokens, one followed token 0 twice; one is added to each count. An unseen context says nothing."""
    smoothed = impl.ngram_log_probs(bigrams(), [2, 0], n=2, vocab_size=4, alpha=1.0)
    assert_close(smoothed, log_of(1 / 6, 3 / 6, 1 / 6, 1 / 6), name="after token 0, alpha = 1")
    unseen = impl.ngram_log_probs(bigrams(), [0, 3], n=2, vocab_size=4)
    assert_close(unseen, log_of(1 / 4, 1 / 4, 1 / 4, 1 / 4), name="after token 3, which no text holds")
    single = impl.ngram_log_probs(unigrams(), [0, 1, 2], n=1, vocab_size=4)
    assert_close(single, log_of(3 / 7, 2 / 7, 2 / 7, 0), name="unigrams after three tokens")


@number("8.p3")
@weight(1)
@tags("ngram")
def test_interpolation_by_hand(impl):
    """With weight 1/2, each order gives half of its say to the one below it, and all of it where it saw nothing."""
    orders = [unigrams(), bigrams()]

    once = np.array([3, 2, 2, 0]) / 14 + 1 / 8
    mixed = impl.interpolated_log_probs(orders, [2, 3], vocab_size=4, weight=0.5)
    assert_close(mixed, log_of(*once), name="after token 3, which no text holds")
    twice = np.array([0, 1, 0, 0]) / 2 + once / 2
    mixed = impl.interpolated_log_probs(orders, [2, 0], vocab_size=4, weight=0.5)
    assert_close(mixed, log_of(*twice), name="after token 0")


@number("8.p4")
@weight(1)
@tags("ngram")
def test_conditional_entropy_by_hand(impl):
    """Of 5 bigrams, two have a context after which there is a choice, of two equally likely tokens."""
    assert_close(float(impl.conditional_entropy(bigrams())), 2 / 5 * math.log(2), name="conditional entropy")
    unequal = {(0,): {0: 3, 1: 3}, (1,): {1: 2}}
    assert_close(float(impl.conditional_entropy(unequal)), 6 / 8 * math.log(2), name="with unequal contexts")
