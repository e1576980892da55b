"""From a model's logits to text: filters, draws, generation, beam search, and how good a model is.

The model is always a function you are given, `next_logits(tokens) -> logits`: a list of token ids in,
one float per token of the vocabulary out. Nothing here makes random numbers; a draw is told its uniform
number, so that it has one right answer. All logarithms are natural.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

NextLogits = Callable[[list[int]], Tensor]
Counts = dict[tuple[int, ...], dict[int, int]]
NEVER = float("-inf")  # the log-probability of a token that must not be drawn


# ---- Task 1: temperature ----------------------------------------------------------------------------


def greedy(logits: Tensor) -> Tensor:
    """The most probable token; the lowest id among equals.

    Args:
        logits: Shape (..., V), floating point.

    Returns:
        Shape (...), int64.

    Raises:
        ValueError: If `logits` is not floating point, has no vocabulary, or has a row without a finite entry.
    """
    _check_logits("logits", logits)
    # YOUR CODE HERE
    raise NotImplementedError("task temperature is not written yet")


def apply_temperature(logits: Tensor, temperature: float) -> Tensor:
    """The distribution with p_i proportional to exp(logits_i / T): sharper for T < 1, flatter for T > 1.

    T = 0 is the limit: all probability on the token that `greedy` picks. A logit of -inf stays -inf at
    every temperature. Logits of some thousands are fine, as are logits of minus some thousands.

    Args:
        logits: Shape (..., V), floating point.
        temperature: T, finite and not negative. The smallest of the checks, beside 0, is 0.001; one whose
            reciprocal overflows in the dtype of `logits` need not work.

    Returns:
        Log-probabilities, with the shape and dtype of `logits`.

    Raises:
        ValueError: As in `greedy`, or if `temperature` is negative or not finite.

    Source:
        Ackley, Hinton, Sejnowski 1985.
    """
    _check_logits("logits", logits)
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be finite and at least 0, got {temperature}")
    # Steps: T = 0 apart; otherwise scale and normalize, so that nothing overflows.
    # YOUR CODE HERE
    raise NotImplementedError("task temperature is not written yet")


# ---- Task 2: top-k ----------------------------------------------------------------------------------


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Log-probabilities of the k most probable tokens, renormalized; every other token gets -inf.

    Exactly k tokens of each row are kept (all V when k > V): of tokens that tie for the last place, those
    with the lower ids.

    Args:
        logits: Shape (..., V), floating point. Log-probabilities are logits too.
        k: How many to keep, at least 1.

    Returns:
        Log-probabilities, with the shape and dtype of `logits`.

    Raises:
        ValueError: As in `greedy`, or if `k` is not an integer of at least 1.

    Source:
        Fan, Lewis, Dauphin 2018.
    """
    _check_logits("logits", logits)
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"k must be an integer of at least 1, got {k!r}")
    # Steps: rank each row; decide by rank; go back to token order; renormalize.
    # YOUR CODE HERE
    raise NotImplementedError("task top_k is not written yet")


# ---- Task 3: top-p and min-p ------------------------------------------------------------------------


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Log-probabilities of the nucleus, renormalized; every other token gets -inf.

    The nucleus is the shortest list of tokens, in order of falling probability (lower id first among
    equals), whose probabilities add up to at least p. p = 1 keeps every token, however improbable. Sums are
    in the dtype of `logits` or in float64: no check has one so close to p that it matters.

    Example:
        Probabilities (1/8, 1/2, 1/16, 1/4, 1/16) and p = 0.8 keep tokens 0, 1 and 3.

    Args:
        logits: Shape (..., V), floating point.
        p: The mass to keep, 0 < p <= 1.

    Returns:
        Log-probabilities, with the shape and dtype of `logits`.

    Raises:
        ValueError: As in `greedy`, or if `p` is outside (0, 1].

    Source:
        Holtzman et al. 2020, section 3.1.
    """
    _check_logits("logits", logits)
    if not 0 < p <= 1:
        raise ValueError(f"p must be in (0, 1], got {p}")
    # Steps: rank each row; decide which ranks are in the nucleus; go back to token order; renormalize.
    # YOUR CODE HERE
    raise NotImplementedError("task top_p is not written yet")


def keep_min_p(logits: Tensor, min_p: float) -> Tensor:
    """Log-probabilities of the tokens at least min_p times as probable as the best one, renormalized.

    min_p = 0 keeps every token, min_p = 1 the tokens that share the maximum; the others get -inf. Apart from
    min_p = 1, no check has a token exactly on the bar.

    Args:
        logits: Shape (..., V), floating point.
        min_p: The fraction of the largest probability, 0 <= min_p <= 1.

    Returns:
        Log-probabilities, with the shape and dtype of `logits`.

    Raises:
        ValueError: As in `greedy`, or if `min_p` is outside [0, 1].

    Source:
        Nguyen et al. 2024.
    """
    _check_logits("logits", logits)
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p must be in [0, 1], got {min_p}")
    # Steps: decide which tokens are probable enough, on a scale where nothing underflows; renormalize.
    # YOUR CODE HERE
    raise NotImplementedError("task top_p is not written yet")


# ---- Task 4: a draw with a given uniform number -----------------------------------------------------


def draw(logp: Tensor, u: float | Tensor) -> Tensor:
    """The token whose stretch of [0, 1) holds u, the stretches laid out in order of token id.

    With F_i = p_0 + ... + p_i, it is the smallest i with F_i > u. So u = 0 gives the first token that can
    occur at all, and a token of probability 0 is never drawn. The p_i are taken to add up to 1; where
    rounding makes them fall short and u lands past the end, the last token that can occur is drawn.
    Computed in float64.

    Args:
        logp: Log-probabilities, shape (..., V), floating point.
        u: Uniform numbers in [0, 1), shape (...): a float when `logp` is one row.

    Returns:
        Token ids, shape (...), int64.

    Raises:
        ValueError: As in `greedy`, if a `u` is outside [0, 1), or if its shape is not logp.shape[:-1].
    """
    _check_logits("logp", logp)
    u = torch.as_tensor(u, dtype=torch.float64, device=logp.device)
    if not bool(((u >= 0) & (u < 1)).all()):
        raise ValueError(f"u must be in [0, 1), got {u.tolist()}")
    if u.shape != logp.shape[:-1]:
        raise ValueError(f"u must have the shape of logp without its last axis, {tuple(logp.shape[:-1])}, "
                         f"got {tuple(u.shape)}")
    # Steps: probabilities in float64; running sums; see to the end of [0, 1); find the stretch.
    # YOUR CODE HERE
    raise NotImplementedError("task draw is not written yet")


# ---- Given: the settings together -------------------------------------------------------------------


def repetition_penalty(logits: Tensor, tokens: Sequence[int] | Tensor, penalty: float) -> Tensor:
    """Logits in which every token that has occurred is less likely (penalty > 1) than it was.

    A positive logit is divided by the penalty, any other is multiplied by it, once per token however often
    it has occurred. The result is logits, not log-probabilities.

    Args:
        logits: Shape (..., V), floating point.
        tokens: The ids so far, prompt included, shape (..., T) with the leading shape of `logits`. T may
            be 0, and an empty list is no history for any batch.
        penalty: Positive and finite; 1 changes nothing.

    Returns:
        Logits, with the shape and dtype of `logits`.

    Raises:
        ValueError: As in `greedy`, if `penalty` is not positive and finite, if an id is outside 0 .. V-1,
            or if the leading shapes differ.

    Source:
        Keskar et al. 2019, section 4.1 (for positive logits; the other branch is what libraries do).
    """
    _check_logits("logits", logits)
    tokens = _check_tokens(tokens, logits)
    if not 0 < penalty < math.inf:
        raise ValueError(f"penalty must be positive and finite, got {penalty}")
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, tokens, True)
    penalized = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, penalized, logits)


def next_log_probs(
    logits: Tensor,
    tokens: Sequence[int] | Tensor = (),
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    penalty: float = 1.0,
) -> Tensor:
    """The distribution that the next token is drawn from, under all settings.

    The order is: repetition penalty, temperature, top-k, top-p, min-p. Each works on what the one before
    it returned. A filter that is None is left out; with every setting at its default this is log-softmax.

    Args:
        logits: Shape (..., V), floating point.
        tokens: The ids so far, as in `repetition_penalty`.
        temperature, top_k, top_p, min_p, penalty: As in the functions above.

    Returns:
        Log-probabilities, with the shape and dtype of `logits`.

    Raises:
        ValueError: As in the functions above.
    """
    logp = apply_temperature(repetition_penalty(logits, tokens, penalty), temperature)
    if top_k is not None:
        logp = keep_top_k(logp, top_k)
    if top_p is not None:
        logp = keep_top_p(logp, top_p)
    if min_p is not None:
        logp = keep_min_p(logp, min_p)
    return logp


# ---- Task 5: ancestral generation -------------------------------------------------------------------


def generate(
    next_logits: NextLogits,
    prompt: Sequence[int],
    uniforms: Sequence[float],
    *,
    max_new_tokens: int,
    eos: int | None = None,
    distribution: Callable[..., Tensor] = next_log_probs,
    pick: Callable[[Tensor, float], Tensor] = draw,
    **settings,
) -> list[int]:
    """The prompt and what the model continues it with, one draw per new token.

    New token t (from 0) is drawn with uniforms[t] from the model's distribution after everything so far.
    Generation ends after `max_new_tokens` new tokens, or with the first new token equal to `eos`, which is
    kept. An `eos` in the prompt ends nothing. The model is called once per new token, with the whole
    sequence so far as a list, and never after the end.

    Args:
        next_logits: The model; list of ids -> logits of shape (V,).
        prompt: Token ids; may be empty if the model allows it.
        uniforms: At least `max_new_tokens` numbers in [0, 1).
        max_new_tokens: How many tokens to add at most; 0 returns the prompt.
        eos: The id that ends a text, or None.
        distribution: Called as distribution(logits, tokens, **settings), where it gives log-probabilities.
        pick: Called as pick(log-probabilities, uniform number), where it gives a token.
        **settings: Keyword arguments of `next_log_probs`.

    Returns:
        Prompt and new tokens, a list of int.

    Raises:
        ValueError: If `max_new_tokens` is negative or there are fewer `uniforms` than that; else as in
            `next_log_probs`.
    """
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be at least 0, got {max_new_tokens}")
    if len(uniforms) < max_new_tokens:
        raise ValueError(f"uniforms must hold max_new_tokens = {max_new_tokens} numbers, got {len(uniforms)}")
    # Steps, for each new token: the model's logits; their distribution; a draw; go on or not.
    # YOUR CODE HERE
    raise NotImplementedError("task generate is not written yet")


# ---- Task 6: beam search ----------------------------------------------------------------------------


def beam_search(
    next_logits: NextLogits,
    prompt: Sequence[int],
    *,
    beam_width: int,
    max_new_tokens: int,
    eos: int | None = None,
    length_penalty: float = 0.0,
) -> list[tuple[list[int], float]]:
    """The best continuations that a beam of the given width finds, with their scores, best first.

    A hypothesis is the prompt with some new tokens; its log-probability is the sum over the new tokens,
    in float64.
    At each step the model is called once per live hypothesis, and of all their one-token extensions the
    `beam_width` most probable are taken (among equals: the extension of the hypothesis that ranks higher,
    then the lower id; an extension of probability 0 is never taken). Those that end in `eos` are finished:
    they are never extended, and they don't use up places, so the next step takes `beam_width` again. Nothing
    fills their places in the same step. The search ends when none is live or `max_new_tokens` have been
    added. Then finished and live hypotheses are ranked together by

        score = log-probability / (number of new tokens) ** length_penalty

    with `eos` counted as a new token and the prompt not. Of equal scores, finished hypotheses come before
    live ones, and otherwise what was taken earlier comes first. Equal means: the float64 sums as computed.

    Args:
        next_logits: The model; list of ids -> logits of shape (V,).
        prompt: Token ids; may be empty if the model allows it.
        beam_width: How many extensions are taken at each step, at least 1.
        max_new_tokens: The most tokens to add, at least 1.
        eos: The id that ends a text, or None.
        length_penalty: The power of the length; 0 ranks by log-probability, 1 by its mean per token.

    Returns:
        At most `beam_width` pairs (prompt and new tokens, score), scores falling.

    Raises:
        ValueError: If `beam_width` or `max_new_tokens` is less than 1, or `length_penalty` is not finite.

    Source:
        Sutskever, Vinyals, Le 2014, section 3.2 (the search); Wu et al. 2016, section 7 (the idea of
        dividing by a power of the length).
    """
    if beam_width < 1:
        raise ValueError(f"beam_width must be at least 1, got {beam_width}")
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    if not math.isfinite(length_penalty):
        raise ValueError(f"length_penalty must be finite, got {length_penalty}")
    # Steps: one step of the search; which hypotheses go on; when it ends; the final ranking.
    # YOUR CODE HERE
    raise NotImplementedError("task beam is not written yet")


# ---- Task 7: how surprised a model is ---------------------------------------------------------------


def entropy(logp: Tensor) -> Tensor:
    """The expected surprise H = -sum_i p_i log p_i of each distribution, in nats; p log p is 0 at p = 0.

    Args:
        logp: Log-probabilities, shape (..., V), floating point.

    Returns:
        Shape (...), with the dtype of `logp`; between 0 and log V.

    Raises:
        ValueError: As in `greedy`.

    Source:
        Shannon 1948, section 6.
    """
    _check_logits("logp", logp)
    # YOUR CODE HERE
    raise NotImplementedError("task perplexity is not written yet")


def token_log_probs(next_logits: NextLogits, tokens: Sequence[int], *, start: int = 1) -> Tensor:
    """The log-probability that the model gives each token of a text, given all tokens before it.

    The model is called once per scored token: for tokens[t] with exactly tokens[0], ..., tokens[t-1].

    Args:
        next_logits: The model; list of ids -> logits of shape (V,).
        tokens: The text, T ids.
        start: The first token to score, 0 <= start <= T; those before it are only read.

    Returns:
        Shape (T - start,), float64.

    Raises:
        ValueError: If `start` is outside 0 .. T.
    """
    if not 0 <= start <= len(tokens):
        raise ValueError(f"start must be in 0 .. {len(tokens)}, got {start}")
    # Steps, for each scored token: the right prefix; the model's logits; the score.
    # YOUR CODE HERE
    raise NotImplementedError("task perplexity is not written yet")


def perplexity(logp: Tensor) -> float:
    """How many equally likely tokens the model was, on average, choosing among: exp(-mean log p).

    One impossible token (-inf) makes it infinite.

    Args:
        logp: Log-probabilities of the tokens of a text, any shape, at least one.

    Returns:
        A float of at least 1.

    Raises:
        ValueError: If `logp` is empty or holds NaN.

    Source:
        Jelinek et al. 1977.
    """
    if logp.numel() == 0:
        raise ValueError(f"logp must hold at least one number, got shape {tuple(logp.shape)}")
    if bool(logp.isnan().any()):
        raise ValueError("logp must not hold NaN, got NaN")
    # YOUR CODE HERE
    raise NotImplementedError("task perplexity is not written yet")


# ---- Task 8: Shannon's n-gram model -----------------------------------------------------------------


def ngram_counts(sequences: Sequence[Sequence[int]], n: int) -> Counts:
    """How often each token followed each context of n - 1 tokens.

    A sequence of T tokens has T - n + 1 n-grams (none if T < n): there is no padding, and no n-gram
    reaches from one sequence into the next.

    Args:
        sequences: Texts, each a sequence of ids.
        n: The order, at least 1; the context of a unigram is the empty tuple.

    Returns:
        {context: {token: count}}, contexts as tuples of n - 1 ids, only those that occur, counts positive.

    Raises:
        ValueError: If `n` is less than 1.

    Source:
        Shannon 1948, section 3.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    # Steps, for each sequence: every n-gram in it, as a context and a token; count.
    # YOUR CODE HERE
    raise NotImplementedError("task ngram is not written yet")


def ngram_log_probs(
    counts: Counts, tokens: Sequence[int], *, n: int, vocab_size: int, alpha: float = 0.0
) -> Tensor:
    """The n-gram model's distribution of the next token, with alpha added to every count.

    With c(x, y) the count of token y after context x, and c(x) the sum of c(x, y) over y,

        p(y | x) = (c(x, y) + alpha) / (c(x) + alpha V)

    The context x is the last n - 1 of `tokens`. Where it was never seen, or there are fewer than n - 1
    tokens, the distribution is uniform, with alpha = 0 as well.

    Args:
        counts: What `ngram_counts` returns for the same n.
        tokens: The ids so far.
        n: The order, at least 1.
        vocab_size: V, at least 1.
        alpha: The pseudo-count, finite and not negative; 0 gives the empirical frequencies.

    Returns:
        Log-probabilities, shape (V,), float64; -inf for probability 0.

    Raises:
        ValueError: If `n` or `vocab_size` is less than 1, or `alpha` is negative or not finite.

    Source:
        Lidstone 1920; Jurafsky and Martin, Speech and Language Processing, section 3.5.
    """
    _check_order(n, vocab_size)
    if not 0 <= alpha < math.inf:
        raise ValueError(f"alpha must be finite and at least 0, got {alpha}")
    # Steps: find the context; its followers; smooth; normalize.
    # YOUR CODE HERE
    raise NotImplementedError("task ngram is not written yet")


def interpolated_log_probs(
    counts_by_order: Sequence[Counts], tokens: Sequence[int], *, vocab_size: int, weight: float
) -> Tensor:
    """The next token's distribution with n-gram orders 1 .. N mixed, longest context first.

    With f_n the empirical frequencies after the last n - 1 tokens and p_0 the uniform distribution,

        p_n = weight f_n + (1 - weight) p_{n-1}    where that context was seen,
        p_n = p_{n-1}                              where it was not, or there are too few tokens,

    and the result is p_N.

    Args:
        counts_by_order: [ngram_counts(sequences, 1), ..., ngram_counts(sequences, N)]; may be empty.
        tokens: The ids so far.
        vocab_size: V, at least 1.
        weight: The share of each order over those below it, 0 <= weight <= 1.

    Returns:
        Log-probabilities, shape (V,), float64; -inf for probability 0.

    Raises:
        ValueError: If `vocab_size` is less than 1, or `weight` is outside [0, 1].

    Source:
        Jelinek and Mercer 1980.
    """
    _check_order(1, vocab_size)
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be in [0, 1], got {weight}")
    # Steps: from p_0 upward, one order at a time.
    # YOUR CODE HERE
    raise NotImplementedError("task ngram is not written yet")


def conditional_entropy(counts: Counts) -> float:
    """The entropy of the next token given its context, in nats, under the counts' own frequencies.

    H(Y | X) = -sum_{x, y} c(x, y) / N log(c(x, y) / c(x)), with N the sum of all counts and c(x) the sum of
    c(x, y) over y.

    Args:
        counts: What `ngram_counts` returns; at least one n-gram.

    Returns:
        A float, not negative.

    Raises:
        ValueError: If `counts` is empty.

    Source:
        Shannon 1948, section 6.
    """
    if not counts:
        raise ValueError("counts must hold at least one context, got an empty dict")
    # YOUR CODE HERE
    raise NotImplementedError("task ngram is not written yet")


# ---- Input checks and helpers -----------------------------------------------------------------------


def _check_logits(name: str, logits: Tensor) -> None:
    """Refuse what is no row of logits: another dtype, no vocabulary, NaN or +inf, a row without a token."""
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = getattr(logits, "dtype", type(logits).__name__)
        raise ValueError(f"{name} must be a floating-point tensor, got {kind}")
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"{name} must have shape (..., V) with V at least 1, got {tuple(logits.shape)}")
    if not bool((logits < math.inf).all()):
        raise ValueError(f"{name} must hold finite numbers or -inf, got NaN or +inf")
    if not bool((logits > NEVER).any(dim=-1).all()):
        raise ValueError(f"{name} must leave a token possible in every row, got a row of only -inf")


def _check_tokens(tokens: Sequence[int] | Tensor, logits: Tensor) -> Tensor:
    """The ids as an int64 tensor, refused unless they fit the leading shape and vocabulary of `logits`."""
    ids = torch.as_tensor(tokens, dtype=torch.int64, device=logits.device)
    if ids.shape == (0,):
        ids = ids.expand(*logits.shape[:-1], 0)
    if ids.ndim == 0 or ids.shape[:-1] != logits.shape[:-1]:
        raise ValueError(f"tokens must have shape (..., T) with the leading shape of logits, "
                         f"got tokens {tuple(ids.shape)} and logits {tuple(logits.shape)}")
    if bool(((ids < 0) | (ids >= logits.shape[-1])).any()):
        raise ValueError(f"tokens must be ids in 0 .. {logits.shape[-1] - 1}, got {ids.tolist()}")
    return ids


def _check_order(n: int, vocab_size: int) -> None:
    """Refuse an order or a vocabulary below 1."""
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if vocab_size < 1:
        raise ValueError(f"vocab_size must be at least 1, got {vocab_size}")
