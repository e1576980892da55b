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

FIVE = [1 / 8, 1 / 2, 1 / 16, 1 / 4, 1 / 16]


def log_of(*probabilities):
    """Log-probabilities as a float64 tensor; log 0 is -inf."""
    return torch.tensor(probabilities, dtype=torch.float64).log()


def from_table(rows):
    """A model that looks only at the last token: rows[token] holds the probabilities of what follows it."""
    table = log_of(*rows)
    return lambda tokens: table[int(tokens[-1])]


@number("1.p1")
@weight(2)
@tags("temperature")
def test_temperature_one_half_squares_the_probabilities(impl):
    """Dividing logits by T = 1/2 squares the probabilities; at T = 0 the greedy token is certain."""
    logits = log_of(*FIVE) + 3.0

    assert_close(impl.greedy(logits), torch.tensor(1), name="greedy token")
    squared = torch.tensor([4, 64, 1, 16, 1], dtype=torch.float64) / 86
    assert_close(impl.apply_temperature(logits, 0.5), squared.log(), name="log-probabilities at T = 1/2")
    tied = torch.tensor([[0.0, 2.0, 2.0], [5.0, 5.0, 5.0]])
    assert_close(impl.greedy(tied), torch.tensor([1, 0]), name="greedy token among equals")
    certain = torch.tensor([[-math.inf, 0.0, -math.inf], [0.0, -math.inf, -math.inf]])
    assert_close(impl.apply_temperature(tied, 0), certain, name="log-probabilities at T = 0")


@number("1.p2")
@weight(1)
@tags("temperature")
def test_temperature_refuses_what_is_no_temperature(impl):
    """T = 1 is log-softmax; a negative or infinite T and integer logits raise a ValueError."""
    logits = torch.tensor([1.0, 2.0, 3.0])

    assert_close(impl.apply_temperature(logits, 1.0), torch.log_softmax(logits, dim=-1))
    for wrong in (-1.0, math.inf):
        with pytest.raises(ValueError):
            impl.apply_temperature(logits, wrong)
    with pytest.raises(ValueError):
        impl.apply_temperature(torch.tensor([1, 2, 3]), 1.0)


@number("2.p1")
@weight(2)
@tags("top_k")
def test_top_k_keeps_the_lower_id_of_a_tie_and_renormalises(impl):
    """Of the five tokens, k = 2 keeps 1 and 3; k = 4 also keeps 0, and the lower of two that tie for
    fourth."""
    logits = log_of(*FIVE)

    assert_close(impl.keep_top_k(logits, 2), log_of(0, 2 / 3, 0, 1 / 3, 0), name="log p with k = 2")
    four = log_of(2 / 15, 8 / 15, 1 / 15, 4 / 15, 0)
    assert_close(impl.keep_top_k(logits, 4), four, name="log p with k = 4")
    assert_close(impl.keep_top_k(logits, 9), logits, name="log p with k = 9")
    with pytest.raises(ValueError):
        impl.keep_top_k(logits, 0)


@number("3.p1")
@weight(2)
@tags("top_p")
def test_top_p_keeps_the_token_that_crosses(impl):
    """With p = 0.8 the two best tokens hold 0.75, which is not enough: the third is in the nucleus too."""
    logits = log_of(*FIVE)

    assert_close(impl.keep_top_p(logits, 0.8), log_of(1 / 7, 4 / 7, 0, 2 / 7, 0), name="log p with p = 0.8")
    assert_close(impl.keep_top_p(logits, 0.01), log_of(0, 1, 0, 0, 0), name="log p with p = 0.01")
    assert_close(impl.keep_top_p(logits, 1.0), logits, name="log p with p = 1")
    for wrong in (0.0, 1.5):
        with pytest.raises(ValueError):
            impl.keep_top_p(logits, wrong)


@number("3.p2")
@weight(1)
@tags("top_p")
def test_min_p_compares_with_the_best_token(impl):
    """With min_p = 0.2 and a best token of probability 1/2, the bar is at 0.1: tokens 0, 1 and 3 stay."""
    logits = log_of(*FIVE)

    three = log_of(1 / 7, 4 / 7, 0, 2 / 7, 0)
    assert_close(impl.keep_min_p(logits, 0.2), three, name="log p with min_p = 0.2")
    with pytest.raises(ValueError):
        impl.keep_min_p(logits, 1.5)


@number("4.p1")
@weight(2)
@tags("draw")
def test_draw_finds_the_stretch_that_holds_u(impl):
    """The five tokens own [0, .125), [.125, .625), [.625, .6875), [.6875, .9375) and [.9375, 1)."""
    logp = log_of(*FIVE)
    u = torch.tensor([0.0, 0.1, 0.13, 0.6, 0.65, 0.7, 0.93, 0.94, 0.999], dtype=torch.float64)

    tokens = impl.draw(logp.expand(len(u), 5), u)

    assert_close(tokens, torch.tensor([0, 0, 1, 1, 2, 3, 3, 4, 4]), name="tokens")
    assert_close(impl.draw(log_of(0, 1, 0), 0.0), torch.tensor(1), name="the only possible token")
    for wrong in (-0.1, 1.0):
        with pytest.raises(ValueError):
            impl.draw(logp, wrong)


@number("5.p1")
@weight(2)
@tags("pipeline")
def test_penalty_lowers_what_was_said_whatever_its_sign(impl):
    """A penalty of 2 halves a positive logit and doubles a negative one; no settings is log-softmax."""
    logits = torch.tensor([2.0, -1.0, 0.5, -3.0], dtype=torch.float64)

    penalised = impl.repetition_penalty(logits, [0, 1, 0], 2.0)

    want = torch.tensor([1.0, -2.0, 0.5, -3.0], dtype=torch.float64)
    assert_close(penalised, want, name="penalised logits")
    plain = torch.log_softmax(logits, dim=-1)
    assert_close(impl.next_log_probs(logits, [0, 1]), plain, name="log p without settings")
    # Top-k leaves 0.3 / 0.9, 0.25 / 0.9, 0.2 / 0.9 and 0.15 / 0.9, of which the first two hold 0.61.
    filtered = impl.next_log_probs(log_of(0.3, 0.25, 0.2, 0.15, 0.1), top_k=4, top_p=0.6)
    assert_close(filtered, log_of(6 / 11, 5 / 11, 0, 0, 0), name="log p with top_k = 4, top_p = 0.6")
    with pytest.raises(ValueError):
        impl.repetition_penalty(logits, [4], 2.0)


@number("6.p1")
@weight(2)
@tags("generate")
def test_generation_follows_the_uniforms_and_stops_at_eos(impl):
    """Each new token takes the next uniform number; the token eos is kept and ends the text."""
    model = from_table([[0.2, 0.5, 0.3], [0.5, 0.25, 0.25], [0, 0.4, 0.6]])
    uniforms = [0.1, 0.6, 0.8, 0.3, 0.9]

    text = impl.generate(model, [0], uniforms, max_new_tokens=5)
    assert_close(text, [0, 0, 1, 2, 1, 2], name="text without eos")
    text = impl.generate(model, [0], uniforms, max_new_tokens=5, eos=2)
    assert_close(text, [0, 0, 1, 2], name="text with eos = 2")
    text = impl.generate(model, [2, 0], uniforms, max_new_tokens=3)
    assert_close(text, [2, 0, 0, 1, 2], name="text after a prompt of two tokens")
    with pytest.raises(ValueError):
        impl.generate(model, [0], [0.1], max_new_tokens=2)


# From token 0 the likelier step is to token 1, after which nothing is likely.
ASTRAY = [[0, 0.6, 0.4, 0], [0.3, 0.4, 0.3, 0], [0, 0.05, 0.05, 0.9], [0, 0, 0, 1]]


@number("7.p1")
@weight(1)
@tags("beam")
def test_beam_of_two_finds_what_greedy_misses(impl):
    """The best first token leads nowhere good: 0.6 * 0.4 at best, where the other one leads to 0.4 * 0.9."""
    model = from_table(ASTRAY)

    narrow = impl.beam_search(model, [0], beam_width=1, max_new_tokens=2)
    assert_close(narrow, [([0, 1, 1], math.log(0.24))], name="texts and scores with beam_width = 1")
    wide = impl.beam_search(model, [0], beam_width=2, max_new_tokens=2)
    want = [([0, 2, 3], math.log(0.36)), ([0, 1, 1], math.log(0.24))]
    assert_close(wide, want, name="texts and scores with beam_width = 2")


@number("7.p2")
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
    with pytest.raises(ValueError):
        impl.beam_search(model, [0], beam_width=0, max_new_tokens=2)


@number("8.p1")
@weight(2)
@tags("perplexity")
def test_perplexity_of_two_tokens_by_hand(impl):
    """A text whose tokens had probabilities 1/2 and 1/8 has perplexity 4; FIVE has entropy 15/8 log 2."""
    model = from_table([[0.25, 0.5, 0.25], [0.125, 0.5, 0.375], [1, 0, 0]])

    scores = impl.token_log_probs(model, [0, 1, 0])

    assert_close(scores, log_of(1 / 2, 1 / 8), name="scores of the text")
    assert_close(impl.perplexity(log_of(1 / 2, 1 / 8)), 4.0, name="perplexity")
    # 1/8 * 3 + 1/2 * 1 + 1/16 * 4 + 1/4 * 2 + 1/16 * 4 = 15/8 bits, of log 2 nats each
    nats = torch.tensor(15 / 8 * math.log(2), dtype=torch.float64)
    assert_close(impl.entropy(log_of(*FIVE)), nats, name="entropy")
    with pytest.raises(ValueError):
        impl.perplexity(torch.empty(0, dtype=torch.float64))


@number("9.p1")
@weight(2)
@tags("ngram")
def test_bigrams_of_two_short_texts(impl):
    """In the texts 0 1 0 1 2 and 2 0, token 1 follows 0 twice; 0 and 2 follow 1 once, and 0 follows 2."""
    texts = [[0, 1, 0, 1, 2], [2, 0]]
    bigrams = {(0,): {1: 2}, (1,): {0: 1, 2: 1}, (2,): {0: 1}}
    unigrams = {(): {0: 3, 1: 2, 2: 2}}

    assert_close(impl.ngram_counts(texts, 2), bigrams, name="bigram counts")
    assert_close(impl.ngram_counts(texts, 1), unigrams, name="unigram counts")
    smoothed = impl.ngram_log_probs(bigrams, [2, 0], n=2, vocab_size=4, alpha=1.0)
    assert_close(smoothed, log_of(1 / 6, 3 / 6, 1 / 6, 1 / 6), name="after token 0, alpha = 1")
    mixed = impl.interpolated_log_probs([unigrams, bigrams], [2, 3], vocab_size=4, weight=0.5)
    once = np.array([3, 2, 2, 0]) / 14 + 1 / 8
    assert_close(mixed, log_of(*once), name="after token 3, which no text holds")
    # 5 bigrams; only after token 1 is there a choice, of two equally likely tokens.
    assert_close(impl.conditional_entropy(bigrams), 2 / 5 * math.log(2), name="conditional entropy")
    with pytest.raises(ValueError):
        impl.ngram_counts(texts, 0)
