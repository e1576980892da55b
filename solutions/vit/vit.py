"""A vision transformer from pixels to tokens, boxes and masks: what goes in, what it costs, and how its answers are scored.

Images have shape (N, C, H, W), one image (C, H, W), a mask (H, W). Tokens have shape (N, T, d). Boxes are rows (x1, y1, x2, y2).
Random choices are arguments. Results keep the dtype and device of the inputs, and no input is changed in place.

Training is left out, and so are the transformer's blocks: `ToyBlock` is given, to try things with.
"""

import math
from fnmatch import fnmatchcase

import torch

# --- Given: nothing to write here --------------------------------------------------------------


class ToyBlock:
    """A transformer block with random weights: x + attention(norm(x)), then x + MLP(norm(x)). It has no mask.

    Attributes:
        attention: The attention weights of the last call, shape (N, n_heads, T, T). Row t says where token t looks.
    """

    def __init__(self, d, n_heads, seed, *, scale=1.0):
        generator = torch.Generator().manual_seed(seed)

        def matrix(rows, columns):
            return scale * torch.randn(rows, columns, generator=generator, dtype=torch.float64) / math.sqrt(rows)

        self.n_heads = n_heads
        self.qkv, self.out = matrix(d, 3 * d), matrix(d, d)
        self.up, self.down = matrix(d, 4 * d), matrix(4 * d, d)
        self.attention = None

    def __call__(self, x):
        """From tokens of shape (N, T, d), float64, to tokens of the same shape."""
        q, k, v = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in (norm(x) @ self.qkv).chunk(3, -1))
        self.attention = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)  # (N, h, T, T)
        x = x + (self.attention @ v).transpose(1, 2).flatten(2) @ self.out
        return x + torch.nn.functional.gelu(norm(x) @ self.up) @ self.down


def norm(x):
    """Layer norm without gain and bias: each token gets mean 0 and variance 1."""
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def sinusoid(positions, d):
    """The sine-cosine positions of a line: column 2i is sin(p / 10000^(2i/d)), column 2i + 1 is the cosine of the same angle.

    Args:
        positions: Shape (n,), floating point.
        d: Even.

    Returns:
        Shape (n, d).
    """
    rates = 10_000.0 ** (-torch.arange(0, d, 2, dtype=positions.dtype, device=positions.device) / d)
    angles = positions[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


# --- Task 1: from pixels to tokens -------------------------------------------------------------


def patchify(images, size):
    """The images, cut into square patches: one row of numbers for each patch.

    Patches come row by row, from the top left. The numbers of a patch come channel by channel. Within a channel, they come row
    by row.

    Args:
        images: Shape (N, C, H, W).
        size: P, the height and width of a patch, in pixels.

    Returns:
        Shape (N, n, C P P), where n is the number of patches in an image.

    Raises:
        ValueError: If P doesn't divide H and W.

    Example:
        One channel with the rows (1, 2, 3, 4) and (5, 6, 7, 8), size 2: the patches (1, 2, 5, 6) and (3, 4, 7, 8).
    """
    height, width = images.shape[-2:]
    if size < 1 or height % size or width % size:
        raise ValueError(f"size must divide height and width, got {size} for {height} x {width}")
    # BEGIN SOLUTION patches
    n_images, channels = images.shape[:2]
    grid = images.reshape(n_images, channels, height // size, size, width // size, size)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(n_images, -1, channels * size * size)
    # END SOLUTION


def unpatchify(patches, size, height, width):
    """The images that patches were cut from: the inverse of `patchify`.

    Args:
        patches: Shape (N, n, C P P).
        size: P.
        height, width: Of the images, in pixels.

    Returns:
        Shape (N, C, height, width).

    Raises:
        ValueError: If there aren't as many patches as the image has.
    """
    if patches.shape[1] * size * size != height * width:
        raise ValueError(f"patches must be {height} x {width} / {size}^2, got {patches.shape[1]}")
    # BEGIN SOLUTION patches
    n_images, rows, columns = len(patches), height // size, width // size
    grid = patches.reshape(n_images, rows, columns, -1, size, size)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(n_images, -1, height, width)
    # END SOLUTION


def patch_embed(patches, kernel, bias):
    """What a convolution with stride P makes of the images that these patches were cut from, one token for each patch.

    The convolution has kernels as large as a patch, and no padding. As everywhere in deep learning, a kernel isn't flipped.

    Args:
        patches: As `patchify` returns, shape (N, n, C P P).
        kernel: Shape (d, C, P, P).
        bias: Shape (d,).

    Returns:
        Shape (N, n, d).

    Example:
        The patch (1, 2, 5, 6), kernel rows (0, 10) and (1, 0), bias 3: 20 + 5 + 3 = 28.
    """
    # BEGIN SOLUTION patches
    return patches @ kernel.flatten(1).T + bias
    # END SOLUTION


# --- Task 2: where is a patch? -----------------------------------------------------------------


def positions_2d(rows, columns, d):
    """The positions of a grid of patches, float64: the first d/2 numbers say the row, the last d/2 say the column.

    Each half is what `sinusoid` gives, with width d/2. Rows and columns count from 0. Patches come row by row.

    Args:
        rows, columns: Of the grid.
        d: A multiple of 4.

    Returns:
        Shape (rows * columns, d).

    Raises:
        ValueError: If 4 doesn't divide d.
    """
    if d % 4:
        raise ValueError(f"d must be a multiple of 4, got {d}")
    # BEGIN SOLUTION tokens
    of_row = sinusoid(torch.arange(rows, dtype=torch.float64), d // 2)
    of_column = sinusoid(torch.arange(columns, dtype=torch.float64), d // 2)
    row, column = torch.arange(rows * columns) // columns, torch.arange(rows * columns) % columns
    return torch.cat([of_row[row], of_column[column]], dim=-1)
    # END SOLUTION


def with_cls(patches, cls, positions):
    """The tokens that the first block gets: CLS in front of the patches, and to each of them its position added.

    Args:
        patches: Shape (N, n, d).
        cls: One learned vector, shape (d,), the same for all images.
        positions: Shape (1 + n, d). The first row belongs to CLS.

    Returns:
        Shape (N, 1 + n, d).

    Raises:
        ValueError: If there isn't one position for each token.
    """
    if len(positions) != patches.shape[1] + 1:
        raise ValueError(f"positions must have 1 + {patches.shape[1]} rows, got {len(positions)}")
    # BEGIN SOLUTION tokens
    first = cls.expand(len(patches), 1, -1)
    return torch.cat([first, patches], dim=1) + positions
    # END SOLUTION


def resize_positions(positions, old, new):
    """Positions for a new grid of patches over the same image, interpolated from those of the old grid.

    The old and the new grid cover the same image. A position belongs to the center of its patch. The position of a new patch is
    interpolated linearly between the nearest old centers, along the rows and along the columns (bilinear). Above the first old
    center, the value is that of the first; likewise at the other edges. Nothing is averaged when the new grid is coarser.

    Args:
        positions: Shape (1 + R C, d). The first row belongs to CLS and stays.
        old: (R, C), rows and columns of the old grid.
        new: (R', C') of the new one.

    Returns:
        Shape (1 + R' C', d).

    Raises:
        ValueError: If there isn't one position for CLS and for each patch of the old grid.

    Example:
        One column of 2 patches with the values 0 and 1 becomes 4 patches: 0, 0.25, 0.75, 1. And 3 patches: 0, 0.5, 1.
    """
    if len(positions) != 1 + old[0] * old[1]:
        raise ValueError(f"positions must have 1 + {old[0]} x {old[1]} rows, got {len(positions)}")
    # BEGIN SOLUTION tokens
    def weights(n_old, n_new):
        """Row i: how much each old patch counts for new patch i."""
        place = (torch.arange(n_new, dtype=positions.dtype, device=positions.device) + 0.5) * n_old / n_new - 0.5
        place = place.clamp(0, n_old - 1)
        centers = torch.arange(n_old, dtype=positions.dtype, device=positions.device)
        return (1 - (place[:, None] - centers).abs()).clamp(min=0)

    grid = positions[1:].reshape(*old, -1)
    grid = torch.einsum("ar,bc,rcd->abd", weights(old[0], new[0]), weights(old[1], new[1]), grid)
    return torch.cat([positions[:1], grid.flatten(0, 1)])
    # END SOLUTION


# --- Task 3: the encoder and its price ---------------------------------------------------------


def vit_forward(tokens, blocks, last_norm, head, *, pool):
    """The logits of a vision transformer.

    The tokens go through all blocks. Then `last_norm` is applied to all tokens. Then one vector for each image goes into the head:

    "cls":  the token CLS.
    "mean": the mean of the patches' tokens, without CLS.

    Args:
        tokens: Shape (N, 1 + n, d), CLS first.
        blocks: List of functions, from (N, 1 + n, d) to the same shape, in this order.
        last_norm: A function from (N, 1 + n, d) to the same shape.
        head: A function from (N, d) to (N, K).
        pool: One of the two names.

    Returns:
        Shape (N, K).

    Raises:
        ValueError: If pool is unknown.
    """
    if pool not in ("cls", "mean"):
        raise ValueError(f"pool must be cls or mean, got {pool!r}")
    # BEGIN SOLUTION encoder
    for block in blocks:
        tokens = block(tokens)
    tokens = last_norm(tokens)
    return head(tokens[:, 0] if pool == "cls" else tokens[:, 1:].mean(1))
    # END SOLUTION


def block_multiplications(n_tokens, d):
    """How many multiplications of two numbers the matrix products of one block take, for one image.

    A block has four d x d matrices (for queries, keys, values and the output of attention) and an MLP with a hidden layer of
    width 4d. Each of its heads compares each query with each key, and mixes the values with the weights that come out. All heads
    together have width d.

    Args:
        n_tokens: T, with CLS.
        d: Width of the tokens.

    Returns:
        (linear, pairs), two ints: the products of tokens with the six matrices; then the products of queries with keys and of
        attention weights with values, together.

    Example:
        T = 3 tokens of width d = 2: (144, 36).
    """
    # BEGIN SOLUTION encoder
    return 12 * n_tokens * d * d, 2 * n_tokens * n_tokens * d
    # END SOLUTION


def vit_parameters(*, height, width, patch, channels, d, n_blocks, n_classes):
    """How many numbers a vision transformer learns.

    They are: the kernel and bias of the patch embedding; CLS; a learned position for each token; the blocks; the last norm; the
    head. All six matrices of a block have a bias for each output. A block has two norms, and each norm has a gain and a bias of
    width d. The head is one matrix with a bias.

    Args:
        height, width: Of the images, in pixels.
        patch: P, which divides both.
        channels: C.
        d: Width of the tokens. The hidden layer of the MLP has width 4d.
        n_blocks, n_classes: How many there are.

    Returns:
        An int.

    Example:
        height = width = patch = channels = d = n_classes = 1: 9 numbers without a block, 34 with one block, 59 with two.
    """
    # BEGIN SOLUTION encoder
    n_tokens = 1 + (height // patch) * (width // patch)
    embedding = d * channels * patch * patch + d
    block = 12 * d * d + 9 * d + 2 * 2 * d
    return embedding + d + n_tokens * d + n_blocks * block + 2 * d + d * n_classes + n_classes
    # END SOLUTION


# --- Task 4: boxes and masks follow the image --------------------------------------------------


def flip(image, boxes, mask):
    """The image as in a mirror that stands at its side: left and right are exchanged. Boxes and mask follow.

    Args:
        image: Shape (C, H, W).
        boxes: Shape (M, 4), inside the image.
        mask: Shape (H, W), ints: the class of each pixel.

    Returns:
        (image, boxes, mask), of the same shapes. Again x1 < x2 in each box.
    """
    # BEGIN SOLUTION augment
    x1, y1, x2, y2 = boxes.unbind(-1)
    width = image.shape[-1]
    return image.flip(-1), torch.stack([width - x2, y1, width - x1, y2], dim=-1), mask.flip(-1)
    # END SOLUTION


def crop(image, boxes, mask, *, top, left, height, width, ignore):
    """A window of the image. Where the window reaches beyond the image, it is padded. Boxes and mask follow.

    Args:
        image: Shape (C, H, W).
        boxes: Shape (M, 4), inside the image.
        mask: Shape (H, W), ints.
        top, left: Of the window, in pixels of the image. They may be negative.
        height, width: Of the window. At least one pixel of the image lies in it.
        ignore: What the mask holds at the padding.

    Returns:
        (image, boxes, mask, kept). The image has shape (C, height, width), with 0 at the padding. The mask has shape (height,
        width). A box keeps the part that lies in the window, in the coordinates of the window. A box that has no area left there
        is dropped; the others keep their order and dtype, and if all are dropped, the shape is (0, 4). `kept` says which boxes are
        kept, boolean, shape (M,), so that their labels can follow.
    """
    # BEGIN SOLUTION augment
    H, W = mask.shape
    y1, x1, y2, x2 = max(top, 0), max(left, 0), min(top + height, H), min(left + width, W)
    rows, columns = slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)
    window = image.new_zeros(len(image), height, width)
    window[:, rows, columns] = image[:, y1:y2, x1:x2]
    labels = mask.new_full((height, width), ignore)
    labels[rows, columns] = mask[y1:y2, x1:x2]
    corners = boxes - boxes.new_tensor([left, top, left, top])
    corners = torch.stack([corners[:, 0::2].clamp(0, width), corners[:, 1::2].clamp(0, height)], dim=-1).flatten(1)
    kept = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    return window, corners[kept], labels, kept
    # END SOLUTION


def mirrored_left(left, *, width, image_width):
    """Where to crop the flipped image, so that the window shows what the flipped window of the image shows.

    Cropping at `left` and then flipping must give the same as flipping and then cropping at the result.

    Args:
        left: Of a window in the image, an int.
        width: Of the window.
        image_width: Of the image.

    Returns:
        An int.

    Example:
        An image of width 10 and a window of width 4 at left = 1: 5.
    """
    # BEGIN SOLUTION augment
    return image_width - width - left
    # END SOLUTION


# --- Task 5: mixed images and their labels -----------------------------------------------------


def smooth_labels(classes, n_classes, eps):
    """Labels that are a little unsure: a share eps of each label is divided equally among all K classes, the true one included.

    Args:
        classes: The true class of each image, shape (N,), ints.
        n_classes: K.
        eps: In [0, 1].

    Returns:
        Shape (N, K), float64 (cast it before you mix images of another dtype). Each row adds up to 1.

    Example:
        Class 0 of 4 with eps = 0.2: (0.85, 0.05, 0.05, 0.05).
    """
    # BEGIN SOLUTION mix
    labels = torch.full((len(classes), n_classes), eps / n_classes, dtype=torch.float64, device=classes.device)
    labels[torch.arange(len(classes)), classes] += 1 - eps
    return labels
    # END SOLUTION


def mixup(images, labels, order, lam):
    """Each image, mixed with a partner: lam of the image and 1 - lam of the partner, pixel by pixel. Labels likewise.

    Args:
        images: Shape (N, C, H, W).
        labels: Shape (N, K), in the dtype of the images.
        order: A permutation of 0 ... N - 1: the partner of image i is image order[i].
        lam: A float in [0, 1].

    Returns:
        (images, labels), of the same shapes.
    """
    # BEGIN SOLUTION mix
    return lam * images + (1 - lam) * images[order], lam * labels + (1 - lam) * labels[order]
    # END SOLUTION


def cutmix(images, labels, order, lam, center):
    """Each image, with a box of its partner pasted into it, at the same place. The labels say what the pixels show.

    The box should cover a share 1 - lam of the image, and have its proportions. With r = sqrt(1 - lam), a = floor(H r / 2) and
    b = floor(W r / 2), it has the rows from y - a up to, not including, y + a, and the columns from x - b up to, not including,
    x + b. What lies outside the image is cut off. (No check has a lam for which rounding decides the floor.) The partner's share of the label is its share of the **pixels**.

    Args:
        images, labels, order, lam: As for `mixup`.
        center: (y, x), the row and the column of the center, ints inside the image.

    Returns:
        (images, labels), of the same shapes.
    """
    # BEGIN SOLUTION mix
    H, W = images.shape[-2:]
    r = math.sqrt(1 - lam)
    a, b = int(H * r / 2), int(W * r / 2)
    top, bottom = max(center[0] - a, 0), min(center[0] + a, H)
    left, right = max(center[1] - b, 0), min(center[1] + b, W)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images[order][..., top:bottom, left:right]
    pasted = (bottom - top) * (right - left) / (H * W)
    return mixed, (1 - pasted) * labels + pasted * labels[order]
    # END SOLUTION


def mean_share(r):
    """The expected share of an image that a pasted box covers, by your formula.

    The image is a square of side 1, and the box is a square of side r. The center of the box is uniform on the image, and what
    lies outside is cut off. There are no pixels here.

    Args:
        r: A tensor of numbers in [0, 1], any shape.

    Returns:
        The shape of r.

    Example:
        r = 0: 0. And r = 1: 9/16.
    """
    # BEGIN SOLUTION mix
    return (r - r**2 / 4) ** 2
    # END SOLUTION


def soft_cross_entropy(logits, labels):
    """The cross-entropy of labels that are probabilities: the mean, over the images, of -sum_k labels_k log p_k.

    p is the softmax of the logits of an image. Logits may be as large as 10,000 or as small as -10,000.

    Args:
        logits: Shape (N, K), differentiable.
        labels: Shape (N, K). Each row adds up to 1.

    Returns:
        Shape ().

    Example:
        Logits log 3 and 0: p = (3/4, 1/4). For the label (1/2, 1/2): (log 4/3 + log 4) / 2.
    """
    # BEGIN SOLUTION mix
    logp = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
    return -(labels * logp).sum(-1).mean()
    # END SOLUTION


# --- Task 6: a new task for an old network -----------------------------------------------------


def layer_rates(names, *, n_blocks, lr, decay, frozen=()):
    """The learning rate of each parameter: lr for the head, and smaller by the factor `decay` for each layer further down.

    The layers are, from below: layer 0 with everything before the blocks; layers 1 ... n_blocks with the blocks; layer n_blocks +
    1 with the last norm and the head. Layer n_blocks + 1 has the rate lr.

    Args:
        names: Names of parameters. Those of block l (from 0) begin with "blocks.l.". Those of the last layer begin with "norm."
            or "head.". All others belong to layer 0.
        n_blocks: How many blocks there are.
        lr: Learning rate of the last layer.
        decay: In (0, 1].
        frozen: Patterns as for `fnmatch.fnmatchcase`, such as "blocks.0.*". A parameter whose name fits one of them has the
            rate 0.0.

    Returns:
        A dict from each name to its rate, a float.

    Example:
        Two blocks, lr = 8, decay = 1/2: 8 for "head.weight", 4 for "blocks.1.up", 2 for "blocks.0.up", 1 for "cls".
    """
    # BEGIN SOLUTION transfer
    rates = {}
    for name in names:
        if name.startswith("blocks."):
            layer = 1 + int(name.split(".")[1])
        else:
            layer = n_blocks + 1 if name.startswith(("norm.", "head.")) else 0
        still = any(fnmatchcase(name, pattern) for pattern in frozen)
        rates[name] = 0.0 if still else lr * decay ** (n_blocks + 1 - layer)
    return rates
    # END SOLUTION


def probe_step(w, features, labels, *, l2):
    """One Newton step for a linear probe: logistic regression on the features of a frozen network.

    The loss is the **mean**, over the images, of -log p(right label), plus l2/2 times the squared length of w. The probability of
    label 1 is sigmoid(features @ w). A Newton step goes to the minimum of the quadratic function that has the loss's gradient and
    second derivatives at w.

    Args:
        w: Shape (d,).
        features: Shape (N, d). There is no bias; a column of ones would be one, and would be penalized too.
        labels: Shape (N,), 0 or 1, in the dtype of the features.
        l2: Positive.

    Returns:
        The new w, shape (d,), without autograd.

    Raises:
        ValueError: If l2 is not positive.

    Example:
        One feature 2 with label 1, w = 0, l2 = 1: 1/2.
    """
    if l2 <= 0:
        raise ValueError(f"l2 must be positive, got {l2}")
    # BEGIN SOLUTION transfer
    p = torch.sigmoid(features @ w)
    gradient = features.T @ (p - labels) / len(labels) + l2 * w
    hessian = (features.T * (p * (1 - p))) @ features / len(labels) + l2 * torch.eye(len(w), dtype=w.dtype, device=w.device)
    return w - torch.linalg.solve(hessian, gradient)
    # END SOLUTION


# --- Task 7: where does CLS look? --------------------------------------------------------------


def rollout(attention):
    """How much of each token of the first block there is in each token after the last: attention followed through all blocks.

    In each block, take the mean of the attention weights over the heads. Half of what a token becomes is what it was before, and
    half comes from where it looks.

    Args:
        attention: Shape (L, N, h, T, T), from the first block to the last. Row t holds the weights with which token t looks at the
            tokens that the block got. It adds up to 1.

    Returns:
        Shape (N, T, T). Entry (t, s): the share of token t after the last block that comes from token s before the first.

    Example:
        One block with one head, where both of two tokens look at the second: rows (1/2, 1/2) and (0, 1).
    """
    # BEGIN SOLUTION rollout
    T = attention.shape[-1]
    still = torch.eye(T, dtype=attention.dtype, device=attention.device)
    shares = still
    for weights in attention.mean(2):
        shares = (weights + still) / 2 @ shares
    return shares
    # END SOLUTION


def cls_map(shares, rows, columns):
    """Which patches CLS is made of, as a picture.

    Args:
        shares: As `rollout` returns, shape (N, T, T), T = 1 + rows * columns.
        rows, columns: Of the grid of patches.

    Returns:
        Shape (N, rows, columns), divided by its sum, so that each picture adds up to 1. CLS's share of itself is left out.
    """
    # BEGIN SOLUTION rollout
    of_patches = shares[:, 0, 1:]
    return (of_patches / of_patches.sum(-1, keepdim=True)).reshape(-1, rows, columns)
    # END SOLUTION


# --- Task 8: boxes -----------------------------------------------------------------------------


def iou(a, b):
    """The intersection over the union of each box of one set with each box of another.

    Args:
        a: Shape (M, 4).
        b: Shape (K, 4). All boxes have positive area.

    Returns:
        Shape (M, K).

    Example:
        (0, 0, 2, 2) and (1, 1, 3, 3): 1/7.
    """
    # BEGIN SOLUTION boxes
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.clamp(min=0).prod(-1)  # (M, K)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b))
    return shared / (area_a[:, None] + area_b[None, :] - shared)
    # END SOLUTION


def giou(a, b):
    """The generalized IoU of each box with the box of the same row: IoU - (h - u) / h.

    u is the area of the union of the two boxes, and h is the area of the smallest box that contains both. Neither is 0, so nothing
    is added to them.

    Args:
        a, b: Shape (M, 4), all boxes of positive area. The result is differentiable in both.

    Returns:
        Shape (M,).

    Example:
        (0, 0, 2, 2) and (1, 1, 3, 3): 1/7 - 2/9.
    """
    # BEGIN SOLUTION boxes
    sides = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    shared = sides.clamp(min=0).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - shared
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(-1)
    return shared / union - (hull - union) / hull
    # END SOLUTION


def nms(overlaps, scores, classes, threshold):
    """Which boxes are left when each object should be found once: non-maximum suppression.

    Go through the boxes from the highest score to the lowest; at equal scores, the lower index goes first. A box is dropped if
    its IoU with a box **that was kept** and has the same class is greater than the threshold. Otherwise it is kept.

    Args:
        overlaps: The IoU of each pair of boxes, shape (M, M).
        scores, classes: Shape (M,); classes are ints.
        threshold: In [0, 1].

    Returns:
        A list of ints: the indices of the boxes that are kept, in the order in which they were.
    """
    # BEGIN SOLUTION boxes
    kept = []
    for i in torch.argsort(scores, descending=True, stable=True).tolist():
        if all(classes[i] != classes[j] or overlaps[i, j] <= threshold for j in kept):
            kept.append(i)
    return kept
    # END SOLUTION


def localization_loss(predicted, target, has_object):
    """How far predicted boxes are from the true ones, where there is an object.

    The loss of a box is the sum over its four numbers of: e^2/2 if |e| < 1, else |e| - 1/2, where e is the difference. The
    result is the mean over the images **with** an object. If no image has one, it is 0.

    Args:
        predicted: Shape (N, 4), differentiable.
        target: Shape (N, 4). Where there is no object, it may hold NaN.
        has_object: Boolean, shape (N,).

    Returns:
        Shape (). The gradient of an image without an object is 0.

    Example:
        Differences (0, 1/2, 2, -3) in one image: 0 + 1/8 + 3/2 + 5/2 = 33/8.
    """
    # BEGIN SOLUTION boxes
    size = (predicted[has_object] - target[has_object]).abs()
    losses = torch.where(size < 1, size**2 / 2, size - 0.5).sum(-1)
    return losses.sum() / max(len(losses), 1)
    # END SOLUTION


# --- Task 9: masks -----------------------------------------------------------------------------


def confusion(predicted, target, n_classes, *, ignore):
    """How many pixels of each class were given which class.

    Args:
        predicted: Shape (H, W), ints in 0 ... K - 1.
        target: Shape (H, W), ints in 0 ... K - 1, or `ignore`.
        n_classes: K.
        ignore: The mark of pixels that don't count, not in 0 ... K - 1.

    Returns:
        Shape (K, K), int64. Entry (i, j): how many pixels of class i were given class j.
    """
    # BEGIN SOLUTION segmentation
    counts = target != ignore
    pairs = n_classes * target[counts] + predicted[counts]
    return torch.bincount(pairs.long(), minlength=n_classes**2).reshape(n_classes, n_classes)
    # END SOLUTION


def mean_iou(matrices):
    """The mean IoU over the classes, for a whole data set.

    The pixels of all images are counted together. The IoU of a class is the number of pixels that belong to it in both the target
    and the prediction, over the number that belong to it in at least one of the two. A class that is in neither, in no image, is
    left out of the mean.

    Args:
        matrices: As `confusion` returns, one for each image, shape (n, K, K), ints. At least one pixel counts.

    Returns:
        Shape (), float64.

    Example:
        One image, 2 classes, 3 pixels right of class 0 and 1 pixel of class 1 taken for class 0: (3/4 + 0) / 2 = 3/8.
    """
    # BEGIN SOLUTION segmentation
    total = matrices.sum(0).double()
    both = total.diagonal()
    either = total.sum(0) + total.sum(1) - both
    there = either > 0
    return (both[there] / either[there]).mean()
    # END SOLUTION


def dice_from_iou(value):
    """The Dice score of two sets whose IoU is given, by your formula.

    Dice is the number of pixels in both sets, over the **mean** size of the two sets.

    Args:
        value: A tensor of numbers in [0, 1], any shape.

    Returns:
        The shape of value.

    Example:
        IoU 1/7: Dice 1/4, as for two squares of 2 x 2 pixels that share one.
    """
    # BEGIN SOLUTION segmentation
    return 2 * value / (1 + value)
    # END SOLUTION


def soft_dice_loss(probabilities, target):
    """One minus the mean, over the images, of a Dice score that has a gradient.

    The number of pixels in both sets is replaced by the sum of the probabilities over the target's pixels. The size of the
    predicted set is replaced by the sum of all probabilities (some texts sum squares, or add 1 above and below). If both sizes
    are 0, Dice is 1.

    Args:
        probabilities: That a pixel belongs to the object, shape (N, H, W), differentiable.
        target: Boolean, shape (N, H, W).

    Returns:
        Shape ().

    Example:
        Two pixels with probabilities 1/2 and 1/4, the first in the target: Dice (1/2) / (7/8) = 4/7, loss 3/7.
    """
    # BEGIN SOLUTION segmentation
    both = torch.where(target, probabilities, 0.0).sum((1, 2))
    sizes = probabilities.sum((1, 2)) + target.sum((1, 2))
    empty = sizes == 0
    dice = torch.where(empty, 1.0, 2 * both / torch.where(empty, 1.0, sizes))
    return 1 - dice.mean()
    # END SOLUTION
