"""The whole assignment in another idiom: eigenvectors for singular vectors, loops over examples, autograd where it is not the exercise."""

import math

import torch


def _centered(x):
    return x - x.mean(dim=0, keepdim=True)


def _signed(components):
    rows = []
    for row in components:
        top = max(range(len(row)), key=lambda j: abs(float(row[j])))
        rows.append(-row if row[top] < 0 else row)
    return torch.stack(rows)


def _spectrum(x):
    z = _centered(x)
    values, vectors = torch.linalg.eigh(z.T @ z / z.shape[0])
    order = values.argsort(descending=True)
    return values[order], _signed(vectors[:, order].T)


def pca(x, k):
    values, components = _spectrum(x)
    return x.mean(dim=0), components[:k], values[:k], values[:k] / values.clamp(min=0).sum()


def whiten(x, *, kind="pca", eps=0.0):
    values, components = _spectrum(x)
    scale = torch.diag((values + eps) ** -0.5)
    matrix = components.T @ scale
    if kind == "zca":
        matrix = matrix @ components
    return _centered(x) @ matrix


def autoencoder_gradients(x, encoder, decoder):
    n = x.shape[0]
    loss, g_encoder, g_decoder = x.new_zeros(()), torch.zeros_like(encoder), torch.zeros_like(decoder)
    for row in x:
        code = encoder.T @ row
        error = decoder.T @ code - row
        loss = loss + error @ error / n
        g_decoder = g_decoder + 2 * torch.outer(code, error) / n
        g_encoder = g_encoder + 2 * torch.outer(row, decoder @ error) / n
    return loss, g_encoder, g_decoder


def best_decoder(x, encoder):
    q, r = torch.linalg.qr(x @ encoder)
    return torch.linalg.solve_triangular(r, q.T @ x, upper=True)


def principal_cosines(a, b):
    def basis(m):
        return torch.linalg.svd(m, full_matrices=False)[2]

    return torch.linalg.svd(basis(a) @ basis(b).T)[1]


def denoising_map(x, sigma):
    values, components = _spectrum(x)
    return components.T @ torch.diag(values / (values + sigma * sigma)) @ components


def knn_predict(z, labels, k):
    out = []
    for i in range(len(z)):
        near = sorted((j for j in range(len(z)) if j != i), key=lambda j: (float(((z[i] - z[j]) ** 2).sum()), j))[:k]
        votes = [int(labels[j]) for j in near]
        out.append(min(set(votes), key=lambda label: (-votes.count(label), label)))
    return torch.tensor(out, dtype=torch.int64)


def pair_recall(z, k):
    n, hits = len(z), 0
    for i in range(n):
        cosines = {j: float(z[i] @ z[j] / (z[i].norm() * z[j].norm())) for j in range(n) if j != i}
        best = sorted(cosines, key=lambda j: -cosines[j])[:k]
        hits += (i + n // 2) % n in best
    return torch.tensor(hits / n, dtype=z.dtype)


def nt_xent(z, tau):
    n = len(z)
    unit = torch.nn.functional.normalize(z, dim=1)
    total = 0.0
    for i in range(n):
        scores = unit @ unit[i] / tau
        keep = [j for j in range(n) if j != i]
        total = total + scores[keep].logsumexp(0) - scores[(i + n // 2) % n]
    return total / n


def nt_xent_gradient(z, tau):
    n = len(z)
    unit = torch.nn.functional.normalize(z, dim=1)
    on_unit = torch.zeros_like(z)
    for i in range(n):
        keep = [j for j in range(n) if j != i]
        p = (unit[keep] @ unit[i] / tau).softmax(0)
        for share, j in zip(p, keep):
            push = (share - (1.0 if j == (i + n // 2) % n else 0.0)) / (n * tau)
            on_unit[i] += push * unit[j]
            on_unit[j] += push * unit[i]
    rows = []
    for g, u, row in zip(on_unit, unit, z):
        rows.append((torch.eye(len(u), dtype=z.dtype) - torch.outer(u, u)) @ g / row.norm())
    return torch.stack(rows)


def clip_loss(a, b, tau):
    a, b = (torch.nn.functional.normalize(x, dim=1) for x in (a, b))
    total = 0.0
    for i in range(len(a)):
        right = a[i] @ b[i] / tau
        total = total + (b @ a[i] / tau).logsumexp(0) + (a @ b[i] / tau).logsumexp(0) - 2 * right
    return total / (2 * len(a))


def mutual_information(joint):
    px, py = joint.sum(1), joint.sum(0)
    total = joint.new_zeros(())
    for i in range(len(px)):
        for j in range(len(py)):
            if joint[i, j] > 0:
                total = total + joint[i, j] * (joint[i, j] / (px[i] * py[j])).log()
    return total


def infonce(scores):
    n = scores.shape[-1]
    logp = scores.log_softmax(-1)
    return torch.stack([logp[..., i, i] for i in range(n)], -1).sum(-1) / n + math.log(n)


def best_critic(joint):
    return (joint / torch.outer(joint.sum(1), joint.sum(0))).log()


def uniformity(z, *, t=2.0):
    unit = torch.nn.functional.normalize(z, dim=1)
    n = len(z)
    values = [(-t * (unit[i] - unit[j]) @ (unit[i] - unit[j])).exp() for i in range(n) for j in range(n) if i != j]
    return (sum(values) / len(values)).log()


def effective_rank(z):
    values, _ = _spectrum(z)
    share = values[values > 1e-12 * values.max()]
    share = share / share.sum()
    return torch.exp(-(share * share.log()).sum())


def vicreg_terms(a, b, *, eps=1e-4):
    d = a.shape[1]
    variance, covariance = 0.0, 0.0
    for z in (a, b):
        variance = variance + torch.relu(1 - (z.var(dim=0, correction=1) + eps).sqrt()).sum() / d
        products = _centered(z).T @ _centered(z) / (len(z) - 1)
        products = products * (1 - torch.eye(d, dtype=z.dtype))
        covariance = covariance + (products**2).sum() / d
    return ((a - b) ** 2).sum() / len(a), variance, covariance


def cka_from_grams(k, l):  # noqa: E741
    h = torch.eye(len(k), dtype=k.dtype) - 1 / len(k)
    k, l = h @ k @ h, h @ l @ h  # noqa: E741
    return torch.trace(k @ l) / (torch.trace(k @ k) * torch.trace(l @ l)).sqrt()


def cka(x, y):
    return cka_from_grams(x @ x.T, y @ y.T)


def unbiased_cka(x, y):
    n = len(x)
    off = 1 - torch.eye(n, dtype=x.dtype)

    def h(k, l):  # noqa: E741
        ones = torch.ones(n, dtype=k.dtype)
        return torch.trace(k @ l) + (ones @ k @ ones) * (ones @ l @ ones) / (n - 1) / (n - 2) - 2 / (n - 2) * (ones @ k @ l @ ones)

    k, l = (x @ x.T) * off, (y @ y.T) * off  # noqa: E741
    return h(k, l) / torch.sqrt(h(k, k) * h(l, l))


def affinities(x, perplexity):
    n = len(x)
    picks = torch.zeros(n, n, dtype=x.dtype)
    for i in range(n):
        keep = [j for j in range(n) if j != i]
        d2 = ((x[keep] - x[i]) ** 2).sum(1)
        d2 = d2 - d2.min()
        low, high = -60.0, 60.0  # of the logarithm of the precision
        for _ in range(64):
            beta = math.exp((low + high) / 2)
            p = torch.softmax(-beta * d2, 0)
            bits = -(p * p.clamp(min=1e-300).log2()).sum()
            if 2**bits > perplexity:
                low = (low + high) / 2
            else:
                high = (low + high) / 2
        picks[i, keep] = p
    return (picks + picks.T) / (2 * n)


def tsne_gradient(p, y):
    n = len(y)
    w = torch.zeros(n, n, dtype=y.dtype)
    for i in range(n):
        for j in range(n):
            if i != j:
                w[i, j] = 1 / (1 + ((y[i] - y[j]) ** 2).sum())
    q = w / w.sum()
    some = p > 0
    loss = (p[some] * (p[some] / q[some]).log()).sum()
    force = (p - q) * w
    return loss, 4 * (force.sum(1, keepdim=True) * y - force @ y)
