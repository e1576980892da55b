"""A second right solution: plain Python, one block, run or entry at a time, and other formulas where there are any."""

import math

import numpy as np


def _arrays(config):
    """The matrices and biases of one block: (rows, columns) or (entries,), by part."""
    d, h, g, k, m = (config[name] for name in ("d_model", "n_heads", "n_kv_heads", "d_k", "d_hidden"))
    attention = [(d, h * k), (d, g * k), (d, g * k), (h * k, d)]
    mlp = [(d, m)] * (2 if config["gated"] else 1) + [(m, d)]
    return attention, mlp


def parameter_count(config):
    counts = {"embedding": config["vocab_size"] * config["d_model"], "attention": 0, "mlp": 0, "norms": 0, "head": 0}
    if not config["tied"]:
        counts["head"] = counts["embedding"]
    norm = config["d_model"] * (1 + int(config["norm_biases"]))
    for _ in range(config["n_layers"]):
        for part, matrices in zip(("attention", "mlp"), _arrays(config)):
            for rows, columns in matrices:
                counts[part] += rows * columns
                if config[f"{part}_biases"]:
                    counts[part] += columns
        counts["norms"] += 2 * norm
    counts["norms"] += norm
    return counts


def forward_flops(config, T, *, causal=False):
    flops = {"matrices": 0, "pairs": 0, "head": 0}
    visible = sum(t + 1 if causal else T for t in range(T))
    for _ in range(config["n_layers"]):
        for matrices in _arrays(config):
            for rows, columns in matrices:
                flops["matrices"] += 2 * T * rows * columns
        for _ in range(config["n_heads"]):
            flops["pairs"] += visible * (2 * config["d_k"] + 2 * config["d_k"])
    flops["head"] = 2 * T * config["vocab_size"] * config["d_model"]
    return flops


def training_flops(forward, *, recompute=False):
    total = forward + 2 * forward
    return total + forward if recompute else total


def six_nd(counts, n_tokens):
    N = counts["attention"] + counts["mlp"] + counts["norms"] + (counts["head"] or counts["embedding"])
    return 6 * N * n_tokens


def utilization(forward, tokens_per_s, peak_flops, *, n_devices=1, recompute=False):
    possible = peak_flops * n_devices / tokens_per_s  # for each token
    return training_flops(forward) / possible, training_flops(forward, recompute=recompute) / possible


def state_bytes(n_parameters, *, n_devices=1, stage=0):
    shared = n_parameters / n_devices
    held = [shared if stage >= first else float(n_parameters) for first in (3, 2, 1)]
    return {"weights": 2 * held[0], "gradients": 2 * held[1], "optimizer": (4 + 4 + 4) * held[2]}


def activation_bytes(config, T, *, batch=1, fused=False):
    numbers = 0
    for width in ("d_model", "d_model"):  # around the two norms
        numbers += 2 * T * config[width]
    numbers += T * config["d_k"] * (config["n_heads"] + 2 * config["n_kv_heads"])
    if not fused:
        numbers += config["n_heads"] * T * T
    numbers += T * config["d_k"] * config["n_heads"]
    numbers += T * config["d_hidden"] * (4 if config["gated"] else 2)
    return 2 * numbers * batch


def checkpoint_plan(n_layers, input_bytes, block_bytes):
    best = None
    for k in range(n_layers, 0, -1):
        needed = len(range(0, n_layers, k)) * input_bytes + k * block_bytes
        if best is None or needed <= best[1]:
            best = (k, needed)
    return best


def learning_rate(step, *, peak, warmup, total, floor=0.0, decay=None):
    if step < warmup:
        return (step + 1) * (peak / warmup)
    step = min(step, total)
    if decay is None:
        return floor + (peak - floor) * math.cos(math.pi / 2 * (step - warmup) / (total - warmup)) ** 2
    gone = max(0, step - (total - decay)) / decay
    return peak * (1 - gone) + floor * gone


def clip_gradients(gradients, limit):
    norm = float(np.linalg.norm(np.concatenate([np.ravel(gradient) for gradient in gradients])))
    if norm <= limit:
        return [gradient.copy() for gradient in gradients], norm
    return [gradient * (limit / norm) for gradient in gradients], norm


def decay_groups(shapes, *, tables=()):
    groups = ([], [])
    for name in shapes:
        groups[int(name in tables or len(shapes[name]) < 2)].append(name)
    return groups


def batch_norm2(gradients, size, *, draw):
    total = np.zeros(gradients.shape[1])
    for _ in range(size):
        total = total + gradients[draw(np.full(len(gradients), 1 / len(gradients)))]
    return float(total @ total) / size**2


def noise_scale(small_norms2, big_norms2, small, big):
    a, b = sum(map(float, small_norms2)) / len(small_norms2), sum(map(float, big_norms2)) / len(big_norms2)
    signal = (big * b - small * a) / (big - small)
    noise = small * big * (a - b) / (big - small)
    return signal, noise, noise / signal


def compute_optimal(surface, C):
    _, A, B, alpha, beta = surface
    log_N = (np.log(alpha * A) - np.log(beta * B) + beta * np.log(np.asarray(C) / 6)) / (alpha + beta)
    N = np.exp(log_N)
    N = N if np.ndim(C) else float(N)
    return N, C / N / 6


def compute_factor(surface, C, share, *, compute_optimal=compute_optimal):
    _, A, B, alpha, beta = surface
    N, D = compute_optimal(surface, C)
    by_size = A / N**alpha
    by_text = B / D**beta
    rest = 1 + by_size / by_text * (1 - share**-alpha)  # of the text's term, relative to what it was
    return share * rest ** (-1 / beta) if rest > 0 else math.inf


def isoflop_optima(C, N, L):
    budgets = sorted(set(float(c) for c in C))
    best, losses = [], []
    for budget in budgets:
        x = np.array([math.log(n) for c, n in zip(C, N) if c == budget])
        y = np.array([loss for c, loss in zip(C, L) if c == budget])
        low, high = x.min(), x.max()
        u = (x - low) / (high - low)
        (height, slope, curve), *_ = np.linalg.lstsq(np.stack([u**0, u, u**2], axis=1), y, rcond=None)
        at = -slope / (2 * curve) if curve > 0 else math.nan
        if not 0 <= at <= 1:
            at = math.nan
        best.append(math.exp(low + at * (high - low)))
        losses.append(height + slope * at + curve * at**2)
    return np.array(budgets), np.array(best), np.array(losses)


def fit_power_law(x, y):
    known = [(math.log(a), math.log(b)) for a, b in zip(x, y) if not math.isnan(b)]
    u, v = np.array(known).T
    p, c = np.polyfit(u, v, 1)
    return math.exp(c), float(p)


def log_surface(theta, N, D):
    e, a, b, alpha, beta = (float(value) for value in theta)
    f, J = [], []
    for n, tokens in zip(N, D):
        x, y = math.log(n), math.log(tokens)
        terms = [e, a - alpha * x, b - beta * y]
        top = max(terms)
        total = sum(math.exp(term - top) for term in terms)
        first, second, third = (math.exp(term - top) / total for term in terms)
        f.append(top + math.log(total))
        J.append([first, second, third, -x * second, -y * third])
    return np.array(f), np.array(J)


def surface_objective(theta, N, D, L, *, delta=1e-3, log_surface=log_surface):
    f, J = log_surface(theta, N, D)
    value, gradient = 0.0, np.zeros(5)
    for r, row in zip(f - np.log(L), J):
        if abs(r) <= delta:
            value, slope = value + r * r / 2, r
        else:
            value, slope = value + delta * abs(r) - delta**2 / 2, math.copysign(delta, r)
        gradient += slope * row
    return float(value), gradient


def fit_surface(N, D, L, starts, *, delta=1e-3, n_steps=300, log_surface=log_surface):
    """Levenberg-Marquardt in scaled unknowns, one start after the other."""
    results = []
    for start in starts:
        theta = np.array(start, dtype=float)
        ridge = 1e-2
        value, gradient = surface_objective(theta, N, D, L, delta=delta, log_surface=log_surface)
        for _ in range(n_steps):
            f, J = log_surface(theta, N, D)
            r = np.abs(f - np.log(L))
            w = np.minimum(1.0, delta / np.maximum(r, 1e-200))
            scale = np.sqrt((w[:, None] * J**2).sum(axis=0)) + 1e-9
            H = (J / scale).T @ (w[:, None] * J / scale) + ridge * np.eye(5)
            step = -np.linalg.lstsq(H, gradient / scale, rcond=None)[0] / scale
            new_value, new_gradient = surface_objective(theta + step, N, D, L, delta=delta, log_surface=log_surface)
            if new_value < value:
                theta, value, gradient, ridge = theta + step, new_value, new_gradient, ridge / 6
                if np.abs(step).max() < 1e-11:
                    break
            else:
                ridge *= 4
                if ridge > 1e14:
                    break
        results.append((value, theta))
    _, theta = min(results, key=lambda result: result[0])
    return np.concatenate([np.exp(theta[:3]), theta[3:]])


def mup_multipliers(width, base):
    n, m = float(width), float(base)
    return {"input": (1.0, 1.0), "hidden": (math.sqrt(m / n), m / n), "output": (m / n, m / n)}


def coordinate_check(measure, widths, *, seeds=(0, 1, 2)):
    logs = []
    for width in widths:
        total = None
        for seed in seeds:
            sizes = np.array([np.linalg.norm(after - before) / math.sqrt(before.size) for before, after in measure(width, seed)])
            total = sizes if total is None else total + sizes
        logs.append(np.log(total / len(seeds)))
    return np.polyfit(np.log(widths), np.array(logs), 1)[0]
