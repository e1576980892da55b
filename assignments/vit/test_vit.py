"""The checks you can run yourself: `pytest` in this folder, or `pytest --task boxes` for one task."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close

F64 = torch.float64


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


# --- Task 1 ------------------------------------------------------------------------------------


def two_channels():
    """An image of 2 x 4 pixels: 1 to 8 in the first channel, 11 to 18 in the second. And its two patches."""
    image = torch.arange(1, 9, dtype=F64).reshape(1, 1, 2, 4)
    return torch.cat([image, image + 10], dim=1), numbers([[1, 2, 5, 6, 11, 12, 15, 16], [3, 4, 7, 8, 13, 14, 17, 18]])


@number("1.p1")
@weight(1)
@tags("patches")
def test_patches_by_hand(impl):
    """Two patches side by side. Each has the four numbers of the first channel, then those of the second."""
    images, patches = two_channels()

    assert_close(impl.patchify(images, 2), patches)


@number("1.p2")
@weight(1)
@tags("patches")
def test_back_to_pixels_by_hand(impl):
    """The same two patches make the image of 2 x 4 pixels again."""
    images, patches = two_channels()

    assert_close(impl.unpatchify(patches, 2, 2, 4), images)


@number("1.p3")
@weight(1)
@tags("patches")
def test_a_strided_convolution_by_hand(impl):
    """The patches (1, 2, 5, 6) and (3, 4, 7, 8) with the kernel rows (0, 10) and (1, 0) and bias 3: 28 and 50."""
    patches, kernel = numbers([[1, 2, 5, 6], [3, 4, 7, 8]]), numbers([[[0, 10], [1, 0]]])

    assert_close(impl.patch_embed(patches, kernel, numbers(3)), numbers([[28], [50]]))


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("tokens")
def test_positions_of_a_grid_by_hand(impl):
    """Two rows, three columns, d = 4: sine and cosine of the row, then of the column. The fifth patch is in row 1 and column 1."""
    s, c = math.sin, math.cos
    grid = [(row, column) for row in (0, 1) for column in (0, 1, 2)]

    positions = impl.positions_2d(2, 3, 4)

    assert_close(positions, numbers(*([s(y), c(y), s(x), c(x)] for y, x in grid)))


@number("2.p2")
@weight(1)
@tags("tokens")
def test_cls_comes_first(impl):
    """CLS 7 and the patches 1 and 2, with the positions 10, 20 and 30: 17, 21, 32."""
    tokens = impl.with_cls(numbers([[1], [2]], [[3], [4]]), numbers(7), numbers([10], [20], [30]))

    assert_close(tokens, numbers([[17], [21], [32]], [[17], [23], [34]]))


@number("2.p3")
@weight(1)
@tags("tokens")
def test_resized_positions_by_hand(impl):
    """One column with the values 0 and 1 becomes 4 patches: 0, 1/4, 3/4, 1. CLS, with the value 5, stays."""
    resized = impl.resize_positions(numbers(5, 0, 1)[:, None], (2, 1), (4, 1))

    assert_close(resized, numbers(5, 0, 0.25, 0.75, 1)[:, None])


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("encoder")
def test_forward_by_hand(impl):
    """Tokens 1, 2 and 6 are doubled, then 1 is added, then the norm squares them: 9, 25, 169. The head multiplies by 10."""
    arguments = numbers([[1], [2], [6]]), [lambda x: 2 * x, lambda x: x + 1], lambda x: x**2, lambda x: 10 * x

    assert_close(impl.vit_forward(*arguments, pool="cls"), numbers([90]), name='pool="cls"')
    assert_close(impl.vit_forward(*arguments, pool="mean"), numbers([970]), name='pool="mean"')


@number("3.p2")
@weight(1)
@tags("encoder")
def test_multiplications_by_hand(impl):
    """Three tokens of width 2: 144 and 36. One block of ViT-B/16 takes 1,453,954,560 in all."""
    assert tuple(impl.block_multiplications(3, 2)) == (144, 36)
    assert sum(impl.block_multiplications(197, 768)) == 1_453_954_560


@number("3.p3")
@weight(1)
@tags("encoder")
def test_parameters_of_known_networks(impl):
    """A network of width 1 has 9 numbers without a block and 34 with one. ViT-B/16 with 1,000 classes has 86,567,656."""
    tiny = dict.fromkeys(("height", "width", "patch", "channels", "d", "n_classes"), 1)
    large = {"height": 224, "width": 224, "patch": 16, "channels": 3, "d": 768, "n_blocks": 12, "n_classes": 1000}

    assert impl.vit_parameters(**tiny, n_blocks=0) == 9, "without a block"
    assert impl.vit_parameters(**tiny, n_blocks=1) == 34, "with one block"
    assert impl.vit_parameters(**large) == 86_567_656, "ViT-B/16"


# --- Task 4 ------------------------------------------------------------------------------------


def photo():
    """An image of 3 x 4 pixels, a mask with an object of class 1, and the box of that object, which is one pixel wide."""
    mask = torch.tensor([[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    return torch.arange(12, dtype=F64).reshape(1, 3, 4), numbers([1, 0, 2, 2]), mask


def box_of(mask):
    """The smallest box around the pixels of class 1."""
    y, x = torch.nonzero(mask == 1, as_tuple=True)
    return numbers([int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1])


@number("4.p1")
@weight(1)
@tags("augment")
def test_the_flipped_box_is_the_box_of_the_flipped_mask(impl):
    """The first pixel of each row becomes the last one. The box lies around the same object as before."""
    image, boxes, mask = impl.flip(*photo())

    assert_close(image[0], numbers([3, 2, 1, 0], [7, 6, 5, 4], [11, 10, 9, 8]), name="image")
    assert_close(mask, torch.tensor([[0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]), name="mask")
    assert_close(boxes, box_of(mask), name="boxes")


@number("4.p2")
@weight(1)
@tags("augment")
def test_a_padded_window_by_hand(impl):
    """A window of 2 x 3 pixels that begins one pixel above the image and at its second column. Of the object, one pixel is left."""
    image, boxes, mask, kept = impl.crop(*photo(), top=-1, left=1, height=2, width=3, ignore=9)

    assert_close(image, numbers([[0, 0, 0], [1, 2, 3]]), name="image")
    assert_close(mask, torch.tensor([[9, 9, 9], [1, 0, 0]]), name="mask")
    assert_close(boxes, numbers([0, 1, 1, 2]), name="boxes")
    assert_close(kept, torch.tensor([True]), name="kept")


@number("4.p3")
@weight(2)
@tags("augment")
def test_flip_and_crop_commute(impl):
    """An image of 10 columns, and windows of 4 and of 7: the same pixels, cropped before the flip or after it."""
    columns = list(range(10))

    for width, left in ((4, 1), (4, 6), (7, 0), (10, 0)):
        want = columns[left : left + width][::-1]
        start = impl.mirrored_left(left, width=width, image_width=10)
        assert columns[::-1][start : start + width] == want, f"left = {left}, width = {width}: got {start}"


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("mix")
def test_smoothed_labels_by_hand(impl):
    """Classes 0 and 3 of 4 with eps = 0.2: 0.85 for the true class, 0.05 for each other one."""
    labels = impl.smooth_labels(torch.tensor([0, 3]), 4, 0.2)

    assert_close(labels, numbers([0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.05, 0.85]))


def three_images(side):
    """Images that are all 0, all 10 and all 20, with the labels of three classes, and an order in which each has another partner."""
    images = numbers(0, 10, 20).reshape(3, 1, 1, 1).expand(3, 1, side, side)
    return images, torch.eye(3, dtype=F64), torch.tensor([1, 2, 0])


@number("5.p2")
@weight(1)
@tags("mix")
def test_mixup_by_hand(impl):
    """With lam = 0.7, the image of 0s and its partner of 10s become 3. The label says 0.7 and 0.3."""
    images, labels = impl.mixup(*three_images(1), 0.7)

    assert_close(images.reshape(3), numbers(3, 13, 14), name="images")
    assert_close(labels, numbers([0.7, 0.3, 0], [0, 0.7, 0.3], [0.3, 0, 0.7]), name="labels")


@number("5.p3")
@weight(1)
@tags("mix")
def test_cutmix_at_the_edge_by_hand(impl):
    """Images of 4 x 4 pixels and lam = 3/4: a box of 2 x 2 pixels. Centered at (0, 2), the upper half of it is cut off."""
    images, labels = impl.cutmix(*three_images(4), 0.75, (0, 2))

    want = numbers([0, 10, 10, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0])
    assert_close(images[0, 0], want, name="first image")
    assert_close(labels[0], numbers(14, 2, 0) / 16, name="first label")


@number("5.p4")
@weight(1)
@tags("mix")
def test_expected_share_by_brute_force(impl):
    """The mean share over 1,000 centers in each direction agrees with your formula. For a box as large as the image it is 9/16."""
    assert_close(impl.mean_share(numbers(1)), numbers(9 / 16), name="r = 1")

    r = numbers(0.2, 0.7, 1)
    centers = (torch.arange(1000, dtype=F64) + 0.5) / 1000
    ends = [(centers + sign * r[:, None] / 2).clamp(0, 1) for sign in (-1, 1)]
    want = (ends[1] - ends[0]).mean(1) ** 2  # the two directions are alike, and independent
    # the midpoint rule is off by less than 1e-6 here: the length has two kinks
    assert_close(impl.mean_share(r), want, rtol=1e-5, atol=1e-5, name="r = 0.2, 0.7 and 1, over 1,000 centers")


@number("5.p5")
@weight(1)
@tags("mix")
def test_soft_cross_entropy_by_hand(impl):
    """p = (3/4, 1/4) with the labels (1/2, 1/2) and (1, 0). Logits that are higher by 10,000 change nothing."""
    logits, labels = numbers([math.log(3), 0], [math.log(3), 0]), numbers([0.5, 0.5], [1, 0])
    want = numbers(((math.log(4 / 3) + math.log(4)) / 2 + math.log(4 / 3)) / 2)[0]

    assert_close(impl.soft_cross_entropy(logits, labels), want)
    # float64 keeps twelve digits after the point of 10,000
    assert_close(impl.soft_cross_entropy(logits + 10_000, labels), want, rtol=1e-8, name="logits near 10,000")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("transfer")
def test_rates_by_hand(impl):
    """Two blocks, lr = 8, decay = 1/2. The head and the last norm get 8. Each layer below gets half of it. Frozen parameters get 0."""
    want = {"cls": 1.0, "blocks.0.up": 2.0, "blocks.1.up": 4.0, "blocks.1.qkv": 0.0, "norm.gain": 8.0, "head.weight": 8.0}

    rates = impl.layer_rates(list(want), n_blocks=2, lr=8.0, decay=0.5, frozen=["*.qkv"])

    assert_close(rates, want)


@number("6.p2")
@weight(1)
@tags("transfer")
def test_newton_ends_where_the_slope_is_zero(impl, torch_rng):
    """By hand: one feature 2 with label 1 gives the step 1/2. After ten steps, finite differences of the loss are 0."""
    assert_close(impl.probe_step(numbers(0), numbers([2]), numbers(1), l2=1.0), numbers(0.5))

    features = torch.randn(6, 3, generator=torch_rng, dtype=F64)
    labels = numbers(0, 1, 1, 0, 1, 0)
    w = torch.zeros(3, dtype=F64)
    for _ in range(10):
        w = impl.probe_step(w, features, labels, l2=0.5)

    def loss(w):
        p = 1 / (1 + (-features @ w).exp())
        return -(labels * p.log() + (1 - labels) * (1 - p).log()).mean() + 0.25 * (w * w).sum()

    steps = 1e-4 * torch.eye(3, dtype=F64)
    slopes = torch.stack([(loss(w + step) - loss(w - step)) / 2e-4 for step in steps])
    # differences of step h are off by h^2
    assert_close(slopes, torch.zeros(3, dtype=F64), atol=1e-7, name="slopes of the loss")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("rollout")
def test_rollout_by_hand(impl):
    """CLS looks at patch 2, which looked at patch 1 one block before. A quarter of CLS comes from patch 1, by way of patch 2."""
    stay = numbers([1, 0, 0], [0, 1, 0], [0, 0, 1])
    first, second = stay.clone(), stay.clone()
    first[2], second[0] = numbers(0, 1, 0), numbers(0, 0, 1)

    shares = impl.rollout(torch.stack([first, second])[:, None, None])

    assert_close(shares, numbers([[0.5, 0.25, 0.25], [0, 1, 0], [0, 0.5, 0.5]]))


@number("7.p2")
@weight(2)
@tags("rollout")
def test_map_by_hand(impl):
    """CLS is made of itself by 0.6 and of six patches. The map has two rows of three, and adds up to 1."""
    shares = torch.full((1, 7, 7), 1 / 7, dtype=F64)
    shares[0, 0] = numbers(0.6, 0.05, 0.05, 0.1, 0.2, 0, 0)

    assert_close(impl.cls_map(shares, 2, 3), numbers([[0.125, 0.125, 0.25], [0.5, 0, 0]]))


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("boxes")
def test_iou_by_hand(impl):
    """A box against one that overlaps with a corner, itself, its left half, and one that lies diagonally apart."""
    a, b = numbers([0, 0, 2, 2]), numbers([[1, 1, 3, 3], [0, 0, 2, 2], [0, 0, 1, 2], [5, 5, 9, 9]])[0]

    assert_close(impl.iou(a, b), numbers([1 / 7, 1, 0.5, 0]))


@number("8.p2")
@weight(1)
@tags("boxes")
def test_giou_by_hand(impl):
    """The corner case has 1/7 - 2/9. Boxes with 2 pixels between them have -1/3: the smallest box around both has 2 of 6 empty."""
    a, b = numbers([0, 0, 2, 2], [0, 0, 2, 1]), numbers([1, 1, 3, 3], [4, 0, 6, 1])

    assert_close(impl.giou(a, b), numbers(1 / 7 - 2 / 9, -1 / 3))


@number("8.p3")
@weight(1)
@tags("boxes")
def test_nms_by_hand(impl):
    """A chain: box 0 overlaps box 1, and box 1 overlaps box 2. Box 1 is dropped because of box 0, so it can't drop box 2. Box 3 has another class
    and drops nobody."""
    overlaps = numbers([1, 0.6, 0.3, 0.9], [0.6, 1, 0.6, 0.5], [0.3, 0.6, 1, 0.3], [0.9, 0.5, 0.3, 1])

    kept = impl.nms(overlaps, numbers(0.9, 0.8, 0.7, 0.95), torch.tensor([0, 0, 0, 1]), 0.5)

    assert_close(kept, [3, 0, 2])


@number("8.p4")
@weight(1)
@tags("boxes")
def test_localization_by_hand(impl):
    """Differences 0, 1/2, 2 and -3 cost 33/8. A second image has no object and doesn't count. If no image has one, the loss is 0."""
    predicted, target = numbers([1, 1.5, 5, 0], [7, 7, 7, 7]), numbers([1, 1, 3, 3], [math.nan] * 4)

    assert_close(impl.localization_loss(predicted, target, torch.tensor([True, False])), numbers(33 / 8)[0])
    nowhere = impl.localization_loss(predicted, target, torch.tensor([False, False]))
    assert_close(nowhere, numbers(0)[0], name="no image with an object")


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(1)
@tags("segmentation")
def test_confusion_by_hand(impl):
    """Six pixels, one of which doesn't count. Two pixels of class 0 were given class 1."""
    target, predicted = torch.tensor([[0, 0, 0], [1, 2, 9]]), torch.tensor([[1, 1, 0], [1, 2, 0]])

    matrix = impl.confusion(predicted, target, 3, ignore=9)

    assert_close(matrix, torch.tensor([[1, 2, 0], [0, 1, 0], [0, 0, 1]]))


@number("9.p2")
@weight(1)
@tags("segmentation")
def test_mean_iou_by_hand(impl):
    """Class 0 has 3 of 4, class 1 has 0 of 1, and class 2 is nowhere: 3/8."""
    matrix = torch.tensor([[3, 0, 0], [1, 0, 0], [0, 0, 0]])

    assert_close(impl.mean_iou(matrix[None]), numbers(3 / 8)[0])


@number("9.p3")
@weight(1)
@tags("segmentation")
@pytest.mark.parametrize(("both", "only_a", "only_b"), [(1, 3, 3), (0, 2, 5), (4, 0, 0), (3, 2, 9)])
def test_dice_by_counting(impl, both, only_a, only_b):
    """Two sets of pixels, counted: their Dice score is what your formula makes of their IoU."""
    a, b = set(range(both + only_a)), {*range(both), *range(100, 100 + only_b)}

    got = impl.dice_from_iou(numbers(len(a & b) / len(a | b)))

    assert_close(got, numbers(len(a & b) / ((len(a) + len(b)) / 2)))
    assert_close(impl.dice_from_iou(numbers(1 / 7)), numbers(1 / 4), name="two squares")


@number("9.p4")
@weight(1)
@tags("segmentation")
def test_soft_dice_by_hand(impl):
    """Probabilities 1/2 and 1/4, of which the first is in the target: Dice 4/7. In a second image nothing is predicted and nothing is
    there: Dice 1."""
    loss = impl.soft_dice_loss(numbers([[0.5, 0.25]], [[0, 0]]), torch.tensor([[[True, False]], [[False, False]]]))

    assert_close(loss, numbers(1 - (4 / 7 + 1) / 2)[0])
