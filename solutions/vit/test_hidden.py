"""Graded checks of the vision transformer assignment.

Everything is exact. Inputs are float64 unless a check is about another dtype. Images and grids are never square.
"""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close

F64 = torch.float64


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def permutation(generator, n):
    """An order of 0 ... n - 1 that leaves nothing in its place and is not its own inverse."""
    order = torch.randperm(n, generator=generator)
    back = torch.empty_like(order)
    back[order] = order.roll(1)  # one cycle
    return back


# --- Task 1: from pixels to tokens -------------------------------------------------------------


@number("1.1")
@weight(2)
@tags("patches")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
def test_patches(agree, torch_rng, dtype):
    """Images with several channels, of other heights than widths: which number stands where."""
    for N, C, H, W, P in ((2, 3, 4, 6, 2), (1, 2, 6, 3, 3), (3, 1, 2, 4, 1)):
        agree("patchify", normal(torch_rng, N, C, H, W, dtype=dtype), P)


@number("1.2")
@weight(2)
@tags("patches")
def test_pixels_from_patches(agree, reference, torch_rng):
    """The patches of several images, put together again, also with a grid that isn't square."""
    for N, C, H, W, P in ((2, 3, 4, 6, 2), (1, 2, 9, 3, 3), (3, 1, 2, 4, 1)):
        agree("unpatchify", reference.patchify(normal(torch_rng, N, C, H, W), P), P, H, W)


@number("1.3")
@weight(2)
@tags("patches")
def test_the_embedding_is_a_convolution(agree, torch_rng):
    """One channel and several, more outputs than numbers in a patch and fewer: what a convolution with stride P gives."""
    for d, C, P in ((5, 3, 2), (14, 3, 2), (2, 1, 3)):
        agree("patch_embed", normal(torch_rng, 2, 6, C * P * P), normal(torch_rng, d, C, P, P), normal(torch_rng, d))


# --- Task 2: where is a patch? -----------------------------------------------------------------


@number("2.1")
@weight(3)
@tags("tokens")
@pytest.mark.parametrize(("rows", "columns", "d"), [(2, 5, 4), (4, 3, 12), (1, 3, 8)])
def test_positions_of_grids(agree, rows, columns, d):
    """Grids that aren't square: the first half of the numbers says the row, the second half the column."""
    agree("positions_2d", rows, columns, d)


@number("2.2")
@weight(2)
@tags("tokens")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
def test_tokens(agree, torch_rng, dtype):
    """CLS stands in front of the patches of each image, and each token gets its own position."""
    patches, cls, positions = (normal(torch_rng, *shape, dtype=dtype) for shape in ((3, 4, 6), (6,), (5, 6)))

    tokens = agree("with_cls", patches, cls, positions)

    assert_close(tokens[0, 0], tokens[2, 0], name="CLS of two images")


@number("2.3")
@weight(1)
@tags("tokens")
def test_positions_for_more_patches(agree, torch_rng):
    """A finer grid, by another factor along the rows than along the columns."""
    agree("resize_positions", normal(torch_rng, 1 + 2 * 3, 4), (2, 3), (5, 4))


@number("2.4")
@weight(1)
@tags("tokens")
def test_positions_for_fewer_patches(agree, torch_rng):
    """A coarser grid is interpolated in the same way; one side may grow while the other shrinks."""
    agree("resize_positions", normal(torch_rng, 1 + 6 * 4, 3), (6, 4), (4, 2))
    agree("resize_positions", normal(torch_rng, 1 + 5 * 2, 3), (5, 2), (3, 7))


@number("2.5")
@weight(1)
@tags("tokens")
def test_the_same_grid_stays_and_so_does_cls(impl, torch_rng):
    """On a grid of the same size, all positions stay. On another one, CLS stays. Nothing is changed in place."""
    positions = normal(torch_rng, 1 + 3 * 4, 5)

    same = assert_leaves_arguments(impl.resize_positions, positions, (3, 4), (3, 4), name="resize_positions")
    other = impl.resize_positions(positions, (3, 4), (6, 2))

    assert_close(same, positions, name="the same grid")
    assert other.shape == (13, 5), f"1 + 12 positions, got {other.shape[0]}"
    assert_close(other[0], positions[0], name="CLS")
    assert not torch.equal(other[1:], positions[1:]), "a grid of 6 x 2 isn't one of 3 x 4"


@number("2.6")
@weight(1)
@tags("tokens")
def test_straight_lines_stay_straight(impl, torch_rng):
    """Positions that grow evenly from row to row, as a patch's height in the image does, still do so away from the edges."""
    slope = normal(torch_rng, 3)
    place = (torch.arange(4, dtype=F64) + 0.5) / 4  # of the centers, in heights of the image
    column = torch.cat([torch.zeros(1, dtype=F64), place])[:, None] * slope

    resized = impl.resize_positions(column, (4, 1), (8, 1))

    inside = (torch.arange(8, dtype=F64) + 0.5)[1:-1, None] / 8
    assert_close(resized[2:-1], inside * slope, name="positions inside")


# --- Task 3: the encoder and its price ---------------------------------------------------------


def some_blocks(generator, d):
    """Two blocks in which tokens exchange something, a norm, and a head. They don't commute."""
    W, V, H = (normal(generator, d, d) for _ in range(3))
    blocks = [lambda x: x + torch.tanh(x @ W) + x.mean(1, keepdim=True), lambda x: x * x.mean(1, keepdim=True) @ V]
    return blocks, lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]), lambda x: x @ H


@number("3.1")
@weight(3)
@tags("encoder")
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_logits(agree, torch_rng, pool):
    """All blocks in their order, then the norm, then CLS or the mean of the patches, then the head."""
    tokens = normal(torch_rng, 2, 4, 3)
    blocks, norm, head = some_blocks(torch_rng, 3)

    agree("vit_forward", tokens, blocks, norm, head, pool=pool)


@number("3.2")
@weight(3)
@tags("encoder")
@pytest.mark.parametrize("part", [0, 1], ids=["linear", "pairs"])
def test_multiplications(agree, part):
    """Narrow and wide blocks, few tokens and many: exact integers."""
    agree(lambda impl: [impl.block_multiplications(N, d)[part] for N, d in ((5, 8), (197, 64), (785, 768), (10_000, 4))])


@number("3.3")
@weight(3)
@tags("encoder")
def test_parameters(agree):
    """Images that aren't square, other channels, widths, depths and classes."""
    sizes = (32, 48, 8, 3, 64, 4, 10), (20, 10, 5, 1, 12, 1, 2), (384, 384, 16, 3, 1024, 24, 1000)
    names = ("height", "width", "patch", "channels", "d", "n_blocks", "n_classes")

    agree(lambda impl: [impl.vit_parameters(**dict(zip(names, size, strict=True))) for size in sizes])


# --- Task 4: boxes and masks follow the image --------------------------------------------------


def scene(generator, H=5, W=8):
    """An image of two channels, three boxes inside it and a mask."""
    image = normal(generator, 2, H, W)
    corners = torch.rand(3, 4, generator=generator, dtype=F64)
    low, high = 0.45 * corners[:, :2], 0.55 + 0.45 * corners[:, 2:]
    boxes = torch.cat([low, high], dim=1) * torch.tensor([W, H, W, H], dtype=F64)
    return image, boxes, torch.randint(0, 4, (H, W), generator=generator)


@number("4.1")
@weight(4)
@tags("augment")
@pytest.mark.parametrize("part", ["image", "boxes", "mask", "window"])
def test_mirror_images(agree, rng, torch_rng, part):
    """Each channel, each box and each pixel's class is mirrored, and so is a window, with padding too. Rows stay where they are."""
    if part == "window":
        cases = [(int(rng.integers(-3, 9)), int(rng.integers(1, 12)), int(rng.integers(5, 30))) for _ in range(6)]
        agree(lambda impl: [impl.mirrored_left(left, width=w, image_width=W) for left, w, W in [*cases, (0, 4, 9), (5, 4, 9)]])
        return
    given, at = scene(torch_rng), ("image", "boxes", "mask").index(part)
    agree(lambda impl: assert_leaves_arguments(impl.flip, *given, name="flip")[at])


def windows():
    """Inside, beyond the top left, beyond the bottom right, and larger than the image of 5 x 8 pixels."""
    return (
        {"top": 1, "left": 2, "height": 3, "width": 4},
        {"top": -2, "left": -1, "height": 4, "width": 6},
        {"top": 3, "left": 4, "height": 4, "width": 7},
        {"top": -1, "left": -3, "height": 9, "width": 12},
    )


@number("4.2")
@weight(2)
@tags("augment")
@pytest.mark.parametrize("part", [0, 2], ids=["image", "mask"])
def test_windows(agree, torch_rng, part):
    """Inside the image and beyond each of its edges. The padding is 0 in the image, and `ignore` in the mask."""
    given = scene(torch_rng)

    agree(lambda impl: [impl.crop(*given, **window, ignore=255)[part] for window in windows()])


@number("4.3")
@weight(2)
@tags("augment")
def test_boxes_in_the_window(agree, torch_rng):
    """Boxes in the coordinates of the window, with nothing outside it. Boxes beside the window are dropped, and so are boxes that only
    touch it."""
    image, boxes, mask = scene(torch_rng)
    agree(lambda impl: [impl.crop(image, boxes, mask, **window, ignore=-1)[1::2] for window in windows()])

    boxes = torch.tensor([[0, 0, 2, 5], [1, 1, 3, 3], [6, 0, 8, 1], [6, 2, 8, 4], [3, 2, 4, 3], [2, 4, 6, 5]], dtype=F64)
    agree(lambda impl: impl.crop(image, boxes, mask, top=1, left=2, height=3, width=4, ignore=-1)[1::2])


# --- Task 5: mixed images and their labels -----------------------------------------------------


def batch(generator, N=4, C=2, H=6, W=10, K=3):
    """Images, labels that are probabilities, and an order."""
    labels = normal(generator, N, K).softmax(-1)
    return normal(generator, N, C, H, W), labels, permutation(generator, N)


PASTED = [(0.5, (3, 5)), (0.3, (0, 9)), (0.1, (5, 1)), (0.8, (4, 0)), (1.0, (2, 2)), (0.0, (3, 5))]


@number("5.1")
@weight(4)
@tags("mix")
@pytest.mark.parametrize("case", ["pasted_images", "pasted_labels", "mixup"])
def test_labels_follow_the_pixels(agree, torch_rng, case):
    """Boxes in the middle and at the edges, of no pixels and of all; and images laid over each other. Nothing is changed in place."""
    given = batch(torch_rng)
    if case == "mixup":
        agree(lambda impl: [assert_leaves_arguments(impl.mixup, *given, lam, name="mixup") for lam in (0.2, 0.9, 1.0)])
        return
    at = ("pasted_images", "pasted_labels").index(case)
    agree(lambda impl: [assert_leaves_arguments(impl.cutmix, *given, *where, name="cutmix")[at] for where in PASTED])


@number("5.2")
@weight(3)
@tags("mix")
def test_expected_shares(agree):
    """From no box to a box as large as the image."""
    agree("mean_share", torch.linspace(0, 1, 11, dtype=F64).reshape(11, 1))


@number("5.3")
@weight(2)
@tags("mix")
@pytest.mark.parametrize("case", ["ordinary", "huge", "smoothed"])
def test_soft_labels(agree, torch_rng, case):
    """The loss of labels of any kind, with logits of 10,000 too; and labels of six images, smoothed a little, fully or not at all."""
    if case == "smoothed":
        classes = torch.randint(0, 5, (6,), generator=torch_rng)
        agree(lambda impl: [impl.smooth_labels(classes, 5, eps) for eps in (0.3, 1.0, 0.0)])
        return
    scale = {"ordinary": 1.0, "huge": 1e4}[case]
    agree("soft_cross_entropy", scale * normal(torch_rng, 5, 3), normal(torch_rng, 5, 3).softmax(-1))


@number("5.4")
@weight(1)
@tags("mix")
def test_gradients_of_soft_labels(agree, torch_rng):
    """Autograd through your loss, also for logits far apart, gives what it should."""
    logits = torch.cat([normal(torch_rng, 3, 4), 1e4 * normal(torch_rng, 1, 4)])

    agree.vjp("soft_cross_entropy", logits, normal(torch_rng, 4, 4).softmax(-1), wrt=(0,), cotangent=torch.tensor(1.5, dtype=F64))


# --- Task 6: a new task for an old network -----------------------------------------------------

NAMES = ["embed.kernel", "embed.bias", "cls", "positions", "blocks.0.qkv", "blocks.0.norm.gain", "blocks.2.up", "norm.bias", "head.bias"]


@number("6.1")
@weight(3)
@tags("transfer")
@pytest.mark.parametrize("frozen", [("blocks.*", "cls"), ("*.bias",), ("blocks.1.*", "embed.*", "head.bias"), ()])
def test_rates(agree, frozen):
    """From the embedding to the head, for networks of three and of twelve blocks. A parameter is frozen if its name fits a pattern."""
    deep = [f"blocks.{block}.up" for block in (0, 1, 10, 11)] + ["cls", "head.weight"]

    agree("layer_rates", NAMES, n_blocks=3, lr=0.3, decay=0.6, frozen=frozen)
    agree("layer_rates", deep, n_blocks=12, lr=1.0, decay=0.75, frozen=frozen)


def probe(generator):
    """Weights, features and labels of a linear probe."""
    w, features = normal(generator, 4), normal(generator, 7, 4)
    return w, features, (normal(generator, 7) > 0).to(F64)


@number("6.2")
@weight(1)
@tags("transfer")
@pytest.mark.parametrize("l2", [0.01, 2.0], ids=["small", "large"])
def test_newton_steps(agree, torch_rng, l2):
    """One step from weights that aren't 0, with a small penalty and a large one."""
    agree("probe_step", *probe(torch_rng), l2=l2)


@number("6.3")
@weight(2)
@tags("transfer")
def test_copies_of_the_images_change_nothing(agree, impl, torch_rng):
    """Every image twice has the same mean loss, so your step is the same. Nothing is changed in place."""
    w, features, labels = probe(torch_rng)

    once = agree(lambda impl: assert_leaves_arguments(impl.probe_step, w, features, labels, l2=0.5, name="probe_step"))
    twice = impl.probe_step(w, features.repeat(2, 1), labels.repeat(2), l2=0.5)

    assert_close(twice, once, name="weights with each image twice")


# --- Task 7: where does CLS look? --------------------------------------------------------------


def attention_of(generator, L, N, h, T):
    """Attention weights whose rows add up to 1."""
    return (2 * normal(generator, L, N, h, T, T)).softmax(-1)


@number("7.1")
@weight(1)
@tags("rollout")
def test_rollout_of_one_block(agree, torch_rng):
    """The mean over the heads, and what a token keeps of itself."""
    agree("rollout", attention_of(torch_rng, 1, 2, 3, 4))


@number("7.2")
@weight(2)
@tags("rollout")
def test_rollout_of_several_blocks(agree, torch_rng):
    """Attention is followed from the last block down to the first, for each image on its own."""
    agree("rollout", attention_of(torch_rng, 3, 2, 2, 4))


@number("7.3")
@weight(3)
@tags("rollout")
@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (4, 1)])
def test_maps(agree, reference, torch_rng, rows, columns):
    """Several images, each with a map that adds up to 1."""
    shares = reference.rollout(attention_of(torch_rng, 2, 3, 2, 1 + rows * columns))

    maps = agree("cls_map", shares, rows, columns)

    assert_close(maps.sum((1, 2)), torch.ones(3, dtype=F64), name="sums of the maps")


# --- Task 8: boxes -----------------------------------------------------------------------------


def some_boxes(generator, n, size=10.0):
    """Boxes of positive area, many of which overlap."""
    low = size * torch.rand(n, 2, generator=generator, dtype=F64)
    return torch.cat([low, low + 1 + size / 2 * torch.rand(n, 2, generator=generator, dtype=F64)], dim=1)


def apart():
    """Pairs that lie apart: diagonally, side by side, above each other, touching at an edge and at a corner."""
    a = torch.tensor([[0, 0, 2, 3]] * 5, dtype=F64)
    return a, torch.tensor([[5, 5, 9, 6], [4, 1, 5, 2], [0, 7, 2, 8], [2, 0, 3, 3], [2, 3, 4, 4]], dtype=F64)


@number("8.1")
@weight(1)
@tags("boxes")
def test_all_pairs(agree, torch_rng):
    """Each box of one set against each of the other, boxes apart and boxes in each other among them."""
    a, b = some_boxes(torch_rng, 4), some_boxes(torch_rng, 6)

    agree("iou", torch.cat([a, apart()[0][:1]]), torch.cat([b, apart()[1], a[:1] + torch.tensor([0.2, 0.1, -0.3, -0.1])]))


@number("8.2")
@weight(1)
@tags("boxes")
def test_iou_has_no_unit(impl, torch_rng):
    """Shifted and enlarged together, your boxes have the same IoU. A box and itself have IoU 1."""
    a, b = some_boxes(torch_rng, 3), some_boxes(torch_rng, 4)
    shift = torch.tensor([3, -7, 3, -7], dtype=F64)

    together = assert_leaves_arguments(impl.iou, a, torch.cat([b, a]), name="iou")

    assert_close(impl.iou(2.5 * a + shift, 2.5 * torch.cat([b, a]) + shift), together, name="IoU of the changed boxes")
    assert_close(together[:, 4:].diagonal(), torch.ones(3, dtype=F64), name="IoU of a box and itself")


@number("8.3")
@weight(1)
@tags("boxes")
def test_gious(agree, torch_rng):
    """Boxes that overlap and boxes that don't, diagonally apart among them."""
    a, b = apart()

    agree("giou", torch.cat([some_boxes(torch_rng, 5), a]), torch.cat([some_boxes(torch_rng, 5), b]))


@number("8.4")
@weight(1)
@tags("boxes")
def test_slopes_of_giou(agree, torch_rng):
    """Autograd through your GIoU moves boxes that lie apart, and boxes that overlap."""
    a = torch.cat([some_boxes(torch_rng, 4), apart()[0][:3]])
    b = torch.cat([some_boxes(torch_rng, 4), apart()[1][:3] + 0.1])

    agree.vjp("giou", a, b, wrt=(0, 1), cotangent=normal(torch_rng, 7))


@number("8.5")
@weight(2)
@tags("boxes")
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_suppression(agree, reference, torch_rng, threshold):
    """Chains, boxes of another class at the same place, equal scores, and overlaps that equal the threshold."""
    boxes = some_boxes(torch_rng, 20, size=6.0)
    boxes = torch.cat([boxes, boxes[:5] + 0.1])
    classes = torch.cat([torch.arange(20) % 2, 1 - torch.arange(5) % 2])
    scores = torch.rand(25, generator=torch_rng, dtype=F64)
    scores[7] = scores[3]

    agree("nms", reference.iou(boxes, boxes), scores, classes, threshold)

    overlaps = torch.full((5, 5), 0.25, dtype=F64).fill_diagonal_(1.0)
    overlaps[3, 1] = overlaps[1, 3] = overlaps[2, 4] = overlaps[4, 2] = 0.75
    scores, same = torch.tensor([0.5, 0.75, 0.5, 0.75, 0.5], dtype=F64), torch.zeros(5, dtype=torch.long)
    agree(lambda impl: [impl.nms(overlaps, scores, same, limit) for limit in (0.75, 0.25, 0.5)])


@number("8.6")
@weight(2)
@tags("boxes")
@pytest.mark.parametrize("there", [[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], ids=["some", "all", "none"])
def test_localization(agree, torch_rng, there):
    """Small and large differences, and gradients. Images without an object don't count, even if their target is NaN."""
    predicted, target, there = 2 * normal(torch_rng, 5, 4), normal(torch_rng, 5, 4), torch.tensor(there, dtype=torch.bool)
    target[~there] = math.nan
    some = torch.ones(5, dtype=torch.bool)

    agree("localization_loss", predicted, target.nan_to_num(), some)
    agree("localization_loss", predicted, target, there)
    agree.vjp("localization_loss", predicted, target, there, wrt=(0,), cotangent=torch.tensor(1.5, dtype=F64))


# --- Task 9: masks -----------------------------------------------------------------------------


@number("9.1")
@weight(2)
@tags("segmentation")
@pytest.mark.parametrize("ignore", [255, -1])
def test_confusions(agree, torch_rng, ignore):
    """Classes that are confused in one direction only, classes that are nowhere, and pixels that don't count."""
    target = torch.randint(0, 3, (6, 7), generator=torch_rng)
    predicted = (target + torch.randint(0, 2, (6, 7), generator=torch_rng)) % 4
    target[0, 2:5] = ignore

    agree("confusion", predicted, target, 5, ignore=ignore)


@number("9.2")
@weight(2)
@tags("segmentation")
@pytest.mark.parametrize("case", ["all", "absent"])
def test_mean_ious(agree, torch_rng, case):
    """Images of unequal sizes are counted together. A class that is nowhere doesn't count, and one that is only predicted does."""
    matrices = torch.randint(1, 9, (3, 4, 4), generator=torch_rng)
    matrices[1] *= 20
    if case == "absent":
        matrices[:, 2] = 0  # class 2 is never the target
        matrices[:, :, 2] = 0
        matrices[:, 1] = 0  # class 1 is predicted, and nowhere in the target

    agree("mean_iou", matrices)


@number("9.3")
@weight(2)
@tags("segmentation")
def test_dice_scores(agree, torch_rng):
    """Any IoU, in any shape."""
    agree("dice_from_iou", torch.rand(3, 4, generator=torch_rng, dtype=F64))


@number("9.4")
@weight(1)
@tags("segmentation")
def test_soft_dice(agree, torch_rng):
    """The mean over images, one of which is empty; the loss and its gradient."""
    probabilities = torch.rand(4, 3, 5, generator=torch_rng, dtype=F64)
    target = torch.rand(4, 3, 5, generator=torch_rng) < torch.tensor([0.1, 0.5, 0.8, 0.0])[:, None, None]

    agree("soft_dice_loss", probabilities, target)
    agree("soft_dice_loss", probabilities * torch.tensor([1.0, 1, 1, 0], dtype=F64)[:, None, None], target)
    agree.vjp("soft_dice_loss", probabilities, target, wrt=(0,), cotangent=torch.tensor(1.5, dtype=F64))
