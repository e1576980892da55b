"""The whole assignment in another idiom: loops over images, patches and boxes, `einsum`, autograd and library geometry."""

import fnmatch
import math
from itertools import product

import torch


def sinusoid(positions, d):
    out = torch.zeros(len(positions), d, dtype=positions.dtype)
    for p, i in product(range(len(positions)), range(d // 2)):
        angle = positions[p] / 10_000 ** (2 * i / d)
        out[p, 2 * i], out[p, 2 * i + 1] = torch.sin(angle), torch.cos(angle)
    return out


def patchify(images, size):
    H, W = images.shape[-2:]
    corners = product(range(0, H, size), range(0, W, size))
    return torch.stack([images[:, :, y : y + size, x : x + size].flatten(1) for y, x in corners], dim=1)


def unpatchify(patches, size, height, width):
    channels = patches.shape[-1] // size**2
    images = patches.new_zeros(len(patches), channels, height, width)
    for at, (y, x) in enumerate(product(range(0, height, size), range(0, width, size))):
        images[:, :, y : y + size, x : x + size] = patches[:, at].unflatten(-1, (channels, size, size))
    return images


def patch_embed(patches, kernel, bias):
    d, C, P, _ = kernel.shape
    cut = patches.unflatten(-1, (C, P, P))
    return torch.einsum("ntcyx,dcyx->ntd", cut, kernel) + bias


def positions_2d(rows, columns, d):
    halves = [sinusoid(torch.arange(n).double(), d // 2) for n in (rows, columns)]
    return torch.stack([torch.cat([halves[0][r], halves[1][c]]) for r in range(rows) for c in range(columns)])


def with_cls(patches, cls, positions):
    tokens = patches.new_empty(len(patches), patches.shape[1] + 1, patches.shape[2])
    tokens[:, 0] = cls
    tokens[:, 1:] = patches
    return tokens + positions[None]


def resize_positions(positions, old, new):
    grid = positions[1:].unflatten(0, old)

    def between(i, n_old, n_new):
        """The two neighbors of a new center, and the weight of the second."""
        fraction = (i + 0.5) / n_new  # of the image
        place = min(max(fraction * n_old - 0.5, 0.0), n_old - 1.0)
        low = math.floor(place)
        return low, min(low + 1, n_old - 1), place - low

    out = [positions[0]]
    for r, c in product(range(new[0]), range(new[1])):
        top, bottom, v = between(r, old[0], new[0])
        left, right, h = between(c, old[1], new[1])
        upper = (1 - h) * grid[top, left] + h * grid[top, right]
        lower = (1 - h) * grid[bottom, left] + h * grid[bottom, right]
        out.append((1 - v) * upper + v * lower)
    return torch.stack(out)


def vit_forward(tokens, blocks, last_norm, head, *, pool):
    x = tokens
    for i in range(len(blocks)):
        x = blocks[i](x)
    x = last_norm(x)
    if pool == "mean":
        return head((x.sum(1) - x[:, 0]) / (x.shape[1] - 1))
    return head(x[:, 0, :])


def block_multiplications(n_tokens, d):
    matrices = [(d, d)] * 4 + [(d, 4 * d), (4 * d, d)]
    linear = sum(n_tokens * rows * columns for rows, columns in matrices)
    scores = n_tokens * d * n_tokens
    return linear, scores + n_tokens * n_tokens * d


def vit_parameters(*, height, width, patch, channels, d, n_blocks, n_classes):
    n = height * width // patch**2
    shapes = [(d, channels, patch, patch), (d,), (d,), (n + 1, d), (d,), (d,), (d, n_classes), (n_classes,)]
    for _ in range(n_blocks):
        shapes += [(d, d), (d,)] * 4 + [(d, 4 * d), (4 * d,), (4 * d, d), (d,)] + [(d,)] * 4
    return sum(math.prod(shape) for shape in shapes)


def flip(image, boxes, mask):
    width = mask.shape[1]
    backward = torch.arange(width - 1, -1, -1)
    out = boxes.clone()
    out[:, 0], out[:, 2] = width - boxes[:, 2], width - boxes[:, 0]
    return image[:, :, backward], out, mask[:, backward]


def crop(image, boxes, mask, *, top, left, height, width, ignore):
    H, W = mask.shape
    new_image = torch.zeros(image.shape[0], height, width, dtype=image.dtype)
    new_mask = torch.full((height, width), ignore, dtype=mask.dtype)
    for y, x in product(range(height), range(width)):
        if 0 <= y + top < H and 0 <= x + left < W:
            new_image[:, y, x] = image[:, y + top, x + left]
            new_mask[y, x] = mask[y + top, x + left]
    found, kept = [], []
    for x1, y1, x2, y2 in boxes.tolist():
        box = (max(x1 - left, 0.0), max(y1 - top, 0.0), min(x2 - left, width), min(y2 - top, height))
        kept.append(box[0] < box[2] and box[1] < box[3])
        if kept[-1]:
            found.append(box)
    return new_image, torch.tensor(found, dtype=boxes.dtype).reshape(-1, 4), new_mask, torch.tensor(kept, dtype=torch.bool)


def mirrored_left(left, *, width, image_width):
    right = left + width
    return image_width - right


def smooth_labels(classes, n_classes, eps):
    return (1 - eps) * torch.nn.functional.one_hot(classes, n_classes).double() + eps / n_classes


def mixup(images, labels, order, lam):
    pairs = [torch.lerp(x[order], x, lam) for x in (images, labels)]
    return tuple(pairs)


def cutmix(images, labels, order, lam, center):
    H, W = images.shape[2:]
    side = math.sqrt(1 - lam)
    a, b = math.floor(H * side / 2), math.floor(W * side / 2)
    y, x = torch.arange(H)[:, None], torch.arange(W)
    inside = (y >= center[0] - a) & (y < center[0] + a) & (x >= center[1] - b) & (x < center[1] + b)
    share = inside.double().mean().to(labels.dtype)
    return torch.where(inside, images[order], images), labels + share * (labels[order] - labels)


def mean_share(r):
    # the lengths of the cut ends add up to two triangles: r/2 deep at the edge, gone r/2 further in
    lost = 2 * (r / 2) * (r / 2) / 2
    return (r - lost).square()


def soft_cross_entropy(logits, labels):
    return torch.stack([-(y * torch.log_softmax(z, 0)).sum() for z, y in zip(logits, labels, strict=True)]).mean()


def layer_rates(names, *, n_blocks, lr, decay, frozen=()):
    def steps_below_the_head(name):
        first, *rest = name.split(".")
        if first in ("norm", "head"):
            return 0
        return n_blocks - int(rest[0]) if first == "blocks" else n_blocks + 1

    still = {name for pattern in frozen for name in fnmatch.filter(names, pattern)}
    return {name: 0.0 if name in still else lr * decay ** steps_below_the_head(name) for name in names}


def probe_step(w, features, labels, *, l2):
    """Image by image and entry by entry, in place of matrix products."""
    slope, curvature = l2 * w, l2 * torch.eye(len(w), dtype=w.dtype)
    for x, y in zip(features, labels, strict=True):
        odds = (x @ w).exp()
        slope = slope + (odds / (1 + odds) - y) * x / len(labels)
        curvature = curvature + odds / (1 + odds) ** 2 * torch.outer(x, x) / len(labels)
    return w - torch.linalg.inv(curvature) @ slope


def rollout(attention):
    L, N, _, T, _ = attention.shape
    out = []
    for i in range(N):
        shares = torch.eye(T, dtype=attention.dtype)
        for block in reversed(range(L)):
            shares = 0.5 * shares + 0.5 * shares @ attention[block, i].mean(0)
        out.append(shares)
    return torch.stack(out)


def cls_map(shares, rows, columns):
    return torch.stack([(row / row.sum()).reshape(rows, columns) for row in shares[:, 0, 1:]])


def _overlap(p, q):
    wide = torch.relu(torch.minimum(p[2], q[2]) - torch.maximum(p[0], q[0]))
    return wide * torch.relu(torch.minimum(p[3], q[3]) - torch.maximum(p[1], q[1]))


def _area(p):
    return (p[2] - p[0]) * (p[3] - p[1])


def iou(a, b):
    def one(p, q):
        both = _overlap(p, q)
        return both / (_area(p) + _area(q) - both)

    return torch.stack([torch.stack([one(p, q) for q in b]) for p in a])


def giou(a, b):
    values = []
    for p, q in zip(a, b, strict=True):
        both = _overlap(p, q)
        union = _area(p) + _area(q) - both
        hull = _area(torch.cat([torch.minimum(p[:2], q[:2]), torch.maximum(p[2:], q[2:])]))
        values.append(both / union + union / hull - 1)
    return torch.stack(values)


def nms(overlaps, scores, classes, threshold):
    left = sorted(range(len(scores)), key=lambda i: (-float(scores[i]), i))
    kept = []
    while left:
        best, *others = left
        kept.append(best)
        left = [i for i in others if int(classes[i]) != int(classes[best]) or float(overlaps[best, i]) <= threshold]
    return kept


def localization_loss(predicted, target, has_object):
    total, n = predicted.new_zeros(()) + 0 * predicted.sum(), 0
    for i in range(len(predicted)):
        if has_object[i]:
            n += 1
            for e in predicted[i] - target[i]:
                total = total + (e * e / 2 if abs(e) < 1 else abs(e) - 0.5)
    return total / max(n, 1)


def confusion(predicted, target, n_classes, *, ignore):
    matrix = torch.zeros(n_classes, n_classes, dtype=torch.int64)
    for t, p in zip(target.flatten().tolist(), predicted.flatten().tolist(), strict=True):
        if t != ignore:
            matrix[t, p] += 1
    return matrix


def mean_iou(matrices):
    total = matrices.sum(0)
    scores = []
    for k in range(len(total)):
        both = int(total[k, k])
        either = int(total[k].sum() + total[:, k].sum()) - both
        if either:
            scores.append(both / either)
    return torch.tensor(sum(scores) / len(scores), dtype=torch.float64)


def dice_from_iou(value):
    # with a union of size 1, the mean size of the two sets is half of the union and what they share
    return value / ((1 + value) / 2)


def soft_dice_loss(probabilities, target):
    losses = []
    for p, t in zip(probabilities, target, strict=True):
        size = p.sum() + t.sum()
        losses.append(1 - 2 * p[t].sum() / size if size > 0 else 0 * p.sum())
    return torch.stack(losses).mean()
