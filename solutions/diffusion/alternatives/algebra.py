"""The whole assignment in another idiom: signal and noise levels, loops over steps and samples, densities in place of closed forms."""

import math

import torch


def at(abar, t, x):
    return abar[t].reshape(-1, *[1] * (x.dim() - 1))


def levels(abar, t, x):
    """What multiplies the image and what multiplies the noise, at each sample's time."""
    shape = (len(x),) + (1,) * (x.dim() - 1)
    left = torch.stack([abar[int(i)] for i in t]).view(shape)
    return left**0.5, (1 - left) ** 0.5


def cumulative(betas):
    if any(not 0 < b <= 1 for b in betas.tolist()):
        raise ValueError(f"bad betas: {betas}")
    entries = [1.0]
    for b in betas.tolist():
        entries.append(entries[-1] * (1 - b))
    return torch.tensor(entries, dtype=torch.float64)


def cosine_schedule(T, *, s=0.008, max_beta=0.999):
    def f(t):
        return math.cos(math.pi * (t / T + s) / (2 + 2 * s)) ** 2

    entries = [1.0]
    for t in range(1, T + 1):
        entries.append(entries[-1] * max(f(t) / f(t - 1), 1 - max_beta))
    return torch.tensor(entries, dtype=torch.float64)


def zero_terminal(abar):
    first, last = math.sqrt(abar[1]), math.sqrt(abar[-1])
    scale = first / (first - last)
    return torch.tensor([1.0, *[(scale * (math.sqrt(a) - last)) ** 2 for a in abar[1:].tolist()]], dtype=torch.float64)


def q_sample(x0, t, noise, abar):
    a, b = levels(abar, t, x0)
    return a * x0 + b * noise


def posterior(x0, xt, t, abar):
    means, variances = [], []
    for clean, noisy, i in zip(x0, xt, t.tolist(), strict=True):
        keep = abar[i] / abar[i - 1]
        if i == 1:
            means.append(clean + 0 * noisy)
            variances.append(0 * keep)
            continue
        # two normal densities are multiplied: precisions add up
        from_start, from_now = 1 / (1 - abar[i - 1]), keep / (1 - keep)
        precision = from_start + from_now
        means.append((from_start * abar[i - 1] ** 0.5 * clean + from_now * noisy / keep**0.5) / precision)
        variances.append(1 / precision)
    return torch.stack(means), torch.stack(variances)


def posterior_from_noise(noise, xt, t, abar):
    return posterior(to_x0(noise, xt, t, abar, kind="noise"), xt, t, abar)[0]


def to_x0(value, xt, t, abar, *, kind):
    a, b = levels(abar, t, xt)
    if kind == "noise":
        return xt / a - b / a * value
    if kind == "v":
        return a * xt - b * value
    if kind == "x0":
        return value
    raise ValueError(f"unknown kind {kind}")


def from_x0(x0, xt, t, abar, *, kind):
    a, b = levels(abar, t, xt)
    if kind == "noise":
        return xt / b - a / b * x0
    if kind == "v":
        return (a * xt - x0) / b
    if kind == "x0":
        return x0
    raise ValueError(f"unknown kind {kind}")


def x0_error(t, abar):
    return torch.sqrt(1 - abar[t]) / torch.sqrt(abar[t])


def loss_weight(t, abar, *, kind, weighting, gamma=5.0):
    if kind not in ("noise", "x0", "v") or weighting not in ("noise", "min_snr", "bound"):
        raise ValueError(f"unknown name: {kind}, {weighting}")
    weights = []
    for i in t.tolist():
        if weighting == "bound" and i < 2:
            raise ValueError(f"t must be at least 2, got {i}")
        a, b = abar[i].item(), abar[max(i - 1, 1)].item()
        ratio = a / (1 - a)
        on_noise = {"noise": 1.0, "min_snr": min(1.0, gamma / ratio), "bound": (b / (1 - b) / ratio - 1) / 2}[weighting]
        weights.append(on_noise * {"noise": 1.0, "x0": ratio, "v": a}[kind])
    return torch.tensor(weights, dtype=torch.float64)


def denoising_loss(prediction, x0, noise, weights, t, abar, *, kind):
    if kind not in ("noise", "x0", "v"):
        raise ValueError(f"unknown target {kind}")
    a, b = levels(abar, t, x0)
    want = {"noise": noise, "x0": x0, "v": a * noise - b * x0}[kind]
    total = 0
    for w, got, right in zip(weights, prediction, want, strict=True):
        total = total + w * ((got - right) ** 2).sum()
    return total / prediction.numel()


def bound_term(x0, x0_hat, t, abar):
    x = torch.zeros_like(x0)
    means, variances = posterior(x0, x, t, abar)
    others, _ = posterior(x0_hat, x, t, abar)
    return torch.stack([((m - o) ** 2).sum() / (2 * v) for m, o, v in zip(means, others, variances, strict=True)])


def perfect_loss(abar, var):
    return sum(1 - (1 - a) / (a * var + 1 - a) for a in abar[1:]) / (len(abar) - 1)


def gaussian_denoiser(xt, t, abar, *, mean, var):
    a, b = levels(abar, t, xt)
    seen, known = a**2 / b**2, 1 / var
    return (seen * xt / a + known * mean) / (seen + known)


def point_weights(xt, t, abar, points):
    rows = []
    for x, i in zip(xt, t.tolist(), strict=True):
        logs = torch.stack([-((x - abar[i].sqrt() * p) ** 2).sum() / 2 / (1 - abar[i]) for p in points])
        shares = torch.exp(logs - logs.max())
        rows.append(shares / shares.sum())
    return torch.stack(rows)


def point_denoiser(xt, t, abar, points):
    return torch.einsum("nk,kd->nd", point_weights(xt, t, abar, points), points)


def score_from_x0(x0_hat, xt, t, abar):
    _, b = levels(abar, t, xt)
    return -from_x0(x0_hat, xt, t, abar, kind="noise") / b


def ddpm_step(xt, x0_hat, t, noise, abar, *, variance, clip=None):
    if variance not in ("beta", "posterior"):
        raise ValueError(f"unknown variance {variance}")
    if clip is not None:
        x0_hat = torch.minimum(torch.maximum(x0_hat, 0 * x0_hat - clip), 0 * x0_hat + clip)
    mean, var = posterior(x0_hat, xt, torch.full((len(xt),), t), abar)
    if variance == "beta":
        var = (1 - abar[t] / abar[t - 1]) * torch.ones(len(xt), dtype=torch.float64)
    return mean + (t > 1) * var[:, None] ** 0.5 * noise


def ddpm_sample(denoise, xT, noises, abar, *, variance, clip=None):
    if variance not in ("beta", "posterior"):
        raise ValueError(f"unknown variance {variance}")
    t, x = len(abar) - 1, xT
    while t:
        x = ddpm_step(x, denoise(x, t * torch.ones(len(x), dtype=torch.long)), t, noises[t], abar, variance=variance, clip=clip)
        t -= 1
    return x


def ddpm_variance(abar, var, *, variance):
    # impulse responses: the start and the noise of each step, one at a time
    T = len(abar) - 1
    start, noises = torch.zeros(T + 1, 1, dtype=torch.float64), torch.zeros(T + 1, T + 1, 1, dtype=torch.float64)
    start[0] = 1
    for t in range(1, T + 1):
        noises[t, t] = 1

    def denoise(x, t):
        return gaussian_denoiser(x, t, abar, mean=0.0, var=var)

    return ddpm_sample(denoise, start, noises, abar, variance=variance).square().sum()


def ddim_step(xt, x0_hat, t, s, noise, abar, *, eta, clip=None):
    if clip is not None:
        x0_hat = torch.minimum(torch.maximum(x0_hat, 0 * x0_hat - clip), 0 * x0_hat + clip)
    old = xt / (1 - abar[t]) ** 0.5 - x0_hat * (abar[t] / (1 - abar[t])) ** 0.5
    sigma = eta * math.sqrt((1 - abar[s]) / (1 - abar[t])) * math.sqrt(1 - abar[t] / abar[s])
    return abar[s] ** 0.5 * x0_hat + math.sqrt(max(1 - abar[s] - sigma**2, 0)) * old + sigma * noise


def ddim_sample(denoise, xT, noises, times, abar, *, eta, clip=None):
    if any(a <= b for a, b in zip(times, times[1:], strict=False)) or times[-1]:
        raise ValueError(f"bad times {times}")
    x = xT
    for t, s, noise in zip(times, times[1:], noises, strict=False):
        x = ddim_step(x, denoise(x, t * torch.ones(len(x), dtype=torch.long)), t, s, noise, abar, eta=eta, clip=clip)
    return x


def ddim_invert(denoise, x0, times, abar):
    # x / sqrt(abar) moves along the noise by the change of the relative noise level
    relative = (1 / abar - 1).sqrt()
    y, up = x0, list(reversed(times))
    for s, t in zip(up, up[1:], strict=False):
        x = y * abar[s].sqrt()
        answer = denoise(x, torch.full((len(x),), t))
        noise = (x - abar[t].sqrt() * answer) / (1 - abar[t]).sqrt()
        y = y + (relative[t] - relative[s]) * noise
    return y * abar[times[0]].sqrt()


def ddim_std(times, abar, std):
    start, none = torch.ones(1, 1, dtype=torch.float64), torch.zeros(len(times) - 1, 1, 1, dtype=torch.float64)

    def denoise(x, t):
        return gaussian_denoiser(x, t, abar, mean=0.0, var=std**2)

    return ddim_sample(denoise, start, none, times, abar, eta=0.0).abs().squeeze()


def guide(without, with_condition, *, scale):
    return (1 - scale) * without + scale * with_condition


def classifier_guidance(noise, slope, t, abar, *, scale):
    _, b = levels(abar, t, noise)
    score = -noise / b + scale * slope
    return -b * score


def drop_labels(labels, uniforms, *, p, null):
    if p < 0 or p > 1:
        raise ValueError(f"bad p {p}")
    return torch.tensor([null if u < p else c for c, u in zip(labels.tolist(), uniforms.tolist(), strict=True)], dtype=labels.dtype)


def tilted_law(mean, var, mean_c, var_c, *, scale):
    # log density: linear and quadratic coefficients add up
    quadratic = 1 / var + scale * (1 / var_c - 1 / var)
    linear = mean / var + scale * (mean_c / var_c - mean / var)
    return linear / quadratic, 1 / quadratic


def guided_variance(var, var_c, *, scale):
    return math.exp(math.log(var) + scale * (math.log(var_c) - math.log(var)))
