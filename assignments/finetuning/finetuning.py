"""Fine-tuning: which tokens to learn from, which numbers to train, and what is learned and forgotten.

Texts are lists of token ids, or rows of such lists. A mask has one bool for each token: True means that the token counts,
which is to say that the model learns to produce it. Vectors are rows, so a layer is x @ W with W of shape
(d_in, d_out). Results keep the dtype and device of the inputs, and no input is changed in place.

Nothing here is random. Not here: the transformer itself, optimizers other than gradient descent, and sampling.
"""

import math
import re
from fnmatch import fnmatchcase

import torch
from torch.nn import functional as F

# --- Task 1: a conversation as tokens ----------------------------------------------------------


def render_chat(turns, *, headers, end_of_turn, only_last=False, open_reply=False):
    """A conversation as one row of token ids, and a mask of the tokens that the assistant learns to produce.

    Each turn becomes the header of its role, its words, and one end_of_turn. When the model is used, a program
    writes every header, also the assistant's. The turns of all other roles come in whole, with their ends. The
    assistant must produce the rest by itself, and exactly these tokens count.

    Args:
        turns: List of (role, words); role is a key of `headers`, words is a list of token ids, perhaps empty. The
            words may contain any id, even the ids of headers and end_of_turn.
        headers: Dict from each role to the list of token ids that open its turns. Has the role "assistant".
        end_of_turn: The id that closes every turn.
        only_last: Only the assistant's last turn counts. Other turns may follow that one.
        open_reply: Append the assistant's header for a reply that is not written yet.

    Returns:
        (ids, mask): a list of ints and a list of bools, equally long.

    Raises:
        ValueError: If a role has no header.
    """
    if unknown := sorted({role for role, _ in turns} - set(headers)):
        raise ValueError(f"turns must have roles of headers, got {unknown}")
    # Steps: find the assistant's last turn; add turn after turn to both lists; perhaps open a reply.
    # YOUR CODE HERE
    raise NotImplementedError("task chat is not written yet")


# --- Task 2: one gradient from many batches ----------------------------------------------------


def sft_loss(logits, ids, mask):
    """How badly the model predicts the tokens that count: the mean of -log p over all of them.

    Args:
        logits: Shape (R, T, V). The logits at position t are about the token at position t + 1.
        ids: Token ids, int64 of shape (R, T). Where the mask is False they may be anything, even -100.
        mask: Bool, shape (R, T), True at the tokens that count. The first token of a row has no logits before it: it
            never counts, even if it is marked.

    Returns:
        Shape (), in the dtype of the logits. All counted tokens of the batch have the same weight, whichever
        row they stand in. 0 if none counts.

    Raises:
        ValueError: If logits, ids and mask do not fit together.
    """
    if logits.shape[:-1] != ids.shape or mask.shape != ids.shape:
        shapes = [tuple(x.shape) for x in (logits, ids, mask)]
        raise ValueError(f"logits must be (R, T, V), ids and mask (R, T), got {shapes}")
    # Steps: bring logits, ids and mask into line; log-softmax; pick each token's; take the mean of those that count.
    # YOUR CODE HERE
    raise NotImplementedError("task sft is not written yet")


def accumulate(batches, loss_and_gradients):
    """Loss and gradients of one large batch, from micro-batches that are never in memory together.

    Args:
        batches: List of micro-batches (ids, mask), each as for `sft_loss`. In at least one, some token counts.
        loss_and_gradients: Function of (ids, mask). It returns the `sft_loss` of this micro-batch, shape (), and a
            dict from the names of the weights to their gradients of that loss. Call it once for every micro-batch in
            which some token counts, and not at all for the others: its answer there is NaN.

    Returns:
        (loss, gradients) as `loss_and_gradients` would return them for all rows in a single batch.
    """
    # Steps: go through the micro-batches; combine their losses and gradients.
    # YOUR CODE HERE
    raise NotImplementedError("task sft is not written yet")


# --- Task 3: several examples in one row -------------------------------------------------------


def best_fit(lengths, *, row_len):
    """Which examples share a row, so that few rows are needed: best fit, longest first.

    Take the examples from the longest to the shortest; of equally long ones, the lower index is first. Each goes into
    the fullest row that still has room for it; of equally full rows, into the one opened first. If none has room, it opens
    a new row.

    Args:
        lengths: List of ints, the number of tokens of each example, from 1 to row_len.
        row_len: Number of tokens of a row.

    Returns:
        List of rows in the order in which they were opened. A row is the list of its examples' indices, in the order
        in which they were put into it.

    Raises:
        ValueError: If an example is empty or longer than a row.
    """
    if wrong := [n for n in lengths if not 1 <= n <= row_len]:
        raise ValueError(f"lengths must be from 1 to row_len = {row_len}, got {wrong}")
    # YOUR CODE HERE
    raise NotImplementedError("task packing is not written yet")


def packed_batch(examples, rows, *, row_len, pad):
    """Several examples in each row, with all that a model must know to treat them as if each had a row of its own.

    Args:
        examples: List of (ids, mask), as from `render_chat`; some may have True at their first token.
        rows: As from `best_fit`: for each row the indices of its examples, in order. They fit.
        row_len: Number of tokens T of a row.
        pad: The id that fills up a row on the right.

    Returns:
        Four tensors of shape (number of rows, T):
        ids, int64: the examples one after the other, then padding.
        mask, bool: True exactly at the tokens that are to count, such that the sum of -log p over the packed rows is the sum
            over the examples in rows of their own. False at padding and at the first token of a row.
        positions, int64: the position of each token in its own example, from 0. At padding 0.
        segments, int64: 1 at the tokens of a row's first example, 2 at those of its second, … At padding 0.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task packing is not written yet")


def sees(segments):
    """Which token sees which: those of its own example, up to itself. Given.

    Args:
        segments: As from `packed_batch`, shape (rows, T).

    Returns:
        Bool, shape (rows, T, T): True where query t (the second axis) sees key s. A token of padding sees itself and the
        padding before it, so that no softmax is over nothing.
    """
    T = segments.shape[-1]
    same = segments[..., :, None] == segments[..., None, :]
    return same & torch.ones(T, T, dtype=torch.bool, device=segments.device).tril()


# --- Task 4: which weights move ----------------------------------------------------------------


def select(names, rules):
    """The names of the weights that are trained. All others are frozen, which is to say that no optimizer gets them.

    Args:
        names: List of names of weights, such as "blocks.0.W_Q".
        rules: List of patterns, for `fnmatchcase`: "*" stands for any characters, dots included, and "?" for one
            character. A pattern with "!" in front freezes the weights that match the rest of it. A pattern without "!"
            trains the weights that match it. If several patterns match a weight, the last of these decides. A weight that
            no pattern matches is frozen.

    Returns:
        List of the names that are trained, in the order of `names`.

    Example:
        Rules ["blocks.*", "!*.W_Q", "head.W"], names "embedding", "blocks.0.W_Q", "blocks.0.W_V", "head.W": the last two.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task freezing is not written yet")


def layer_rates(names, *, lr, decay):
    """A learning rate for each weight: the nearer to the output, the larger.

    Weights above the blocks get lr: all that are neither in a block nor the embedding. Weights of the last block get
    decay times that, those of the block below decay times that again, and so on. The embedding gets decay times the rate of
    the first block.

    Args:
        names: List of names: "embedding", "blocks.{number}.{…}" with numbers from 0, and others. All blocks are there.
        lr: Largest rate, positive.
        decay: Factor from block to block, positive.

    Returns:
        Dict from name to rate, a float.

    Raises:
        ValueError: If lr or decay is not positive.
    """
    if lr <= 0 or decay <= 0:
        raise ValueError(f"lr and decay must be positive, got {lr} and {decay}")
    # YOUR CODE HERE
    raise NotImplementedError("task freezing is not written yet")


def trainable_share(sizes, trained, *, tied=None):
    """The share of a model's numbers that are trained.

    Args:
        sizes: Dict from the name of each weight to how many numbers it has.
        trained: List of the names that are trained.
        tied: Dict from a name to another name of the *same* tensor, both in `sizes`; None if there are none. Such a
            tensor is one. It is trained if either of its names is in `trained`.

    Returns:
        A float from 0 to 1.

    Raises:
        ValueError: If a name is not in sizes.
    """
    tied = tied or {}
    if unknown := sorted({*trained, *tied, *tied.values()} - set(sizes)):
        raise ValueError(f"trained and tied must name weights of sizes, got {unknown}")
    # YOUR CODE HERE
    raise NotImplementedError("task freezing is not written yet")


# --- Task 5: low-rank adapters -----------------------------------------------------------------


def new_lora(noise, d_out):
    """An adapter that changes nothing yet: A is the noise, B is 0. Given.

    Args:
        noise: Shape (d_in, rank).
        d_out: Number of outputs of the layer.

    Returns:
        (A, B) of shapes (d_in, rank) and (rank, d_out).
    """
    return noise.clone(), noise.new_zeros(noise.shape[1], d_out)


def lora_gradients(G, A, B, *, alpha):
    """The gradients of a loss in A and B, from its gradient in the weight that they correct, by your formula.

    The layer uses W' = W + (alpha / rank) A B. Its loss may be anything.

    Args:
        G: dL / dW', shape (d_in, d_out).
        A: Shape (d_in, rank).
        B: Shape (rank, d_out).
        alpha: Size of the correction, positive; it is divided by the rank, once.

    Returns:
        (dL / dA, dL / dB), of the shapes of A and B, without autograd.

    Raises:
        ValueError: If the shapes do not fit, or alpha is not positive.
    """
    _check_lora(G, A, B, alpha, name="G")
    # YOUR CODE HERE
    raise NotImplementedError("task lora is not written yet")


def first_change(G, A, *, alpha, lr):
    """The change of W' in the first step of gradient descent on A and B, from B = 0: W' after minus W' before.

    Args:
        G: dL / dW' before the step, shape (d_in, d_out).
        A: Shape (d_in, rank), before the step.
        alpha: As for `lora_gradients`.
        lr: Learning rate of both A and B.

    Returns:
        Shape (d_in, d_out): the change exactly, not to first order.

    Raises:
        ValueError: If the shapes do not fit, or alpha is not positive.
    """
    _check_lora(G, A, A.new_zeros(A.shape[1], G.shape[1]), alpha, name="G")
    # YOUR CODE HERE
    raise NotImplementedError("task lora is not written yet")


def merge(W, adapters):
    """One weight that does what the weight does with all of its adapters at once.

    Args:
        W: Shape (d_in, d_out).
        adapters: List of (A, B, alpha), perhaps of different ranks, perhaps empty. Each corrects as in `lora_gradients`,
            and the corrections add up.

    Returns:
        Shape (d_in, d_out), a new tensor.

    Raises:
        ValueError: If the shapes do not fit, or an alpha is not positive.
    """
    for A, B, alpha in adapters:
        _check_lora(W, A, B, alpha, name="W")
    # YOUR CODE HERE
    raise NotImplementedError("task lora is not written yet")


def unmerge(merged, adapters):
    """What is left of a merged weight when these adapters are taken out of it again; others may stay in it.

    Args:
        merged: As from `merge`, shape (d_in, d_out).
        adapters: List of (A, B, alpha), as for `merge`: those to take out.

    Returns:
        Shape (d_in, d_out), a new tensor.

    Raises:
        ValueError: If the shapes do not fit, or an alpha is not positive.
    """
    for A, B, alpha in adapters:
        _check_lora(merged, A, B, alpha, name="merged")
    # YOUR CODE HERE
    raise NotImplementedError("task lora is not written yet")


def _check_lora(W, A, B, alpha, *, name):
    """Refuse factors that do not fit a weight."""
    if W.shape != (A.shape[0], B.shape[1]) or A.shape[1] != B.shape[0]:
        shapes = [tuple(x.shape) for x in (W, A, B)]
        raise ValueError(f"{name}, A and B must be (d_in, d_out), (d_in, rank) and (rank, d_out), got {shapes}")
    if alpha <= 0:
        raise ValueError(f"alpha must be positive, got {alpha}")


# --- Task 6: changes that start as nothing, or vanish at the end -------------------------------


def adapter(h, W_down, b_down, W_up, b_up):
    """A bottleneck beside the main road: down to few numbers, ReLU, up again, and added to what came in.

    Args:
        h: Shape (..., d).
        W_down, b_down: Shapes (d, width) and (width,); ReLU comes after this layer.
        W_up, b_up: Shapes (width, d) and (d,).

    Returns:
        Shape (..., d).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task adapters is not written yet")


def new_adapter(noise):
    """An adapter that changes nothing yet, and that gradient descent can train.

    Both biases start at 0. One of the two matrices has to be 0, too, and the other one is the noise.

    Args:
        noise: Random numbers that are not 0, shape (d, width) with width < d. If W_up is to be random, it is the transpose
            of the noise.

    Returns:
        (W_down, b_down, W_up, b_up), as for `adapter`: new tensors.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task adapters is not written yet")


def scale_activations(x, weights, scales):
    """(IA)³: keys, values and the hidden layer of the MLP, each number times a trained factor of its own. Given.

    Args:
        x: Shape (..., d).
        weights: Dict with "W_K" (d, d_k), "W_V" (d, d_v), "W_1" (d, hidden), "b_1" (hidden,), "W_2" (hidden, d) and "b_2"
            (d,). May hold others, which are not used.
        scales: Dict with the factors "keys" (d_k,), "values" (d_v,) and "hidden" (hidden,).

    Returns:
        (keys, values, output of the MLP), of shapes (..., d_k), (..., d_v) and (..., d).
    """
    hidden = scales["hidden"] * F.gelu(x @ weights["W_1"] + weights["b_1"])
    keys, values = scales["keys"] * (x @ weights["W_K"]), scales["values"] * (x @ weights["W_V"])
    return keys, values, hidden @ weights["W_2"] + weights["b_2"]


def fold_scales(weights, scales):
    """Weights that do without factors what `weights` do with them.

    For every x, `scale_activations` must give the same for `weights` with `scales` as for your result with all factors 1.
    Factors may be negative.

    Args:
        weights, scales: As for `scale_activations`.

    Returns:
        A new dict with the names of `weights`. Weights that need not change are the same numbers as before.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task adapters is not written yet")


# --- Task 7: trained vectors in front of the text ----------------------------------------------


def soft_prompt(soft, embedding, positions, ids, mask):
    """What a model reads when trained vectors stand in front of a text, and what it learns from.

    The soft vectors take the places of m tokens: they are at positions 0 … m - 1 and the text goes on from there. A soft
    vector is no token of the vocabulary, so nothing can be asked about it.

    Args:
        soft: Trained vectors, shape (m, d); m may be 0.
        embedding: Shape (V, d). Frozen.
        positions: Shape (longest text, d): a vector for each position, added to what stands there. Frozen.
        ids: Token ids, int64 of shape (R, T).
        mask: Bool, shape (R, T): which tokens count.

    Returns:
        x: Vectors, shape (R, m + T, d). Its gradient reaches `soft`, and no frozen table.
        ids: int64, shape (R, m + T): -100 at the soft vectors.
        mask: Bool, shape (R, m + T).

    Raises:
        ValueError: If m + T is more than there are positions.
    """
    if len(soft) + ids.shape[1] > len(positions):
        raise ValueError(f"m + T must be at most {len(positions)}, got {len(soft)} + {ids.shape[1]}")
    # YOUR CODE HERE
    raise NotImplementedError("task prefix is not written yet")


def attention(q, k, v):
    """Softmax attention over all keys, and the log-sum-exp of its scores. Given.

    Args:
        q: Queries, shape (..., T, d_k).
        k: Keys, shape (..., S, d_k), S at least 1. Scores are the inner products q k / sqrt(d_k).
        v: Values, shape (..., S, d_v).

    Returns:
        The output, shape (..., T, d_v), and log(sum over keys of exp(score)), shape (..., T).
    """
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])  # (..., T, S)
    return scores.softmax(-1) @ v, scores.logsumexp(-1)


def prefix_attention(q, prefix_k, prefix_v, *, base, base_lse):
    """Attention over [prefix, keys] together, when attention over the keys alone is known and the keys are not.

    Args:
        q: Queries, shape (..., T, d_k). Every query sees the whole prefix.
        prefix_k, prefix_v: Trained keys and values, shapes (..., P, d_k) and (..., P, d_v); P may be 0.
        base: Output of `attention` over the keys that the text has, shape (..., T, d_v).
        base_lse: Log-sum-exp of the scores of these keys, shape (..., T), as from `attention`.

    Returns:
        The output, shape (..., T, d_v), and the prefix's share, shape (..., T): the sum of the weights of its keys, from
        0 to 1. Finite and right for scores of any size.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task prefix is not written yet")


# --- Task 8: prompts and votes -----------------------------------------------------------------


def few_shot_prompt(examples, query, *, budget):
    """Worked examples and then the query, as one list of ids that is not too long.

    As long as the prompt has more than `budget` tokens, the first example that is still in it is left out. The query is
    always there and always whole, even if it alone is longer than the budget.

    Args:
        examples: List of lists of ids, in the order in which they are to stand.
        query: List of ids.
        budget: Largest number of tokens, at least 0.

    Returns:
        List of ids, a new one.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task votes is not written yet")


NUMBER = re.compile(r"(?:(?<!\d)-)?\d[\d,]*(?:\.\d+)?")
"""A number in a text: perhaps a minus sign, unless a digit stands before it; digits and commas; perhaps a fraction. Given."""


def extract_answer(text):
    """The answer that a text ends with: the last match of `NUMBER` in it, written in one way only.

    Equal numbers get equal strings. There is no comma, no 0 in front of other digits, no 0 at the end of a
    fraction, no point without a fraction, and no minus sign before zero. No digit is rounded.

    Args:
        text: Any string.

    Returns:
        The number as a string, or None if there is none.

    Example:
        "3 boxes of 400 make 1,200.50." -> "1200.5". "minus 0: -0.0" -> "0". "I don't know" -> None.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task votes is not written yet")


def vote(answers):
    """The answer that most samples agree on.

    Args:
        answers: List of strings, and None for samples without an answer, which do not vote.

    Returns:
        The most frequent string. Of equally frequent ones, the one that occurs first. None if nobody votes.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task votes is not written yet")


def vote_accuracy(p, n):
    """The probability that a vote of n independent samples is right, exactly.

    Args:
        p: List of K probabilities, of the right answer first and of each wrong answer after it. What they leave to 1 is
            the probability of a sample without an answer.
        n: Number of samples, at least 1. `vote` decides, so an equal number of votes goes to the answer that was
            sampled first, and a vote in which nobody votes is not right.

    Returns:
        A float, right to nine digits. Must work for n = 41 and K = 3, where 3^41 sequences are too many to list.

    Raises:
        ValueError: If p is no list of probabilities, or n is below 1.
    """
    if not len(p) or min(p) < 0 or sum(p) > 1 + 1e-9 or n < 1:
        raise ValueError(f"p must be probabilities that add up to at most 1 and n at least 1, got {p} and {n}")
    # Steps: which outcomes have equal probability? Sum over groups of them. What does the order of the samples decide?
    # YOUR CODE HERE
    raise NotImplementedError("task votes is not written yet")


# --- Task 9: what is learned, and what is forgotten --------------------------------------------


def classify(weights, x):
    """Logits of a small network with one hidden layer. Given.

    Args:
        weights: Dict with "W_1" (d, hidden), "b_1" (hidden,), "W_2" (hidden, K) and "b_2" (K,).
        x: Inputs, shape (n, d).

    Returns:
        Shape (n, K).
    """
    return torch.tanh(x @ weights["W_1"] + weights["b_1"]) @ weights["W_2"] + weights["b_2"]


def task_loss(weights, x, y):
    """Mean cross-entropy of `classify` on inputs x and classes y, int64 of shape (n,). Given."""
    return F.cross_entropy(classify(weights, x), y)


def accuracy(weights, x, y):
    """The share of inputs for which `classify` gives the right class the largest logit, a float. Given."""
    return (classify(weights, x).argmax(-1) == y).double().mean().item()


METHODS = {"full": ("W_1", "b_1", "W_2", "b_2"), "head": ("W_2", "b_2"), "bias": ("b_1", "b_2"), "lora": ()}
"""Which weights each method of `adapt` trains; "lora" trains A and B for W_1 instead. Given."""


def adapt(weights, x, y, *, method, lr, n_steps, noise=None, alpha=None):
    """The weights after fine-tuning by gradient descent on `task_loss`, all rows in every step.

    Args:
        weights: As for `classify`. They are where training starts, and stay as they are.
        x, y: The new task, as for `task_loss`.
        method: A key of `METHODS`. "lora" starts from `new_lora(noise, hidden)` and trains both A and B.
        lr: Learning rate of everything that is trained.
        n_steps: Number of steps, at least 0.
        noise, alpha: For "lora": shape (d, rank), and the size of the correction as in Task 5.

    Returns:
        A new dict with the names of `weights`, which `classify` can use: adapters are merged into it. Tensors without
        a graph (`requires_grad` is False); those that are not trained have the same numbers as before.

    Raises:
        ValueError: If the method is unknown, or "lora" comes without noise and alpha.
    """
    if method not in METHODS or (method == "lora" and (noise is None or alpha is None)):
        raise ValueError(f"method must be of {sorted(METHODS)}, lora with noise and alpha, got {method!r}")
    # Steps: what is trained, and how does it become weights? Then n_steps times: loss, gradients, step.
    # YOUR CODE HERE
    raise NotImplementedError("task adapt is not written yet")


def least_change(W, X, Y, *, penalty=0.0):
    """Where gradient descent ends that starts at W and fits X W' = Y on few examples, in one formula.

    It minimizes ½ ‖X W' − Y‖² + ½ penalty ‖W' − W‖², squares summed over all entries. Without a penalty, many W' are
    equally good; the one meant is where gradient descent from W ends, if its steps are short enough. With a penalty,
    there may be more examples than inputs.

    Args:
        W: Weights before, shape (d_in, d_out).
        X: Inputs of the new examples, shape (n, d_in). Without a penalty, its rows are linearly independent.
        Y: Their outputs, shape (n, d_out).
        penalty: At least 0: the price of moving away from W.

    Returns:
        W', shape (d_in, d_out).

    Raises:
        ValueError: If penalty is negative.
    """
    if penalty < 0:
        raise ValueError(f"penalty must be at least 0, got {penalty}")
    # YOUR CODE HERE
    raise NotImplementedError("task adapt is not written yet")
