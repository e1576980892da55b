"""The whole assignment in another idiom: loops over tokens, cross_entropy with ignored labels, backward(), and concatenations.

Votes are counted by listing how often each answer may come up; prefix attention adds up exponentials that have a common
factor taken out.
"""

import math
import re
from collections import Counter
from decimal import Context, Decimal
from fnmatch import fnmatchcase

import torch
from torch.nn import functional as F

NUMBER = re.compile(r"(?:(?<!\d)-)?\d[\d,]*(?:\.\d+)?")


def render_chat(turns, *, headers, end_of_turn, only_last=False, open_reply=False):
    marked = []
    for place, (role, words) in enumerate(turns):
        later = any(other == "assistant" for other, _ in turns[place + 1 :])
        learn = role == "assistant" and not (only_last and later)
        marked.extend((token, False) for token in headers[role])
        marked.extend((token, learn) for token in words)
        marked.append((end_of_turn, learn))
    if open_reply:
        marked.extend((token, False) for token in headers["assistant"])
    return [token for token, _ in marked], [learn for _, learn in marked]


def sft_loss(logits, ids, mask):
    labels = torch.where(mask, ids, torch.full_like(ids, -100))[:, 1:].reshape(-1)
    total = F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), labels, ignore_index=-100, reduction="sum")
    return total / max(1, int((labels != -100).sum()))


def accumulate(batches, loss_and_gradients):
    counts = [int(mask.sum() - mask[:, 0].sum()) for _, mask in batches]
    n, loss, gradients = sum(counts), 0.0, {}
    for count, batch in zip(counts, batches, strict=True):
        if count:
            mean, slopes = loss_and_gradients(*batch)
            loss = loss + count / n * mean
            for name in slopes:
                gradients[name] = gradients.get(name, 0) + count / n * slopes[name]
    return loss, gradients


def best_fit(lengths, *, row_len):
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    room, rows = {}, {}
    for i in order:
        fitting = sorted((left, row) for row, left in room.items() if left >= lengths[i])
        row = fitting[0][1] if fitting else len(rows)
        rows.setdefault(row, []).append(i)
        room[row] = room.get(row, row_len) - lengths[i]
    return list(rows.values())


def packed_batch(examples, rows, *, row_len, pad):
    table = []
    for row in rows:
        cells = []
        for segment, i in enumerate(row, 1):
            ids, mask = examples[i]
            cells += [(t, bool(m) and p > 0, p, segment) for p, (t, m) in enumerate(zip(ids, mask, strict=True))]
        table.append(cells + [(pad, False, 0, 0)] * (row_len - len(cells)))
    ids, mask, positions, segments = (torch.tensor([[cell[k] for cell in row] for row in table]) for k in range(4))
    return ids, mask, positions, segments


def select(names, rules):
    chosen = []
    for name in names:
        verdicts = [not rule.startswith("!") for rule in rules if fnmatchcase(name, rule.lstrip("!"))]
        if verdicts and verdicts[-1]:
            chosen.append(name)
    return chosen


def layer_rates(names, *, lr, decay):
    numbers = sorted({int(name.split(".")[1]) for name in names if name.startswith("blocks.")}, reverse=True)
    rates, rate = {}, lr
    for number in numbers:
        rate *= decay
        rates |= {name: rate for name in names if name.startswith(f"blocks.{number}.")}
    return {name: rate * decay if name == "embedding" else rates.get(name, lr) for name in names}


def trainable_share(sizes, trained, *, tied=None):
    tied = tied or {}
    groups = {}
    for name in sizes:
        groups.setdefault(tied.get(name, name), []).append(name)
    moving = sum(sizes[first] for first, names in groups.items() if any(name in trained for name in names))
    return moving / sum(sizes[first] for first in groups)


def lora_gradients(G, A, B, *, alpha):
    A, B = A.detach().clone().requires_grad_(), B.detach().clone().requires_grad_()
    return torch.autograd.grad((alpha / len(B) * A @ B * G).sum(), (A, B))


def first_change(G, A, *, alpha, lr):
    zero = torch.zeros(A.shape[1], G.shape[1], dtype=A.dtype, device=A.device)
    in_A, in_B = lora_gradients(G, A, zero, alpha=alpha)
    return alpha / A.shape[1] * (A - lr * in_A) @ (zero - lr * in_B)


def merge(W, adapters):
    return sum((alpha / len(B) * A @ B for A, B, alpha in adapters), W.clone())


def unmerge(merged, adapters):
    return merge(merged, [(A, -B, alpha) for A, B, alpha in adapters])


def adapter(h, W_down, b_down, W_up, b_up):
    narrow = F.relu(F.linear(h, W_down.T, b_down))
    return F.linear(narrow, W_up.T, b_up) + h


def new_adapter(noise):
    def zeros(*shape):
        return torch.zeros(*shape, dtype=noise.dtype, device=noise.device)

    return noise * 1, zeros(noise.shape[1]), zeros(noise.shape[1], len(noise)), zeros(len(noise))


def fold_scales(weights, scales):
    folded = dict(weights)
    folded["W_K"] = folded["W_K"] @ torch.diag(scales["keys"])
    folded["W_V"] = folded["W_V"] @ torch.diag(scales["values"])
    folded["W_2"] = torch.diag(scales["hidden"]) @ folded["W_2"]
    return folded


def soft_prompt(soft, embedding, positions, ids, mask):
    m = len(soft)
    rows = []
    with torch.no_grad():
        texts = [embedding[row] + positions[m : m + len(row)] for row in ids]
        places = positions[:m].clone()
    rows = [torch.cat([soft + places, text]) for text in texts]
    front = torch.full((len(ids), m), -100, dtype=ids.dtype, device=ids.device)
    return torch.stack(rows), torch.cat([front, ids], 1), torch.cat([front > 0, mask], 1)


def prefix_attention(q, prefix_k, prefix_v, *, base, base_lse):
    scores = torch.einsum("...td,...pd->...tp", q, prefix_k) / q.shape[-1] ** 0.5
    top = torch.cat([scores, base_lse[..., None]], -1).amax(-1, keepdim=True)
    weights, of_text = (scores - top).exp(), (base_lse[..., None] - top).exp()
    total = weights.sum(-1, keepdim=True) + of_text
    return (weights @ prefix_v + of_text * base) / total, (weights.sum(-1, keepdim=True) / total).squeeze(-1)


def few_shot_prompt(examples, query, *, budget):
    for start in range(len(examples) + 1):
        prompt = sum(examples[start:], []) + list(query)
        if len(prompt) <= budget:
            break
    return prompt


def extract_answer(text):
    matches = list(NUMBER.finditer(text))
    if not matches:
        return None
    digits = matches[-1].group().replace(",", "")
    number = Decimal(digits).normalize(Context(prec=len(digits) + 1))
    return f"{abs(number) if number == 0 else number:f}"


def vote(answers):
    ranking = Counter(answer for answer in answers if answer is not None).most_common(1)
    return ranking[0][0] if ranking else None


def vote_accuracy(p, n):
    silent = max(0.0, 1 - math.fsum(p))

    def sequences(counts):
        """How many orders there are in which these counts come up."""
        return math.factorial(n) // math.prod(math.factorial(count) for count in counts)

    def counts_of(k, left):
        """All ways to spread at most `left` samples over k answers."""
        if k == 0:
            yield ()
            return
        for count in range(left + 1):
            for rest in counts_of(k - 1, left - count):
                yield count, *rest

    total = []
    for counts in counts_of(len(p), n):
        if counts[0] and counts[0] == max(counts):
            silence = n - sum(counts)
            likely = math.prod(q**count for q, count in zip(p, counts, strict=True)) * silent**silence
            total.append(sequences((*counts, silence)) * likely / counts.count(counts[0]))
    return math.fsum(total)


def adapt(weights, x, y, *, method, lr, n_steps, noise=None, alpha=None):
    leaves = {name: weight.detach().clone() for name, weight in weights.items()}
    if method == "lora":
        leaves["A"] = noise.detach().clone()
        leaves["B"] = torch.zeros(noise.shape[1], leaves["W_1"].shape[1], dtype=noise.dtype)
    moving = {"full": ["W_1", "b_1", "W_2", "b_2"], "head": ["W_2", "b_2"], "bias": ["b_1", "b_2"], "lora": ["A", "B"]}[method]

    def merged():
        W_1 = leaves["W_1"] + alpha / noise.shape[1] * leaves["A"] @ leaves["B"] if method == "lora" else leaves["W_1"]
        return {"W_1": W_1, "b_1": leaves["b_1"], "W_2": leaves["W_2"], "b_2": leaves["b_2"]}

    for name in moving:
        leaves[name].requires_grad_()
    optimizer = torch.optim.SGD([leaves[name] for name in moving], lr=lr)
    for _ in range(n_steps):
        optimizer.zero_grad()
        now = merged()
        logits = torch.tanh(x @ now["W_1"] + now["b_1"]) @ now["W_2"] + now["b_2"]
        F.cross_entropy(logits, y).backward()
        optimizer.step()
    with torch.no_grad():
        return {name: weight.detach().clone() for name, weight in merged().items()}


def least_change(W, X, Y, *, penalty=0.0):
    missing = Y - X @ W
    if penalty == 0:
        return W + torch.linalg.pinv(X) @ missing
    square = X.T @ X + penalty * torch.eye(X.shape[1], dtype=X.dtype)
    return W + torch.linalg.inv(square) @ (X.T @ missing)
