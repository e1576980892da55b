"""The vision transformer's reference against torch's own layers, scikit-learn, quadrature, and pixels that are counted one by one."""

import math

import numpy as np
import pytest
import staff_files
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

F64 = torch.float64

vit = staff_files.reference("vit")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def same(got, want, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


# --- patches and tokens ------------------------------------------------------------------------


@pytest.mark.parametrize(("C", "H", "W", "P"), [(3, 6, 8, 2), (1, 9, 3, 3), (2, 4, 4, 4), (4, 3, 5, 1)])
def test_patches_are_torchs_unfold_and_fold(rng, C, H, W, P):
    """F.unfold with stride P lists the same numbers; F.fold puts them together again."""
    images = normal(rng, 2, C, H, W)
    patches = vit.patchify(images, P)
    same(patches, F.unfold(images, P, stride=P).transpose(1, 2))
    same(vit.unpatchify(patches, P, H, W), F.fold(patches.transpose(1, 2), (H, W), P, stride=P))
    same(vit.unpatchify(patches, P, H, W), images)


def test_the_embedding_is_a_strided_convolution(rng):
    """F.conv2d with the same kernel and stride P gives the same tokens."""
    images, kernel, bias = normal(rng, 2, 3, 8, 12), normal(rng, 5, 3, 4, 4), normal(rng, 5)
    want = F.conv2d(images, kernel, bias, stride=4).flatten(2).transpose(1, 2)
    same(vit.patch_embed(vit.patchify(images, 4), kernel, bias), want)


@pytest.mark.parametrize("new", [(5, 9), (3, 4), (2, 3), (1, 1), (12, 2), (3, 11)])
def test_resizing_is_torchs_bilinear_interpolation(rng, new):
    """F.interpolate with align_corners=False and no antialias resizes the grid in the same way."""
    positions = normal(rng, 1 + 3 * 4, 6)
    grid = positions[1:].reshape(1, 3, 4, 6).permute(0, 3, 1, 2)
    want = F.interpolate(grid, size=new, mode="bilinear", align_corners=False, antialias=False)
    got = vit.resize_positions(positions, (3, 4), new)
    same(got[1:], want[0].permute(1, 2, 0).flatten(0, 1))
    same(got[0], positions[0])


def test_positions_one_by_one():
    """Each number of each position by the formula of one dimension, in plain Python."""
    got = vit.positions_2d(3, 5, 8)
    for row in range(3):
        for column in range(5):
            want = []
            for p in (row, column):
                for i in range(2):
                    angle = p / 10_000 ** (2 * i / 4)
                    want += [math.sin(angle), math.cos(angle)]
            same(got[5 * row + column], want)


# --- the encoder -------------------------------------------------------------------------------


@pytest.mark.parametrize(("N", "d", "h"), [(5, 8, 2), (17, 12, 3), (50, 16, 4)])
def test_torch_counts_as_many_multiplications(N, d, h):
    """torch's counter, around one given block, counts two operations for each multiplication."""
    block = vit.ToyBlock(d, h, 0)
    with FlopCounterMode(display=False) as counter:
        block(torch.zeros(1, N, d, dtype=F64))
    assert counter.get_total_flops() == 2 * sum(vit.block_multiplications(N, d))


@pytest.mark.parametrize("size", [(8, 12, 4, 3, 16, 2, 5), (32, 32, 8, 1, 24, 3, 10)])
def test_torchs_modules_have_as_many_parameters(size):
    """The same network made of torch's layers."""
    H, W, P, C, d, L, K = size
    layer = torch.nn.TransformerEncoderLayer(d, 2, 4 * d)
    n = 1 + (H // P) * (W // P)
    modules = [torch.nn.Conv2d(C, d, P), torch.nn.LayerNorm(d), torch.nn.Linear(d, K), *[layer] * L]
    want = sum(p.numel() for m in modules for p in m.parameters()) + d + n * d
    got = vit.vit_parameters(height=H, width=W, patch=P, channels=C, d=d, n_blocks=L, n_classes=K)
    assert got == want


def test_a_whole_network_ignores_the_order_of_the_patches(rng):
    """Without positions any order of the patches gives the same logits; with positions that move along, too; otherwise not."""
    blocks = [vit.ToyBlock(8, 2, seed) for seed in (0, 1)]
    patches, cls, positions, head = normal(rng, 2, 6, 8), normal(rng, 8), normal(rng, 7, 8), normal(rng, 8, 3)
    order = torch.from_numpy(rng.permutation(6))

    def logits(patches, positions, pool):
        tokens = vit.with_cls(patches, cls, positions)
        return vit.vit_forward(tokens, blocks, vit.norm, lambda x: x @ head, pool=pool)

    moved = torch.cat([positions[:1], positions[1:][order]])
    for pool in ("cls", "mean"):
        same(logits(patches[:, order], 0 * positions, pool), logits(patches, 0 * positions, pool))
        same(logits(patches[:, order], moved, pool), logits(patches, positions, pool))
    if not torch.equal(order, torch.arange(6)):
        assert (logits(patches[:, order], positions, "cls") - logits(patches, positions, "cls")).abs().max() > 1e-3


# --- augmentation and mixing -------------------------------------------------------------------


def around(mask):
    """The smallest box around the pixels of class 1, one number at a time."""
    rows = [y for y in range(mask.shape[0]) if (mask[y] == 1).any()]
    columns = [x for x in range(mask.shape[1]) if (mask[:, x] == 1).any()]
    return [min(columns), min(rows), max(columns) + 1, max(rows) + 1] if rows else None


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_boxes_stay_around_their_objects(data):
    """An object is a filled rectangle. Whatever window is taken, before or after a flip: the box lies around what is left of it."""
    H, W = data.draw(st.integers(2, 8)), data.draw(st.integers(2, 9))
    x1, y1 = data.draw(st.integers(0, W - 1)), data.draw(st.integers(0, H - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, W)), data.draw(st.integers(y1 + 1, H))
    mask = torch.zeros(H, W, dtype=torch.long)
    mask[y1:y2, x1:x2] = 1
    image, boxes = mask[None].double() + 1, torch.tensor([[x1, y1, x2, y2]], dtype=F64)
    top, left = data.draw(st.integers(-3, H - 1)), data.draw(st.integers(-3, W - 1))
    h, w = data.draw(st.integers(max(1, 1 - top), 9)), data.draw(st.integers(max(1, 1 - left), 10))
    window = {"top": top, "height": h, "width": w, "ignore": 7}

    cut_image, cut_boxes, cut_mask, kept = vit.crop(image, boxes, mask, left=left, **window)
    assert torch.equal(cut_image[0] == 0, cut_mask == 7)
    box = around(cut_mask)
    assert kept.tolist() == [box is not None]
    assert cut_boxes.tolist() == ([] if box is None else [box])

    there = vit.mirrored_left(left, width=w, image_width=W)
    first = vit.flip(*vit.crop(image, boxes, mask, left=left, **window)[:3])
    second = vit.crop(*vit.flip(image, boxes, mask), left=there, **window)[:3]
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


@settings(max_examples=100, deadline=None)
@given(H=st.integers(2, 9), W=st.integers(2, 9), lam=st.floats(0, 1), data=st.data())
def test_labels_count_the_pixels(H, W, lam, data):
    """The partner's share of the label is the share of pixels that are the partner's."""
    center = data.draw(st.integers(0, H - 1)), data.draw(st.integers(0, W - 1))
    images = torch.stack([torch.zeros(1, H, W), torch.ones(1, H, W)]).double()
    mixed, labels = vit.cutmix(images, torch.eye(2, dtype=F64), torch.tensor([1, 0]), lam, center)
    same(labels[0, 1], mixed[0].mean())
    same(labels[1, 0], 1 - mixed[1].mean())
    same(labels.sum(1), [1, 1])


def test_mean_share_by_quadrature():
    """The product of two integrals over the center, by a fine midpoint rule; and the mean over λ is 1/2 - 1/5 + 1/48."""
    centers = (torch.arange(20_000, dtype=F64) + 0.5) / 20_000
    for r in (0.0, 0.1, 0.5, 0.9, 1.0):
        length = ((centers + r / 2).clamp(0, 1) - (centers - r / 2).clamp(0, 1)).mean()
        same(vit.mean_share(torch.tensor(r, dtype=F64)), length**2, rtol=1e-7, atol=1e-9)
    lam = (torch.arange(100_000, dtype=F64) + 0.5) / 100_000
    assert vit.mean_share((1 - lam).sqrt()).mean().item() == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=1e-9)


def test_soft_labels_are_torchs(rng):
    """torch's cross-entropy with probabilities as targets, and its label smoothing; mixing labels mixes losses."""
    logits, classes = 3 * normal(rng, 6, 4), torch.from_numpy(rng.integers(0, 4, 6))
    soft = normal(rng, 6, 4).softmax(-1)
    same(vit.soft_cross_entropy(logits, soft), F.cross_entropy(logits, soft))
    smoothed = vit.smooth_labels(classes, 4, 0.2)
    same(vit.soft_cross_entropy(logits, smoothed), F.cross_entropy(logits, classes, label_smoothing=0.2))

    order = torch.from_numpy(rng.permutation(6))
    _, mixed = vit.mixup(normal(rng, 6, 1, 2, 2), soft, order, 0.3)
    parts = [vit.soft_cross_entropy(logits, x) for x in (soft, soft[order])]
    same(vit.soft_cross_entropy(logits, mixed), 0.3 * parts[0] + 0.7 * parts[1])


# --- transfer and rollout ----------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.05, 1.0])
def test_newton_ends_where_scikit_learn_does(rng, l2):
    """scikit-learn's loss is C times the sum over the images plus half the squared length."""
    features, labels = normal(rng, 40, 3), torch.from_numpy((rng.random(40) < 0.5).astype(float))
    w = torch.zeros(3, dtype=F64)
    for _ in range(20):
        w = vit.probe_step(w, features, labels, l2=l2)
    model = LogisticRegression(C=1 / (40 * l2), fit_intercept=False, tol=1e-10, max_iter=1000)
    model.fit(features.numpy(), labels.numpy())
    same(w, model.coef_[0], rtol=1e-5, atol=1e-6)


def test_a_newton_step_by_autograd(rng):
    """The gradient and the Hessian from torch.autograd."""
    w, features, labels = normal(rng, 4), normal(rng, 9, 4), torch.from_numpy((rng.random(9) < 0.5).astype(float))

    def loss(w):
        return F.binary_cross_entropy_with_logits(features @ w, labels) + 0.15 * (w * w).sum()

    slope, curvature = torch.autograd.functional.jacobian(loss, w), torch.autograd.functional.hessian(loss, w)
    same(vit.probe_step(w, features, labels, l2=0.3), w - torch.linalg.solve(curvature, slope))


def test_rates_layer_by_layer():
    """Walking down from the head, each layer has the rate of the layer above times the decay."""
    layers = [
        ["cls", "embed.kernel"],
        *[[f"blocks.{l}.up", f"blocks.{l}.norm.gain"] for l in range(12)],
        ["norm.gain", "head.bias"],
    ]
    got = vit.layer_rates(
        [name for layer in layers for name in layer], n_blocks=12, lr=0.1, decay=0.7, frozen=["*.gain"]
    )
    rate = 0.1
    for layer in reversed(layers):
        for name in layer:
            assert got[name] == pytest.approx(0.0 if name.endswith(".gain") else rate)
        rate *= 0.7


def test_rollout_is_what_a_linear_network_does(rng):
    """Tokens go through x -> (x + A x) / 2 block by block. The shares applied to the first tokens give the last ones."""
    attention = torch.from_numpy(rng.random((4, 2, 3, 5, 5)))
    attention = attention / attention.sum(-1, keepdim=True)
    tokens = first = normal(rng, 2, 5, 7)
    for block in attention:
        tokens = (tokens + sum(block[:, h] @ tokens for h in range(3)) / 3) / 2
    shares = vit.rollout(attention)
    same(shares @ first, tokens)
    same(shares.sum(-1), torch.ones(2, 5))
    maps = vit.cls_map(shares, 2, 2)
    for n in range(2):
        part = shares[n, 0, 1:] / (1 - shares[n, 0, 0])
        same(maps[n].flatten(), part)


# --- boxes and masks ---------------------------------------------------------------------------


def pixels(box, size=12):
    grid = torch.zeros(size, size, dtype=torch.bool)
    grid[box[1] : box[3], box[0] : box[2]] = True
    return grid


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_boxes_by_counting_pixels(data):
    """Whole-numbered boxes as sets of pixels: IoU, GIoU and Dice are counts."""

    def a_box():
        x1, y1 = data.draw(st.integers(0, 10)), data.draw(st.integers(0, 10))
        return [x1, y1, data.draw(st.integers(x1 + 1, 12)), data.draw(st.integers(y1 + 1, 12))]

    a, b = a_box(), a_box()
    both, either = int((pixels(a) & pixels(b)).sum()), int((pixels(a) | pixels(b)).sum())
    hull = int(pixels([*map(min, a[:2], b[:2]), *map(max, a[2:], b[2:])]).sum())
    boxes = [torch.tensor([box], dtype=F64) for box in (a, b)]
    iou, giou = vit.iou(*boxes)[0, 0], vit.giou(*boxes)[0]
    same(iou, both / either)
    same(giou, both / either - (hull - either) / hull)
    assert -1 < giou <= iou
    truth, guess = pixels(a).flatten().numpy(), pixels(b).flatten().numpy()
    same(vit.dice_from_iou(iou), f1_score(truth, guess), atol=1e-9)
    soft = vit.soft_dice_loss(pixels(b)[None].double(), pixels(a)[None])
    same(1 - soft, f1_score(truth, guess), atol=1e-9)


def test_slopes_of_giou_by_finite_differences(rng):
    """Boxes that overlap and boxes that lie apart."""
    a = torch.from_numpy(rng.random((5, 4))) + torch.tensor([0, 0, 1.5, 1.5], dtype=F64)
    b = torch.from_numpy(rng.random((5, 4))) + torch.tensor([0, 0, 1.5, 1.5], dtype=F64)
    b[3:] += 4
    assert torch.autograd.gradcheck(vit.giou, (a.requires_grad_(), b.requires_grad_()))


def suppress(overlaps, scores, classes, threshold):
    """By definition: a box is kept if no better box of its class that is kept overlaps with it too much."""
    better = sorted(range(len(scores)), key=lambda i: (-scores[i], i))

    def kept(at):
        i = better[at]
        rivals = [j for j in range(at) if classes[better[j]] == classes[i] and overlaps[i][better[j]] > threshold]
        return not any(kept(j) for j in rivals)

    return [better[at] for at in range(len(better)) if kept(at)]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.9])
def test_suppression_by_definition(rng, threshold):
    """Twelve boxes of two classes, with ties in the scores, by a recursion."""
    low = 4 * rng.random((12, 2))
    boxes = torch.from_numpy(np.concatenate([low, low + 1 + 2 * rng.random((12, 2))], axis=1))
    overlaps, scores = vit.iou(boxes, boxes), torch.from_numpy(rng.integers(0, 5, 12) / 4.0)
    classes = torch.from_numpy(rng.integers(0, 2, 12))
    want = suppress(overlaps.tolist(), scores.tolist(), classes.tolist(), threshold)
    assert vit.nms(overlaps, scores, classes, threshold) == want


def test_localization_is_torchs_smooth_l1(rng):
    """torch's loss with β = 1, summed over a box and averaged over the images with an object."""
    predicted, target = 2 * normal(rng, 6, 4), normal(rng, 6, 4)
    there = torch.tensor([True, False, True, True, False, True])
    want = F.smooth_l1_loss(predicted[there], target[there], reduction="sum") / 4
    same(vit.localization_loss(predicted, target, there), want)


def test_masks_are_scikit_learns(rng):
    """The confusion matrix, and the Jaccard score averaged over the classes that occur."""
    target, predicted = (torch.from_numpy(rng.integers(0, 4, (9, 7))) for _ in range(2))
    target[target == 2] = 0
    predicted[predicted == 2] = 1  # class 2 is nowhere
    target[0, :3] = 255
    counts = (target != 255).numpy()
    truth, guess = target.numpy()[counts], predicted.numpy()[counts]
    matrix = vit.confusion(predicted, target, 5, ignore=255)
    assert np.array_equal(matrix.numpy(), confusion_matrix(truth, guess, labels=range(5)))
    want = jaccard_score(truth, guess, labels=[0, 1, 3], average="macro")
    same(vit.mean_iou(matrix[None]), want)
    halves = [vit.confusion(predicted[rows], target[rows], 5, ignore=255) for rows in (slice(0, 4), slice(4, 9))]
    same(vit.mean_iou(torch.stack(halves)), want)
