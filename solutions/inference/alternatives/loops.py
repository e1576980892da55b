"""A second right solution: plain Python, a weight, a token or a text at a time; GPTQ by an inverse that shrinks."""

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np


def _check_weights(w, bits, group_size):
    w = np.asarray(w, dtype=float)
    if w.ndim != 2 or w.size == 0 or not np.isfinite(w).all():
        raise ValueError("w must be a finite matrix")
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be from 2 to 8, got {bits}")
    if group_size is not None and w.shape[1] % group_size:
        raise ValueError("group_size must divide the columns")
    return w


def _blocks(w, group_size):
    """(place of the scale, slices) of each group."""
    if group_size is None:
        yield (0, 0), (slice(None), slice(None))
        return
    for row in range(w.shape[0]):
        for group in range(w.shape[1] // group_size):
            yield (row, group), (slice(row, row + 1), slice(group * group_size, (group + 1) * group_size))


def _scale_shape(w, group_size):
    return (1, 1) if group_size is None else (w.shape[0], w.shape[1] // group_size)


def quantize(w, *, bits=8, group_size=None):
    w = _check_weights(w, bits, group_size)
    codes, scales = np.empty(w.shape, np.int8), np.empty(_scale_shape(w, group_size))
    for place, part in _blocks(w, group_size):
        top = max(w[part].max(), -w[part].min())
        scales[place] = top / (2 ** (bits - 1) - 1) if top else 1.0
        codes[part] = (w[part] / scales[place]).round()
    return codes, scales


def quantize_affine(w, *, bits=8, group_size=None):
    w = _check_weights(w, bits, group_size)
    top = 2**bits - 1
    codes = np.empty(w.shape, np.uint8)
    scales, zeros = np.empty(_scale_shape(w, group_size)), np.empty(_scale_shape(w, group_size), np.uint8)
    for place, part in _blocks(w, group_size):
        low, high = min(0.0, w[part].min()), max(0.0, w[part].max())
        scales[place] = (high - low) / top or 1.0
        zeros[place] = round(-low / scales[place])
        for index in np.ndindex(w[part].shape):
            codes[part][index] = min(max(round(w[part][index] / scales[place]) + int(zeros[place]), 0), top)
    return codes, scales, zeros


def dequantize(codes, scales, zeros=None):
    out = np.empty(codes.shape)
    length = codes.shape[1] // scales.shape[1]
    for row, column in np.ndindex(codes.shape):
        place = row if len(scales) > 1 else 0, column // length
        out[row, column] = (int(codes[row, column]) - (0 if zeros is None else int(zeros[place]))) * scales[place]
    return out


def pack_int4(codes):
    codes = np.asarray(codes)
    out = np.empty((*codes.shape[:-1], (codes.shape[-1] + 1) // 2), np.uint8)
    for index in np.ndindex(codes.shape[:-1]):
        row = [int(code) % 16 for code in codes[index]] + [0]
        out[index] = [row[i] + 16 * row[i + 1] for i in range(0, codes.shape[-1], 2)]
    return out


def unpack_int4(packed, n):
    out = np.empty((*packed.shape[:-1], n), np.int8)
    for place in range(n):
        byte = packed[..., place // 2].astype(int)
        nibble = byte // 16 if place % 2 else byte % 16
        out[..., place] = (nibble + 8) % 16 - 8
    return out


def longest_exact_sum(bits, accumulator_bits=32):
    if not 2 <= bits <= 8 or accumulator_bits < 2:
        raise ValueError("bits must be from 2 to 8 and accumulator_bits at least 2")
    largest = 2 ** (bits - 1) - 1
    return math.floor(Fraction(2 ** (accumulator_bits - 1) - 1, largest * largest))


def int8_matmul(x, w, *, threshold=6.0, quantize=quantize):
    x, w = np.asarray(x, dtype=float), np.asarray(w, dtype=float)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1] or threshold <= 0:
        raise ValueError("x and w must share d, and threshold must be positive")
    wild = [j for j in range(x.shape[1]) if max(abs(x[:, j])) >= threshold]
    tame = [j for j in range(x.shape[1]) if j not in wild]
    out = np.zeros((len(x), len(w)))
    if tame:
        (x_codes, x_scales), (w_codes, w_scales) = (quantize(m[:, tame], bits=8, group_size=len(tame)) for m in (x, w))
        for i, j in np.ndindex(out.shape):
            total = sum(int(a) * int(b) for a, b in zip(x_codes[i], w_codes[j]))
            out[i, j] = total * float(x_scales[i, 0]) * float(w_scales[j, 0])
    for j in wild:
        out += np.outer(x[:, j], w[:, j])
    return out


def compensation(hessian, error):
    # eliminating the first weight from the inverse of H: its first row, relative to its corner
    inverse = np.linalg.inv(hessian)
    return np.asarray(error)[:, None] * inverse[0, 1:] / inverse[0, 0]


def gptq(w, hessian, scales, *, bits=4, compensation=compensation):
    hessian = np.asarray(hessian, dtype=float)
    top = 2 ** (bits - 1) - 1
    rows = []
    for row, scale in zip(np.asarray(w, dtype=float), np.asarray(scales, dtype=float)[:, 0]):
        rest, codes = list(row), []
        for i in range(len(row)):
            now = rest.pop(0)
            codes.append(min(max(round(now / scale), -top), top))
            change = compensation(hessian[i:, i:], np.array([codes[-1] * scale - now]))
            rest = [value + more for value, more in zip(rest, np.ravel(change))]
        rows.append(codes)
    return np.array(rows, dtype=np.int8)


def acceptance_rate(p, q):
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if p.shape != q.shape or (p < 0).any() or (q < 0).any() or abs(p.sum(-1) - 1).max() > 1e-6:
        raise ValueError("p and q must be distributions of one shape")
    return 1 - abs(p - q).sum(axis=-1) / 2


def accept_or_resample(p, q, token, *, draw, flip):
    p, q = [float(share) for share in p], [float(share) for share in q]
    if q[token] == 0:
        raise ValueError("q can't draw this token")
    if p[token] >= q[token] or not flip(1 - p[token] / q[token]):
        return True, token
    missing = [max(a - b, 0.0) for a, b in zip(p, q)]
    return False, draw([share / math.fsum(missing) for share in missing])


class _Reader:
    """A model, and the tokens in its cache: gives rows behind a text, and reads what is new only."""

    def __init__(self, model, warp):
        self.model, self.warp, self.cache = model, warp, []

    def rows(self, text):
        shared = 0
        while shared < min(len(self.cache), len(text) - 1) and self.cache[shared] == text[shared]:
            shared += 1
        rows = self.model(text[shared:], keep=shared)
        self.cache = list(text)
        return rows if self.warp is None else self.warp(rows)


def speculative_generate(
    target, draft, prompt, *, gamma, max_new_tokens, eos=None, warp=None, accept=accept_or_resample, draw, flip
):
    if not len(prompt) or gamma < 0 or max_new_tokens < 0:
        raise ValueError("the prompt must not be empty, and numbers must not be negative")
    large, small = _Reader(target, warp), _Reader(draft, warp)

    def one_round(text, room):
        drafted, shares = [], []
        while len(drafted) < min(gamma, room - 1) and (not drafted or drafted[-1] != eos):
            shares.append(small.rows(text + drafted)[-1])
            drafted.append(int(draw(shares[-1])))
        rows = large.rows(text + drafted)[-len(drafted) - 1 :]
        new = []
        for place, token in enumerate(drafted):
            good, token = accept(rows[place], shares[place], token, draw=draw, flip=flip)
            new.append(int(token))
            if not good or token == eos:
                return new
        return [*new, int(draw(rows[-1]))]

    new = []
    while len(new) < max_new_tokens and eos not in new:
        new += one_round([int(token) for token in prompt] + new, max_new_tokens - len(new))
    return [int(token) for token in prompt] + new


def expected_tokens(alpha, gamma):
    if not 0 <= alpha <= 1 or gamma < 0:
        raise ValueError("alpha must be from 0 to 1, and gamma not negative")
    return (1 - alpha ** (gamma + 1)) / (1 - alpha) if alpha < 1 else gamma + 1.0


def speedup(alpha, gamma, cost, *, tokens=expected_tokens):
    if cost < 0:
        raise ValueError("cost must not be negative")
    alone, together = 1.0, (1.0 + cost * gamma) / tokens(alpha, gamma)  # time of a token
    return alone / together


def best_draft_length(alpha, cost, *, longest=64, speed=speedup):
    speeds = [speed(alpha, gamma, cost) for gamma in range(longest + 1)]
    return speeds.index(max(speeds))


def advance(moves, state, token):
    if not token:
        return state
    after = moves.get(state, {}).get(token[0])
    return None if after is None else advance(moves, after, token[1:])


def live_states(moves, accepting, vocabulary, *, eos, advance=advance):
    if any(not word for token, word in enumerate(vocabulary) if token != eos):
        raise ValueError("every token but eos must have bytes")
    before = defaultdict(set)
    for state in moves:
        for token, word in enumerate(vocabulary):
            if token != eos:
                before[advance(moves, state, word)].add(state)
    live, new = set(), list(accepting)
    while new:
        state = new.pop()
        if state not in live:
            live.add(state)
            new.extend(before[state])
    return live


def allowed_tokens(moves, accepting, vocabulary, state, live, *, eos, advance=advance):
    ids = {token for token, word in enumerate(vocabulary) if token != eos and advance(moves, state, word) in live}
    return sorted(ids | ({eos} if state in accepting else set()))


def forced_run(state, allowed, step, *, eos, limit):
    if limit == 0 or len(options := allowed(state)) != 1:
        return [], state
    if options == [eos]:
        return [eos], state
    rest, end = forced_run(step(state, options[0]), allowed, step, eos=eos, limit=limit - 1)
    return [options[0], *rest], end


def masked_distribution(model, text, state, allowed):
    p, ids = np.asarray(model(list(text)), dtype=float), set(allowed(state))
    kept = np.array([share if token in ids else 0.0 for token, share in enumerate(p)])
    return kept / kept.sum()


def exact_distribution(model, text, state, allowed, step, *, eos, remaining):
    # all valid texts with their probabilities, and then the share of each first token
    first, waiting = None, [([], state, 1.0)]
    while waiting:
        new, at, share = waiting.pop()
        p = np.asarray(model([*text, *new]), dtype=float)
        if first is None:
            first = np.zeros(len(p))
        for token in allowed(at):
            if token == eos:
                first[[*new, token][0]] += share * p[token]
            elif len(new) + 1 < remaining:
                waiting.append(([*new, token], step(at, token), share * float(p[token])))
    if first.sum() == 0:
        raise ValueError("no valid text is short enough")
    return first / first.sum()


def constrained_generate(distribution, prompt, state, allowed, step, *, eos, max_new_tokens, draw):
    if max_new_tokens < 0:
        raise ValueError("max_new_tokens must not be negative")
    text, room = list(map(int, prompt)), max_new_tokens
    while room:
        run, state = forced_run(state, allowed, step, eos=eos, limit=room)
        text, room = text + run, room - len(run)
        if run[-1:] == [eos] or not room:
            break
        text.append(int(draw(distribution(list(text), state, room))))
        room -= 1
        if text[-1] == eos:
            break
        state = step(state, text[-1])
    return text
