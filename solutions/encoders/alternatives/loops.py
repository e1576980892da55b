"""The whole assignment in another idiom: entry by entry, einsum and libraries, luck drawn in other ways.

Reach by following tokens through the layers; attention written out with einsum; one draw over all that can become of a
token; spans by shuffling where lengths end; labels and positions from the finished rows.
"""

import math

import torch
from torch.nn import functional as F


def layer_norm(x):
    centered = x - x.mean(dim=-1, keepdim=True)
    return centered / (centered.pow(2).mean(dim=-1, keepdim=True) + 1e-5).sqrt()


def mlp(x, weights):
    w_1, b_1, w_2, b_2 = weights
    return (x @ w_1 + b_1).clamp(min=0) @ w_2 + b_2


def visible(kind, T, *, prefix=None, real=None, segments=None):
    lead = torch.broadcast_shapes(
        () if prefix is None else torch.as_tensor(prefix).shape,
        () if real is None else real.shape[:-1],
        () if segments is None else segments.shape[:-1],
    )
    prefixes = torch.as_tensor(0 if prefix is None else prefix).expand(lead).reshape(-1).tolist()
    reals = None if real is None else real.expand(*lead, T).reshape(-1, T).tolist()
    texts = None if segments is None else segments.expand(*lead, T).reshape(-1, T).tolist()
    masks = []
    for row, prompt in enumerate(prefixes):
        mask = [[kind == "bidirectional" or j <= i or j < prompt for j in range(T)] for i in range(T)]
        for i in range(T):
            for j in range(T):
                if reals is not None and not reals[row][j]:
                    mask[i][j] = False
                if texts is not None and texts[row][i] != texts[row][j]:
                    mask[i][j] = False
        masks.append(mask)
    return torch.tensor(masks, dtype=torch.bool).reshape(*lead, T, T)


def reachable(masks):
    T = len(masks[0])
    depends = [{i} for i in range(T)]
    for mask in masks:
        seen = mask.tolist()
        depends = [set().union(depends[i], *(depends[j] for j in range(T) if seen[i][j])) for i in range(T)]
    return torch.tensor([[j in depends[i] for j in range(T)] for i in range(T)])


def pool(states, real, *, how):
    zeros = torch.zeros_like(states)
    clean = torch.where(real.unsqueeze(-1), states, zeros)
    flat, marks = clean.flatten(0, -3) if clean.ndim > 2 else clean[None], real.reshape(-1, real.shape[-1])
    vectors = []
    for text, mark in zip(flat, marks):
        mine = text[mark]
        if how == "mean":
            vectors.append(mine.mean(0))
        elif how == "max":
            vectors.append(mine.max(0).values)
        else:
            vectors.append(mine[0 if how == "cls" else -1])
    return torch.stack(vectors).reshape(*states.shape[:-2], states.shape[-1])


def _attend(q, k, v, n_heads, hidden):
    q, k, v = (x.reshape(*x.shape[:-1], n_heads, -1) for x in (q, k, v))
    scores = torch.einsum("...thd,...shd->...hts", q, k) / math.sqrt(q.shape[-1])
    if hidden is not None:
        scores = scores.masked_fill(hidden, -1e30)
    weights = torch.softmax(scores, dim=-1)
    if hidden is not None:
        weights = weights.masked_fill(hidden, 0)
    return torch.einsum("...hts,...shd->...thd", weights, v).flatten(-2)


def _hidden(source_real):
    return None if source_real is None else ~source_real[..., None, None, :]


def cross_attention(x, source, weights, *, n_heads=1, source_real=None):
    w_q, w_k, w_v, w_o = weights
    return torch.matmul(_attend(x @ w_q, source @ w_k, source @ w_v, n_heads, _hidden(source_real)), w_o)


def decoder_block(x, source, layer, *, n_heads=1, source_real=None, norm=layer_norm, cross=None):
    w_q, w_k, w_v, w_o = layer["self"]
    rows = []
    normed = norm(x)
    for t in range(x.shape[-2]):
        past = normed[..., : t + 1, :]
        rows.append(_attend(normed[..., t : t + 1, :] @ w_q, past @ w_k, past @ w_v, n_heads, None) @ w_o)
    looked_back = x + torch.cat(rows, dim=-2)
    read = (cross or cross_attention)(
        norm(looked_back), source, layer["cross"], n_heads=n_heads, source_real=source_real
    )
    both = looked_back + read
    w_1, b_1, w_2, b_2 = layer["mlp"]
    return both + F.relu(norm(both) @ w_1 + b_1) @ w_2 + b_2


def encode_memory(source, layers):
    return [tuple(source @ w for w in layer["cross"][1:3]) for layer in layers]


def decode_step(x, layers, memory, past, *, n_heads=1, source_real=None, norm=layer_norm):
    pasts = []
    for number, layer in enumerate(layers):
        w_q, w_k, w_v, w_o = layer["self"]
        normed = norm(x)
        new = normed @ w_k, normed @ w_v
        if past:
            new = tuple(torch.cat(pair, dim=-2) for pair in zip(past[number], new))
        pasts.append(new)
        x = x + _attend(normed @ w_q, *new, n_heads, None) @ w_o
        w_q, _, _, w_o = layer["cross"]
        x = x + _attend(norm(x) @ w_q, *memory[number], n_heads, _hidden(source_real)) @ w_o
        x = x + mlp(norm(x), layer["mlp"])
    return x, pasts


def mlm_corrupt(tokens, *, special, mask_token, n_vocab, share=0.15, draw, flip):
    pairs = []
    for token in tokens:
        if token in special:
            pairs.append((token, -100))
            continue
        # what can happen to it, in one draw: not chosen, kept, masked, or one of the words
        outcomes = [(token, -100), (token, token), (mask_token, token)] + [(word, token) for word in range(n_vocab)]
        probabilities = [1 - share, 0.1 * share, 0.8 * share] + [0.1 * share / n_vocab] * n_vocab
        pairs.append(outcomes[draw(probabilities)])
    return [text for text, _ in pairs], [label for _, label in pairs]


def mlm_loss(logits, labels):
    if not (labels != -100).any():
        return (logits * 0.0).sum()
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=-100)


def pseudo_log_likelihood(model, tokens, *, mask_token, special=()):
    total = 0
    for t in range(len(tokens)):
        if int(tokens[t]) in special:
            continue
        hidden = tokens.clone()
        hidden[t] = mask_token
        total = total + torch.log_softmax(model(hidden[None])[0, t], dim=-1)[tokens[t]]
    return total


def seq2seq_loss(model, targets, *, start, pad):
    fed = F.pad(targets[:, :-1], (1, 0), value=start)
    logits = model(fed)
    return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad)


def pack(documents, *, length, eos, pad):
    stream = []
    for number, document in enumerate(documents):
        stream += [(token, number, place) for place, token in enumerate(list(document) + [eos])]
    rows = [stream[start : start + length] for start in range(0, len(stream), length)]
    out = {"tokens": [], "segments": [], "positions": [], "labels": []}
    for row in rows:
        rest = length - len(row)
        first = row[0][1]
        out["tokens"].append([token for token, _, _ in row] + [pad] * rest)
        out["segments"].append([number - first + 1 for _, number, _ in row] + [0] * rest)
        out["positions"].append([place for _, _, place in row] + [0] * rest)
        labels = [after[0] if after[1] == now[1] else -100 for now, after in zip(row, row[1:])]
        out["labels"].append(labels + [-100] * (rest + 1))
    return {name: torch.tensor(table) for name, table in out.items()}


def random_spans(T, *, density=0.15, mean_span=3.0, draw):
    n = max(1, min(T - 1, round(T * density)))
    s = min(max(1, round(n / mean_span)), n, T - n)

    def lengths(total):
        # which of the total - 1 gaps are borders: one after the other, each with the share of the ways that are left
        cut, found, left = [], 1, s - 1
        for gap in range(total - 1, 0, -1):
            border = left > 0 and draw([1 - left / gap, left / gap]) == 1
            if border:
                cut.append(found)
                found, left = 0, left - 1
            found += 1
        return cut + [found]

    hidden = []
    for seen, covered in zip(lengths(T - n), lengths(n)):
        hidden.extend([False] * seen)
        hidden.extend([True] * covered)
    return hidden


def span_corrupt(tokens, hidden, *, n_vocab, eos):
    runs = []
    for token, hides in zip(tokens, hidden):
        if runs and runs[-1][0] == bool(hides):
            runs[-1][1].append(token)
        else:
            runs.append((bool(hides), [token]))
    source, target, count = [], [], 0
    for hides, run in runs:
        if hides:
            count += 1
            source.append(n_vocab - count)
            target += [n_vocab - count, *run]
        else:
            source += run
    return source + [eos], target + [n_vocab - count - 1, eos]


def restore(source, target, *, n_vocab):
    held, sentinel = {}, n_vocab
    for token in target[:-1]:
        if token == sentinel - 1:
            sentinel = token
            held[sentinel] = []
        else:
            held[sentinel].append(token)
    text = []
    for token in source[:-1]:
        text.extend(held.get(token, [token]))
    return text
