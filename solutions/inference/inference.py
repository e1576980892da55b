"""Fewer bits and fewer calls: quantized weights, speculative decoding, and texts that an automaton allows.

Everything is NumPy. Models are functions that you are given; their rows are probabilities. What needs luck takes it as
the arguments `draw` and `flip`, so that a whole distribution of results can be checked and not only a sample.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy import ndarray

Moves = dict[int, dict[int, int]]  # moves[state][byte] is the next state
Draw = Callable[[ndarray], int]  # draw(probabilities) is an index
Flip = Callable[[float], bool]  # flip(p) is True with probability p


# ---- Task 1: fewer bits -----------------------------------------------------------------------------


def quantize(w: ndarray, *, bits: int = 8, group_size: int | None = None) -> tuple[ndarray, ndarray]:
    """Codes and scales that stand for weights: symmetric quantization, w close to scale times code.

    The largest code is 2^(bits-1) - 1, the smallest is its negative. A group's scale takes its largest magnitude to the
    largest code. A group of zeros has scale 1. The code is w / scale, rounded half to even as by `np.rint`.

    Args:
        w: Weights, shape (rows, columns).
        bits: From 2 to 8.
        group_size: Number of neighboring weights of a row that share a scale; it divides the number of columns. Default:
            all weights of the matrix share one scale.

    Returns:
        (codes, scales): int8 of the shape of w; float64 of shape (rows, columns / group_size), or (1, 1) for one scale.

    Raises:
        ValueError: If w is no finite matrix, bits is not in 2 .. 8, or group_size does not divide the columns.

    Example:
        With bits=3, the row (6, -3, 1) has scale 2 and codes (3, -2, 0): -1.5 and 0.5 are halfway, and go to even.
    """
    w = _matrix("w", w)
    _check_bits(bits)
    _check_group(w, group_size)
    # Steps: the groups of each row, as an axis of their own; a scale for each; the codes, back in the shape of w.
    # BEGIN SOLUTION quantize
    largest_code = 2 ** (bits - 1) - 1
    groups = _grouped(w, group_size)
    largest = np.abs(groups).max(axis=-1)  # (rows, groups)
    scales = np.where(largest > 0, largest / largest_code, 1.0)
    codes = np.rint(groups / scales[..., None])
    return codes.reshape(w.shape).astype(np.int8), scales
    # END SOLUTION


def quantize_affine(w: ndarray, *, bits: int = 8, group_size: int | None = None) -> tuple[ndarray, ndarray, ndarray]:
    """Codes, scales and zero points for weights mostly on one side of 0: w close to scale times (code - zero).

    Codes run from 0 to 2^bits - 1. A group's range reaches from min(w, 0) to max(w, 0), so that 0 has a code of its own,
    the zero point. The scale is the length of the range, divided by 2^bits - 1, and 1 for a group of zeros. The zero point
    is -low / scale, rounded, where low is the lower end of the range. The code is w / scale rounded, plus the zero point;
    a code outside 0 .. 2^bits - 1 becomes the nearest code inside. Rounding is half to even.

    Args:
        w, bits, group_size: As for `quantize`.

    Returns:
        (codes, scales, zeros): uint8 of the shape of w; float64 and uint8, with the shape of the scales of `quantize`.

    Raises:
        ValueError: As for `quantize`.

    Example:
        With bits=2, the row (1, 2, 6) has the range 0 .. 6, scale 2, zero point 0 and codes (0, 1, 3).
    """
    w = _matrix("w", w)
    _check_bits(bits)
    _check_group(w, group_size)
    # Steps: as for `quantize`, with both ends of each group's range.
    # BEGIN SOLUTION quantize
    largest_code = 2**bits - 1
    groups = _grouped(w, group_size)
    low = np.minimum(groups.min(axis=-1), 0.0)
    high = np.maximum(groups.max(axis=-1), 0.0)
    scales = np.where(high > low, (high - low) / largest_code, 1.0)
    zeros = np.rint(-low / scales)
    codes = np.rint(groups / scales[..., None]) + zeros[..., None]
    # both roundings may go up, which gives one code too many
    codes = np.clip(codes, 0, largest_code)
    return codes.reshape(w.shape).astype(np.uint8), scales, zeros.astype(np.uint8)
    # END SOLUTION


def dequantize(codes: ndarray, scales: ndarray, zeros: ndarray | None = None) -> ndarray:
    """The weights that codes stand for: scale times code, or scale times (code - zero).

    Args:
        codes: From `quantize` (int8) or `quantize_affine` (uint8), shape (rows, columns).
        scales: Shape (rows, n_groups), or (1, 1) for one scale. All groups of a row are equally long.
        zeros: From `quantize_affine`, with the shape of scales.

    Returns:
        float64, shape (rows, columns).

    Raises:
        ValueError: If the shapes don't fit together.

    Example:
        The codes (200, 3) with scale 0.5 and zero point 10 stand for (95, -3.5).
    """
    codes, scales = np.asarray(codes), np.asarray(scales, dtype=np.float64)
    _check_scales(codes, scales, zeros)
    # Steps: the scale (and the zero point) of each single weight; the differences; the products.
    # BEGIN SOLUTION quantize
    length = codes.shape[1] // scales.shape[1]
    wide = codes.astype(np.float64)  # 3 - 10 is no uint8
    if zeros is not None:
        wide = wide - np.repeat(zeros, length, axis=1)
    return wide * np.repeat(scales, length, axis=1)
    # END SOLUTION


# ---- Task 2: two codes in a byte --------------------------------------------------------------------


def pack_int4(codes: ndarray) -> ndarray:
    """Two codes of four bits in each byte.

    A code from -8 to 7 takes four bits in two's complement: -1 is 1111 and -8 is 1000. Of two neighbors, the left one
    takes the four low bits. If the number of codes is odd, the four high bits of the last byte are 0.

    Args:
        codes: int8, shape (..., n), each from -8 to 7.

    Returns:
        uint8, shape (..., (n + 1) // 2).

    Raises:
        ValueError: If a code is outside -8 .. 7.

    Example:
        (1, -1, 7) becomes the bytes (0xF1, 0x07).
    """
    codes = np.asarray(codes)
    _check_nibbles(codes)
    # BEGIN SOLUTION pack
    nibbles = codes.astype(np.uint8) & 0x0F
    if codes.shape[-1] % 2:
        nibbles = np.concatenate([nibbles, np.zeros_like(nibbles[..., :1])], axis=-1)
    return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)
    # END SOLUTION


def unpack_int4(packed: ndarray, n: int) -> ndarray:
    """The codes that `pack_int4` has put into bytes.

    Args:
        packed: uint8, shape (..., (n + 1) // 2).
        n: Number of codes in each row.

    Returns:
        int8, shape (..., n), each from -8 to 7.

    Raises:
        ValueError: If packed is not uint8, or has another number of bytes.

    Example:
        The bytes (0xF1, 0x07) with n = 3 are the codes (1, -1, 7).
    """
    packed = np.asarray(packed)
    _check_packed(packed, n)
    # BEGIN SOLUTION pack
    nibbles = np.stack([packed & 0x0F, packed >> 4], axis=-1).astype(np.int8)  # (..., bytes, 2)
    codes = np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)
    return codes.reshape(*packed.shape[:-1], -1)[..., :n]
    # END SOLUTION


# ---- Task 3: integers multiply ----------------------------------------------------------------------


def longest_exact_sum(bits: int, accumulator_bits: int = 32) -> int:
    """The number of products of two codes that an accumulator holds in every case.

    Both codes come from `quantize` with these bits. The accumulator is a signed integer: with b bits it holds all whole
    numbers from -2^(b-1) to 2^(b-1) - 1.

    Args:
        bits: Of each code, from 2 to 8.
        accumulator_bits: Of the sum, at least 2.

    Returns:
        The largest d for which no sum of d products leaves the accumulator, whatever the codes are. It may be 0.

    Raises:
        ValueError: If bits is not in 2 .. 8, or accumulator_bits is below 2.

    Example:
        Codes of 4 bits and an accumulator of 8 bits: 2.
    """
    _check_bits(bits)
    if accumulator_bits < 2:
        raise ValueError(f"accumulator_bits must be at least 2, got {accumulator_bits}")
    # BEGIN SOLUTION int8
    largest_product = (2 ** (bits - 1) - 1) ** 2
    return (2 ** (accumulator_bits - 1) - 1) // largest_product
    # END SOLUTION


def int8_matmul(x: ndarray, w: ndarray, *, threshold: float = 6.0, quantize: Callable = quantize) -> ndarray:
    """x times w transposed, with 8-bit codes for all columns but those of the outliers.

    A column of x is an outlier if any of its entries has a magnitude of `threshold` or more. The outlier columns of x and
    of w are multiplied in float64. All other columns are quantized to 8 bits, with one scale for each row of x and for
    each row of w; the outlier columns have no influence on these scales. The codes are multiplied and summed as 32-bit
    integers, and the sums are scaled back.

    Args:
        x: Activations, shape (n, d).
        w: Weights, one row per output, shape (m, d).
        threshold: Positive.
        quantize: Called as quantize(matrix, bits=8, group_size=…), it gives (codes, scales). It needs a column at least.

    Returns:
        float64, shape (n, m).

    Raises:
        ValueError: If x or w is no finite matrix, they differ in d, or threshold is not positive.

    Example:
        x = (127, 127) and w = (127, 127) with threshold 1000: both have scale 1, and the result is 32258.
    """
    x, w = _matrix("x", x), _matrix("w", w)
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"x and w must share d, got x {x.shape} and w {w.shape}")
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, got {threshold}")
    # Steps: which columns; the float part; codes of the rest; their integer sums; the scales.
    # BEGIN SOLUTION int8
    outlier = (np.abs(x) >= threshold).any(axis=0)  # (d,)
    out = x[:, outlier] @ w[:, outlier].T
    if outlier.all():
        return out
    n_kept = int((~outlier).sum())
    x_codes, x_scales = quantize(x[:, ~outlier], bits=8, group_size=n_kept)  # (n, kept), (n, 1)
    w_codes, w_scales = quantize(w[:, ~outlier], bits=8, group_size=n_kept)  # (m, kept), (m, 1)
    sums = x_codes.astype(np.int32) @ w_codes.astype(np.int32).T
    return out + sums * x_scales * w_scales.T
    # END SOLUTION


# ---- Task 4: weights that make up for each other ----------------------------------------------------


def compensation(hessian: ndarray, error: ndarray) -> ndarray:
    """What to add to the other weights, if the first weight of each row has just been changed by `error`.

    Of all changes of the other weights, it is the one with the least damage δ H δᵀ. Here δ is the change of a whole row:
    first the error, then the answer.

    Args:
        hessian: H of all n weights of a row, symmetric and positive definite, shape (n, n), n at least 1.
        error: The change of the first weight of each row, shape (rows,).

    Returns:
        Shape (rows, n - 1).

    Raises:
        ValueError: If hessian is not square, or error is no vector.

    Example:
        H = [[2, 1], [1, 1]] and the error 3: the other weight changes by -3.
    """
    hessian, error = _hessian(hessian), np.asarray(error, dtype=np.float64)
    if error.ndim != 1:
        raise ValueError(f"error must have shape (rows,), got {error.shape}")
    # BEGIN SOLUTION gptq
    return -np.outer(error, np.linalg.solve(hessian[1:, 1:], hessian[1:, 0]))
    # END SOLUTION


def gptq(
    w: ndarray, hessian: ndarray, scales: ndarray, *, bits: int = 4, compensation: Callable = compensation
) -> ndarray:
    """Codes for a layer's weights, found column by column: the columns to the right make up for each rounding.

    Column 0 is rounded first: w / scale, half to even, and then the nearest code from -(2^(bits-1) - 1) to
    2^(bits-1) - 1. Its error is scale times code, minus w. The columns to its right are changed by `compensation`. Then
    column 1, as it has become, is rounded in the same way, and so on.

    Args:
        w: Weights, shape (rows, n). They stay as they are.
        hessian: H for the inputs of the layer, shape (n, n).
        scales: One per row, shape (rows, 1). They are given, and stay.
        bits: From 2 to 8.
        compensation: Called as compensation(H of the columns from this one on, errors of this column), it gives what to
            add to the columns to the right.

    Returns:
        Codes, int8, shape (rows, n).

    Raises:
        ValueError: If the shapes don't fit together, or bits is not in 2 .. 8.

    Example:
        w = (0.375, 0.375), H = [[2, 1], [1, 1]], scale 1: column 0 becomes 0, column 1 becomes 0.75, its code is 1.

    Source:
        Frantar et al. 2022.
    """
    w, hessian, scales = _matrix("w", w), _hessian(hessian), np.asarray(scales, dtype=np.float64)
    _check_bits(bits)
    if hessian.shape[0] != w.shape[1] or scales.shape != (w.shape[0], 1):
        raise ValueError(f"w must be (rows, n), hessian (n, n), scales (rows, 1), got {w.shape}, {hessian.shape}, {scales.shape}")
    # Steps, for each column: its codes; its errors; the columns to the right.
    # BEGIN SOLUTION gptq
    largest_code = 2 ** (bits - 1) - 1
    left = w.copy()
    codes = np.zeros(w.shape, dtype=np.int8)
    for i in range(w.shape[1]):
        codes[:, i] = np.clip(np.rint(left[:, i] / scales[:, 0]), -largest_code, largest_code)
        error = codes[:, i] * scales[:, 0] - left[:, i]
        left[:, i + 1 :] += compensation(hessian[i:, i:], error)
    return codes
    # END SOLUTION


def layer_error(w: ndarray, w_hat: ndarray, hessian: ndarray) -> float:
    """The damage of a changed layer: the sum of δ H δᵀ over its rows, where δ is a row of w_hat - w.

    Args:
        w, w_hat: Shape (rows, n).
        hessian: H, shape (n, n).

    Returns:
        A number. With H = XᵀX, it is the squared change of the layer's outputs on the inputs X, in total.
    """
    delta = np.asarray(w_hat, dtype=np.float64) - w
    return float(np.einsum("ri,ij,rj->", delta, hessian, delta))


# ---- Task 5: accept a word or replace it ------------------------------------------------------------


def acceptance_rate(p: ndarray, q: ndarray) -> ndarray:
    """The probability that a token drawn from q is accepted for p.

    Args:
        p: What the target draws from, shape (..., V).
        q: What the draft draws from, shape (..., V).

    Returns:
        float64, shape (...).

    Raises:
        ValueError: If p and q differ in shape, or are no distributions.

    Example:
        p = (3/4, 1/4) and q = (1/4, 3/4): 1/2.
    """
    p, q = _distributions(p, q)
    # BEGIN SOLUTION accept
    return np.minimum(p, q).sum(axis=-1)
    # END SOLUTION


def accept_or_resample(p: ndarray, q: ndarray, token: int, *, draw: Draw, flip: Flip) -> tuple[bool, int]:
    """Whether the target keeps a token that was drawn from q, and the token that stands in the text.

    The token is accepted with probability min(1, p(token) / q(token)). Otherwise a replacement is drawn. If `token` is
    drawn from q, then the token in the text has the distribution p.

    Args:
        p: What the target would draw from, shape (V,).
        q: What the token was drawn from, shape (V,).
        token: Its q is positive.
        draw, flip: See Conventions.

    Returns:
        (accepted, token).

    Raises:
        ValueError: If p and q differ in shape, are no distributions, or q(token) is 0.

    Example:
        p = (3/4, 1/4), q = (1/4, 3/4): token 0 is always accepted. Token 1 is accepted one time in three.

    Source:
        Leviathan et al. 2023; Chen et al. 2023.
    """
    p, q = _distributions(p, q)
    if not q[token] > 0:
        raise ValueError(f"token must be one that q can draw, got {token} with q = {q[token]}")
    # BEGIN SOLUTION accept
    if flip(min(1.0, p[token] / q[token])):
        return True, int(token)
    residual = np.maximum(p - q, 0.0)
    return False, int(draw(residual / residual.sum()))
    # END SOLUTION


# ---- Task 6: a whole text ---------------------------------------------------------------------------


class Cached:
    """A model with a cache, as `speculative_generate` calls it, made from a function of the whole text.

    Attributes:
        calls: Number of calls so far.
        read: Number of tokens that were read in all calls.
    """

    def __init__(self, next_probs: Callable[[list[int]], Sequence[float]]) -> None:
        """next_probs(text) gives the probabilities of the token after a text, shape (V,)."""
        self._next_probs = next_probs
        self._text: list[int] = []
        self.calls = self.read = 0

    def __call__(self, tokens: Sequence[int], *, keep: int) -> ndarray:
        """Forget all but the first `keep` tokens, read `tokens` behind them, and give a row after each: (len(tokens), V)."""
        if not 0 <= keep <= len(self._text):
            raise ValueError(f"keep must be from 0 to {len(self._text)}, the number of tokens in the cache, got {keep}")
        if len(tokens) == 0:
            raise ValueError("tokens must hold at least one token, got none")
        self.calls += 1
        self.read += len(tokens)
        rows, self._text = [], self._text[:keep]
        for token in tokens:
            self._text.append(int(token))
            rows.append(self._next_probs(list(self._text)))
        return np.array(rows, dtype=np.float64)


def speculative_generate(
    target: Callable[..., ndarray],
    draft: Callable[..., ndarray],
    prompt: Sequence[int],
    *,
    gamma: int,
    max_new_tokens: int,
    eos: int | None = None,
    warp: Callable[[ndarray], ndarray] | None = None,
    accept: Callable[..., tuple[bool, int]] = accept_or_resample,
    draw: Draw,
    flip: Flip,
) -> list[int]:
    """A text that the draft and the target write together, in rounds.

    The text ends after `max_new_tokens` new tokens, or with the first new token equal to `eos`, which is kept. An `eos`
    in the prompt ends nothing.

    Args:
        target, draft: Models with a cache, called as model(tokens, keep=n). See Task 6.
        prompt: Token ids, at least one.
        gamma: The largest number of drafted tokens in a round, at least 0. A round drafts min(gamma, m - 1) tokens, where
            m is the number of tokens that may still be written.
        max_new_tokens: At least 0.
        eos: The id that ends a text, or None.
        warp: Turns rows (k, V) into the rows that are drawn from: a temperature, a filter. Both
            models' rows go through it. Default: the rows stay as they are.
        accept: Called as accept(p, q, token, draw=draw, flip=flip), it gives (accepted, token).
        draw, flip: See Conventions.

    Returns:
        The prompt and the new tokens, a list of int.

    Raises:
        ValueError: If the prompt is empty, or gamma or max_new_tokens is negative.
    """
    if len(prompt) == 0:
        raise ValueError("prompt must hold at least one token, got none")
    if gamma < 0 or max_new_tokens < 0:
        raise ValueError(f"gamma and max_new_tokens must not be negative, got {gamma} and {max_new_tokens}")
    # Steps of a round: draft; one call of the target; accept or replace, one by one; the caches; the end?
    # BEGIN SOLUTION speculate
    shaped = warp or (lambda rows: rows)
    text = [int(token) for token in prompt]
    end = len(text) + max_new_tokens
    in_target = in_draft = 0  # how many tokens of the text each cache holds
    while len(text) < end:
        drafted, q_rows = [], []
        for _ in range(min(gamma, end - len(text) - 1)):
            so_far = text + drafted
            q_rows.append(shaped(draft(so_far[in_draft:], keep=in_draft))[-1])
            in_draft = len(so_far)
            drafted.append(int(draw(q_rows[-1])))
        rows = shaped(target((text + drafted)[in_target:], keep=in_target))
        p_rows = rows[len(rows) - len(drafted) - 1 :]  # the first call has read the prompt, too
        for p, q, guess in zip(p_rows, q_rows, drafted):
            accepted, token = accept(p, q, guess, draw=draw, flip=flip)
            text.append(int(token))
            if not accepted or token == eos:
                break
        else:
            text.append(int(draw(p_rows[-1])))
        if text[-1] == eos:
            break
        # nobody has read the last token yet, and what came after the accepted ones is not in the text
        in_target, in_draft = len(text) - 1, min(in_draft, len(text) - 1)
    return text
    # END SOLUTION


# ---- Task 7: how long a draft -----------------------------------------------------------------------


def expected_tokens(alpha: float, gamma: int) -> float:
    """The mean number of tokens that a round adds to a text, where each drafted token is accepted with chance alpha.

    The drafted tokens are accepted or not independently of each other, and the text has no end.

    Args:
        alpha: From 0 to 1, both included.
        gamma: Number of drafted tokens, at least 0.

    Returns:
        A number.

    Raises:
        ValueError: If alpha is not in [0, 1], or gamma is negative.

    Example:
        alpha = 1/2 and gamma = 1: 1.5.
    """
    _check_alpha(alpha, gamma)
    # BEGIN SOLUTION speed
    return float(sum(alpha**n for n in range(gamma + 1)))
    # END SOLUTION


def speedup(alpha: float, gamma: int, cost: float, *, tokens: Callable[[float, int], float] = expected_tokens) -> float:
    """How many times faster texts come than with the target alone.

    A call of the target takes time 1, however many tokens it reads, and writes one token if there is no draft. A call of
    the draft takes time `cost`; nothing else takes time.

    Args:
        alpha, gamma: As for `expected_tokens`.
        cost: Not negative.
        tokens: tokens(alpha, gamma) gives the mean number of tokens per round.

    Returns:
        A number; 1 for gamma = 0.

    Raises:
        ValueError: As for `expected_tokens`, or if cost is negative.
    """
    _check_alpha(alpha, gamma)
    if not cost >= 0:
        raise ValueError(f"cost must not be negative, got {cost}")
    # BEGIN SOLUTION speed
    return tokens(alpha, gamma) / (1 + gamma * cost)
    # END SOLUTION


def best_draft_length(
    alpha: float, cost: float, *, longest: int = 64, speed: Callable[[float, int, float], float] = speedup
) -> int:
    """The draft length with the largest speedup.

    Args:
        alpha, cost: As for `speedup`.
        longest: Lengths 0, 1, …, longest are compared. 0 means no draft at all.
        speed: speed(alpha, gamma, cost) gives the speedup.

    Returns:
        The best length; the shortest one among equals.

    Raises:
        ValueError: If alpha is not in [0, 1], or longest is negative.
    """
    _check_alpha(alpha, longest)
    # BEGIN SOLUTION speed
    return max(range(longest + 1), key=lambda gamma: speed(alpha, gamma, cost))
    # END SOLUTION


# ---- Task 8: which tokens an automaton allows -------------------------------------------------------


def advance(moves: Moves, state: int, token: bytes) -> int | None:
    """The state after all bytes of a token, or None if the automaton has no move for one of them.

    Args:
        moves: moves[state][byte] is the next state. A state without any move may be missing.
        state: The state before the token.
        token: Its bytes; none at all leave the state as it is.

    Returns:
        A state or None.
    """
    # BEGIN SOLUTION automaton
    for byte in token:
        if byte not in moves.get(state, {}):
            return None
        state = moves[state][byte]
    return state
    # END SOLUTION


def live_states(
    moves: Moves, accepting: set[int], vocabulary: Sequence[bytes], *, eos: int, advance: Callable = advance
) -> set[int]:
    """The states from which a text can still be finished: some sequence of tokens leads to an accepting state.

    Args:
        moves: As for `advance`.
        accepting: The states in which a text may end. They are live themselves.
        vocabulary: vocabulary[token] holds the bytes of a token.
        eos: The token that ends a text. It has no bytes, and is no part of such a sequence.
        advance: advance(moves, state, token_bytes) gives a state or None.

    Returns:
        A set of states, all of which are in `moves` or in `accepting`.

    Raises:
        ValueError: If eos is not in the vocabulary, or another token has no bytes.
    """
    _check_vocabulary(vocabulary, eos)
    # Steps: begin with the accepting states; add what leads there; again, until nothing is added.
    # BEGIN SOLUTION automaton
    words = [word for token, word in enumerate(vocabulary) if token != eos]
    after = {state: {advance(moves, state, word) for word in words} - {None} for state in moves}
    live = set(accepting)
    while more := {state for state, ends in after.items() if state not in live and ends & live}:
        live |= more
    return live
    # END SOLUTION


def allowed_tokens(
    moves: Moves,
    accepting: set[int],
    vocabulary: Sequence[bytes],
    state: int,
    live: set[int],
    *,
    eos: int,
    advance: Callable = advance,
) -> list[int]:
    """The tokens that may come next, in a state.

    A token is allowed if the automaton has moves for all of its bytes and the state after them is live. `eos` is allowed
    in accepting states, and in no others.

    Args:
        moves, accepting, vocabulary, eos, advance: As for `live_states`.
        state: The state after the text so far.
        live: The live states.

    Returns:
        Token ids, the smallest first.

    Raises:
        ValueError: As for `live_states`.
    """
    _check_vocabulary(vocabulary, eos)
    # BEGIN SOLUTION automaton
    return [
        token
        for token, word in enumerate(vocabulary)
        if (state in accepting if token == eos else advance(moves, state, word) in live)
    ]
    # END SOLUTION


def forced_run(
    state: int, allowed: Callable[[int], list[int]], step: Callable[[int, int], int], *, eos: int, limit: int
) -> tuple[list[int], int]:
    """The tokens that follow without any choice, and the state after them.

    As long as exactly one token is allowed, it is taken. The run ends where there is a choice, after `eos`, which is part
    of the run, or after `limit` tokens.

    Args:
        state: The state after the text so far.
        allowed: allowed(state) lists the tokens that may come next.
        step: step(state, token) is the state after a token. It is not called with `eos`, which leaves the state as it is.
        eos: The token that ends a text.
        limit: The largest number of tokens, at least 0.

    Returns:
        (tokens, state).
    """
    # BEGIN SOLUTION automaton
    run = []
    while len(run) < limit and len(options := allowed(state)) == 1:
        run.append(options[0])
        if options[0] == eos:
            break
        state = step(state, options[0])
    return run, state
    # END SOLUTION


def language(moves: Moves, accepting: set[int], vocabulary: Sequence[bytes], *, eos: int) -> tuple[Callable, Callable]:
    """(allowed, step) of an automaton, as Task 9 uses them: made from your functions of Task 8."""
    live = live_states(moves, accepting, vocabulary, eos=eos)

    def allowed(state: int) -> list[int]:
        return allowed_tokens(moves, accepting, vocabulary, state, live, eos=eos)

    def step(state: int, token: int) -> int:
        return advance(moves, state, vocabulary[token])

    return allowed, step


# ---- Task 9: write under a constraint ---------------------------------------------------------------


def masked_distribution(model: Callable, text: Sequence[int], state: int, allowed: Callable[[int], list[int]]) -> ndarray:
    """The model's probabilities for the next token, without the tokens that are not allowed.

    Args:
        model: model(text) gives the probabilities of the next token, shape (V,). At least one allowed token has a positive one.
        text: The text so far.
        state: The automaton's state after it.
        allowed: allowed(state) lists the tokens that may come next. It is never empty.

    Returns:
        Shape (V,), float64. It adds up to 1, and is 0 for each token that is not allowed.
    """
    # BEGIN SOLUTION constrain
    p = np.asarray(model(list(text)), dtype=np.float64)
    out = np.zeros_like(p)
    ids = allowed(state)
    out[ids] = p[ids]
    return out / out.sum()
    # END SOLUTION


def exact_distribution(
    model: Callable,
    text: Sequence[int],
    state: int,
    allowed: Callable[[int], list[int]],
    step: Callable[[int, int], int],
    *,
    eos: int,
    remaining: int,
) -> ndarray:
    """The model's probabilities for the next token, given that the whole text will be valid.

    A text is valid if each of its tokens is allowed and it ends with `eos`, after at most `remaining` tokens from here on,
    `eos` included.

    Args:
        model, text, state, allowed: As for `masked_distribution`.
        step: step(state, token) is the state after a token. It is not called with `eos`.
        eos: The token that ends a text.
        remaining: The number of tokens that may still be written, at least 1. It is small: the checks' trees have a few
            hundred texts.

    Returns:
        Shape (V,), float64. It adds up to 1.

    Raises:
        ValueError: If no valid text has at most `remaining` tokens from here on.
    """
    # BEGIN SOLUTION constrain
    def chance_of_each(text: list[int], state: int, remaining: int) -> ndarray:
        """For each next token: the probability that it comes and that the rest of the text is valid."""
        p = np.asarray(model(list(text)), dtype=np.float64)
        joint = np.zeros_like(p)
        for token in allowed(state):
            if token == eos:
                joint[token] = p[token]
            elif remaining > 1:
                rest = chance_of_each([*text, token], step(state, token), remaining - 1)
                joint[token] = p[token] * rest.sum()
        return joint

    joint = chance_of_each(list(text), state, remaining)
    if not joint.sum() > 0:
        raise ValueError(f"remaining must leave room for a valid text, got {remaining}")
    return joint / joint.sum()
    # END SOLUTION


def constrained_generate(
    distribution: Callable[[list[int], int, int], ndarray],
    prompt: Sequence[int],
    state: int,
    allowed: Callable[[int], list[int]],
    step: Callable[[int, int], int],
    *,
    eos: int,
    max_new_tokens: int,
    draw: Draw,
) -> list[int]:
    """A text of allowed tokens. It ends with the first new `eos`, which is kept, or after `max_new_tokens` new tokens.

    Args:
        distribution: distribution(text, state, remaining) gives the probabilities of the next token, shape (V,).
            `remaining` is the number of tokens that may still be written. Where only one token is allowed, it is not
            called.
        prompt: Token ids; may be empty.
        state: The automaton's state after the prompt.
        allowed: allowed(state) lists the tokens that may come next.
        step: step(state, token) is the state after a token. It is not called with `eos`.
        eos: The token that ends a text.
        max_new_tokens: At least 0.
        draw: See Conventions.

    Returns:
        The prompt and the new tokens, a list of int.

    Raises:
        ValueError: If max_new_tokens is negative.
    """
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must not be negative, got {max_new_tokens}")
    # BEGIN SOLUTION constrain
    text = [int(token) for token in prompt]
    for remaining in range(max_new_tokens, 0, -1):
        options = allowed(state)
        token = options[0] if len(options) == 1 else int(draw(distribution(list(text), state, remaining)))
        text.append(token)
        if token == eos:
            break
        state = step(state, token)
    return text
    # END SOLUTION


# ---- Input checks and helpers -----------------------------------------------------------------------


def cool(rows: ndarray, temperature: float) -> ndarray:
    """Rows of probabilities at a temperature: each to the power 1 / temperature, renormalized. Shape (..., V)."""
    logs = np.log(np.maximum(rows, 1e-300)) / temperature
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# BEGIN SOLUTION quantize
def _grouped(w: ndarray, group_size: int | None) -> ndarray:
    """Weights with an axis of groups: (rows, n_groups, group_size), or (1, 1, all) for a single group."""
    return w.reshape(1, 1, -1) if group_size is None else w.reshape(w.shape[0], -1, group_size)
# END SOLUTION


def _matrix(name: str, values: ndarray) -> ndarray:
    """A float64 matrix, refused if it is empty or not finite."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"{name} must be a matrix with at least one entry, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return matrix


def _hessian(values: ndarray) -> ndarray:
    """A square float64 matrix."""
    matrix = _matrix("hessian", values)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"hessian must be square, got {matrix.shape}")
    return matrix


def _check_bits(bits: int) -> None:
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be from 2 to 8, got {bits}")


def _check_group(w: ndarray, group_size: int | None) -> None:
    if group_size is not None and (group_size < 1 or w.shape[1] % group_size):
        raise ValueError(f"group_size must divide the {w.shape[1]} columns of w, got {group_size}")


def _check_scales(codes: ndarray, scales: ndarray, zeros: ndarray | None) -> None:
    if codes.ndim != 2 or scales.ndim != 2 or scales.shape[0] not in (1, codes.shape[0]) or codes.shape[1] % scales.shape[1]:
        raise ValueError(f"scales must be (rows, n_groups) or (1, 1), got {scales.shape} for codes {codes.shape}")
    if zeros is not None and np.shape(zeros) != scales.shape:
        raise ValueError(f"zeros must have the shape of scales, {scales.shape}, got {np.shape(zeros)}")


def _check_nibbles(codes: ndarray) -> None:
    if codes.ndim == 0 or ((codes < -8) | (codes > 7)).any():
        raise ValueError(f"codes must have shape (..., n) and be from -8 to 7, got shape {codes.shape}")


def _check_packed(packed: ndarray, n: int) -> None:
    if packed.dtype != np.uint8 or packed.ndim == 0 or packed.shape[-1] != (n + 1) // 2:
        raise ValueError(f"packed must be uint8 with {(n + 1) // 2} bytes per row, got {packed.dtype} {packed.shape}")


def _distributions(p: ndarray, q: ndarray) -> tuple[ndarray, ndarray]:
    """p and q as float64, refused unless they share a shape and their rows add up to 1."""
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if p.shape != q.shape or p.ndim == 0:
        raise ValueError(f"p and q must share a shape (..., V), got {p.shape} and {q.shape}")
    for name, rows in (("p", p), ("q", q)):
        if not ((rows >= 0).all() and np.allclose(rows.sum(axis=-1), 1.0, atol=1e-6)):
            raise ValueError(f"{name} must be probabilities that add up to 1, got sums {rows.sum(axis=-1)}")
    return p, q


def _check_alpha(alpha: float, gamma: int) -> None:
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}")
    if gamma < 0:
        raise ValueError(f"a draft length must not be negative, got {gamma}")


def _check_vocabulary(vocabulary: Sequence[bytes], eos: int) -> None:
    if not 0 <= eos < len(vocabulary):
        raise ValueError(f"eos must be an id of the vocabulary, 0 .. {len(vocabulary) - 1}, got {eos}")
    for token, word in enumerate(vocabulary):
        if token != eos and len(word) == 0:
            raise ValueError(f"every token but eos must have bytes, got none for token {token}")
