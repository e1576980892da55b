"""What the handout, the docstrings and the figures of vit claim, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
import torch
from torch.utils.flop_counter import FlopCounterMode

F64 = torch.float64

vit = staff_files.reference("vit")
figures = staff_files.figures("vit")


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


VIT_B = {"height": 224, "width": 224, "channels": 3, "d": 768, "n_blocks": 12, "n_classes": 1000}


# --- the opening, and Task 3 -------------------------------------------------------------------


def test_shuffled_patches():
    """ "Shuffle the 196 patches of a photo. Without positions, a vision transformer still returns exactly the same class." "To the last
    digits." """
    images = torch.rand(1, 3, 224, 224, dtype=F64, generator=torch.Generator().manual_seed(0))
    patches = vit.patchify(images, 16)
    assert patches.shape == (1, 196, 768)
    generator = torch.Generator().manual_seed(1)
    tokens = patches @ torch.randn(768, 16, dtype=F64, generator=generator) / 28
    order = torch.randperm(196, generator=generator)
    blocks, nowhere = [vit.ToyBlock(16, 4, seed) for seed in (0, 1)], torch.zeros(197, 16, dtype=F64)
    head = torch.randn(16, 10, dtype=F64, generator=generator)
    before, after = (
        vit.vit_forward(
            vit.with_cls(x, torch.ones(16, dtype=F64), nowhere), blocks, vit.norm, lambda y: y @ head, pool="cls"
        )
        for x in (tokens, tokens[:, order])
    )
    assert before.argmax() == after.argmax()
    torch.testing.assert_close(before, after, rtol=1e-10, atol=1e-10)


def test_the_price_of_a_patch():
    """ "17.4 and 78.0 billion: 4.5 times as much, for 15.9 times as many pairs. The pairs take 4.1%, then 14.6%. One half is reached at T =
    4608, so at about 1086 pixels." """
    costs, shares, pairs = [], [], []
    for P in (16, 8):
        N = 1 + (224 // P) ** 2
        parts = vit.block_multiplications(N, 768)
        costs.append(12 * sum(parts) / 1e9)
        shares.append(parts[1] / sum(parts))
        pairs.append(N * N)
    assert costs == [near(17.4, 1), near(78.0, 1)] and costs[1] / costs[0] == near(4.5, 1)
    assert pairs[1] / pairs[0] == near(15.9, 1)
    assert shares == [near(0.041, 3), near(0.146, 3)]
    linear, both = vit.block_multiplications(4608, 768)
    assert linear == both
    assert 16 * math.sqrt(4607) == near(1086, 0)
    assert vit.block_multiplications(3, 2) == (144, 36)
    assert sum(vit.block_multiplications(197, 768)) == 1_453_954_560


def test_the_counter_of_the_snippet():
    """ "It counts an addition with each multiplication": the two printed numbers agree."""
    with FlopCounterMode(display=False) as counter:
        vit.ToyBlock(64, 4, 0)(torch.zeros(1, 50, 64).double())
    assert counter.get_total_flops() / 2 == sum(vit.block_multiplications(50, 64))


def test_parameters():
    """The docstring's 9, 34 and 59; ViT-B/16 has 86,567,656."""
    tiny = dict.fromkeys(("height", "width", "patch", "channels", "d", "n_classes"), 1)
    assert [vit.vit_parameters(**tiny, n_blocks=n) for n in (0, 1, 2)] == [9, 34, 59] and 34 - 9 == 25
    assert vit.vit_parameters(**VIT_B, patch=16) == 86_567_656


# --- Task 1 ------------------------------------------------------------------------------------


def test_two_patches_and_a_convolution():
    """ "The image rows (1, 2, 3, 4) and (5, 6, 7, 8) with P = 2 give the patches (1, 2, 5, 6) and (3, 4, 7, 8)"; the docstring's 28; "the
    difference is below 0.0001"; "16 · 16 · 3 = 768"."""
    patches = vit.patchify(torch.arange(1, 9.0).reshape(1, 1, 2, 4), 2)
    assert patches.tolist() == [[[1, 2, 5, 6], [3, 4, 7, 8]]]
    assert vit.patch_embed(patches, torch.tensor([[[[0.0, 10], [1, 0]]]]), torch.tensor([3.0]))[0, 0].item() == 28
    generator = torch.Generator().manual_seed(0)
    x, kernel, bias = (torch.randn(*shape, generator=generator) for shape in ((2, 3, 8, 12), (5, 3, 4, 4), (5,)))
    convolved = torch.nn.functional.conv2d(x, kernel, bias, stride=4).flatten(2).transpose(1, 2)
    assert (convolved - vit.patch_embed(vit.patchify(x, 4), kernel, bias)).abs().max() < 1e-4
    assert 16 * 16 * 3 == 768


# --- Task 2 ------------------------------------------------------------------------------------


def test_columns_between_columns():
    """ "0, 0.25, 0.75, …, 12.75, 13. Two of 28, the first and the last." By hand: 0, ¼, ¾, 1; the docstring's 0, 0.5, 1; and the trap's 0, ⅓,
    ⅔, 1 is what aligned corners give."""
    columns = torch.arange(14.0).repeat(14)[:, None]
    got = vit.resize_positions(torch.cat([torch.zeros(1, 1), columns]), (14, 14), (14, 28))[1:29, 0]
    assert got[[0, 1, 2, -2, -1]].tolist() == pytest.approx([0, 0.25, 0.75, 12.75, 13])
    assert ((got - got.round()).abs() < 1e-5).nonzero()[:, 0].tolist() == [0, 27]
    two = numbers(9, 0, 1)[:, None]
    assert vit.resize_positions(two, (2, 1), (4, 1))[:, 0].tolist() == pytest.approx([9, 0, 0.25, 0.75, 1])
    assert vit.resize_positions(two, (2, 1), (3, 1))[:, 0].tolist() == pytest.approx([9, 0, 0.5, 1])
    aligned = torch.nn.functional.interpolate(numbers(0, 1)[None, None], size=4, mode="linear", align_corners=True)
    assert aligned.flatten().tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])


# --- Task 4 ------------------------------------------------------------------------------------


def test_the_flipped_box():
    """ "Before: 2 and 5. After: 5 and 8, which covers the columns 5, 6 and 7." The docstring's window at 5."""
    mask = torch.zeros(4, 10).long()
    mask[1:3, 2:5] = 1
    _, boxes, flipped = vit.flip(torch.zeros(3, 4, 10), torch.tensor([[2.0, 1.0, 5.0, 3.0]]), mask)
    assert boxes.tolist() == [[5, 1, 8, 3]] and flipped.nonzero()[:, 1].unique().tolist() == [5, 6, 7]
    assert vit.mirrored_left(1, width=4, image_width=10) == 5


def test_every_box_of_the_figure_lies_around_its_object():
    """ "Does each box lie around its object?" """
    image, boxes, mask = figures.street()
    _, corners, classes = vit.flip(image, boxes, mask)
    for cls, box in zip((1, 2), corners.tolist(), strict=True):
        rows, columns = torch.nonzero(classes == cls, as_tuple=True)
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


# --- Task 5 ------------------------------------------------------------------------------------


def test_the_share_that_arrives():
    """ "0.32 on average, and 0.34 if λ is always ½"; the docstring's 9/16; "CutMix aims at 0.50"; 83% of the boxes are cut."""
    lam = torch.rand(100_000, generator=torch.Generator().manual_seed(0)).double()
    assert vit.mean_share((1 - lam).sqrt()).mean().item() == near(0.32, 2)
    assert vit.mean_share(numbers(0.5).sqrt()).item() == near(0.34, 2)
    assert (1 - lam).mean().item() == near(0.50, 2)
    assert vit.mean_share(numbers(1)).item() == 9 / 16
    assert vit.mean_share(numbers(0.01)).item() == pytest.approx(0.01**2, rel=0.01)
    r = (1 - lam).sqrt()
    assert (1 - (1 - r) ** 2).mean().item() == near(0.83, 2)  # staff's notes


def test_floors_of_soft_labels():
    """ "(2) 0.61. With ε = 0.1 and K = 10, the best gap is 4.51, and the loss there is 0.500." """
    label = numbers([0.3, 0.7])
    assert vit.soft_cross_entropy(label.log(), label).item() == near(0.61, 2)
    smooth = vit.smooth_labels(torch.tensor([0]), 10, 0.1)
    gaps = np.linspace(4, 5, 1001)
    losses = [vit.soft_cross_entropy(torch.tensor([[gap] + 9 * [0.0]]).double(), smooth).item() for gap in gaps]
    assert gaps[np.argmin(losses)] == near(4.51, 2) and min(losses) == near(0.500, 3)
    printed = [vit.soft_cross_entropy(numbers([gap] + 9 * [0.0]), smooth).item() for gap in (3.0, 4.4, 4.5, 4.6, 6.0)]
    assert min(printed) == printed[2]


def test_pasted_by_hand():
    """ "4 × 4 pixels, λ = ¾ and the center (0, 2) give a box of 2 × 2 pixels, of which two are left. So the partner's share of the label is
    2/16." The docstrings of smooth_labels and soft_cross_entropy."""
    images = numbers(0, 1).reshape(2, 1, 1, 1).expand(2, 1, 4, 4)
    mixed, labels = vit.cutmix(images, torch.eye(2, dtype=F64), torch.tensor([1, 0]), 0.75, (0, 2))
    assert mixed[0].sum() == 2 and labels[0, 1].item() == 2 / 16
    assert vit.smooth_labels(torch.tensor([0]), 4, 0.2)[0].tolist() == pytest.approx([0.85, 0.05, 0.05, 0.05])
    loss = vit.soft_cross_entropy(numbers([math.log(3), 0]), numbers([0.5, 0.5]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


# --- Tasks 6 and 7 -----------------------------------------------------------------------------


def test_rates_and_steps():
    """ "0.03" of the head's rate is left for the first of twelve blocks; the docstrings' 8, 4, 2, 1 and ½."""
    names = ["blocks.0.up", "blocks.11.up", "head.bias"]
    assert vit.layer_rates(names, n_blocks=12, lr=1.0, decay=0.75)["blocks.0.up"] == near(0.03, 2)
    names = ["head.weight", "blocks.1.up", "blocks.0.up", "cls"]
    assert list(vit.layer_rates(names, n_blocks=2, lr=8, decay=0.5).values()) == [8, 4, 2, 1]
    assert vit.probe_step(numbers(0), numbers([2]), numbers(1), l2=1.0).item() == pytest.approx(0.5)


def test_newton_reaches_the_minimum_in_the_figure():
    """Figure `probe`: "A probe reads 144 pixels." It is within 10⁻¹² of the minimum after 4 Newton steps, and "each step about doubles the number
    of right digits"; gradient descent is far away after twelve."""
    paths = figures.newton_and_descent(vit)
    assert figures.digit().numel() == 144
    above = np.array(paths["Newton"]) - min(paths["Newton"])
    assert above[4] < 1e-12 < above[3]
    digits = -np.log10(above[1:4])
    assert ((1.5 < digits[1:] / digits[:-1]) & (digits[1:] / digits[:-1] < 2.5)).all()
    assert paths["gradient descent"][-1] - min(paths["Newton"]) > 0.01


def test_an_untrained_map_is_flat():
    """ "Between 0.88 and 1.15: almost flat." The chain by hand: CLS consists of itself by ½, and of both patches by ¼."""
    x = torch.randn(1, 17, 32, generator=torch.Generator().manual_seed(0)).double()
    layers = [vit.ToyBlock(32, 4, seed) for seed in range(12)]
    for layer in layers:
        x = layer(x)
    flat = 16 * vit.cls_map(vit.rollout(torch.stack([layer.attention for layer in layers])), 4, 4)
    assert flat.min().item() == near(0.88, 2) and flat.max().item() == near(1.15, 2)
    blocks = torch.eye(3, dtype=F64).repeat(2, 1, 1, 1, 1)
    blocks[0, 0, 0, 2], blocks[1, 0, 0, 0] = numbers(0, 1, 0), numbers(0, 0, 1)
    assert vit.rollout(blocks)[0, 0].tolist() == [0.5, 0.25, 0.25]
    one = numbers([[[[0, 1], [0, 1]]]])[None, 0]
    assert vit.rollout(one).tolist() == [[[0.5, 0.5], [0, 1]]]


# --- Task 8 ------------------------------------------------------------------------------------


def test_which_way_boxes_move():
    """ "Away: the slopes of GIoU are −0.033 for the left edge and +0.011 for the right edge. All slopes of IoU are 0." """
    target, box = numbers([0, 0, 10, 10]), numbers([20, 0, 30, 10]).requires_grad_()
    (slope,) = torch.autograd.grad(vit.giou(box, target).sum(), box)
    assert slope[0, 0].item() == near(-0.033, 3) and slope[0, 2].item() == near(0.011, 3)
    (slope,) = torch.autograd.grad(vit.iou(box, target).sum(), box)
    assert not slope.any()


def test_boxes_a_little_off():
    """ "18%: the errors in x and y multiply. 0.39. One pixel costs a small box most of its score." """

    def off(share):
        return vit.iou(numbers([share, share, 1 + share, 1 + share]), numbers([0, 0, 1, 1])).item()

    assert off(0.18) == near(0.5, 1) and abs(off(0.18) - 0.5) < abs(off(0.19) - 0.5) and off(0.18) > 0.5 > off(0.19)
    assert off(0.33) < 0.3 and off(0.5) < 0.15
    assert off(0.25) == near(0.39, 2) and 1 - off(0.25) == near(0.61, 2)
    assert 1 - off(0.01) == near(0.039, 3)  # staff's notes


def test_corners_by_hand():
    """ "(0, 0, 2, 2) and (1, 1, 3, 3) have IoU 1/7 and GIoU 1/7 − 2/9"; the docstring of localization_loss: 33/8."""
    a, b = numbers([0, 0, 2, 2]), numbers([1, 1, 3, 3])
    assert vit.iou(a, b).item() == pytest.approx(1 / 7) and vit.giou(a, b).item() == pytest.approx(1 / 7 - 2 / 9)
    loss = vit.localization_loss(numbers([0, 0.5, 2, -3]), numbers([0, 0, 0, 0]), torch.tensor([True]))
    assert loss.item() == 33 / 8


def test_a_box_climbs_to_the_target():
    """Figure `climb`: the box of the question grows before it moves, and arrives. "GIoU has one, and its path is not the shortest." """
    path = figures.climb(vit)
    assert path[0].tolist() == [20, 0, 30, 10]
    width = path[:, 2] - path[:, 0]
    assert width[0] == 10 and width.max() > 25
    assert path[:, 2].max() > path[0, 2] + 1  # the right edge moves away at first
    assert vit.iou(path[-1:], numbers([0, 0, 10, 10])).item() > 0.98


# --- Task 9 ------------------------------------------------------------------------------------


def test_two_scores_disagree():
    """ "All background" has mean IoU 0.485. "By mean IoU, the second model is better (0.500 against 0.525). By mean Dice, the first one is (0.667
    against 0.604)." """
    assert vit.mean_iou(torch.tensor([[[97, 0], [3, 0]]])).item() == pytest.approx(0.485)
    scores = numbers([0.5, 0.5], [0.9, 0.15])
    assert scores.mean(1).tolist() == pytest.approx([0.5, 0.525])
    assert vit.dice_from_iou(scores).mean(1).tolist() == [near(0.667, 3), near(0.604, 3)]


def test_masks_by_hand():
    """IoU 1/7 is Dice ¼; the docstrings' 3/8 and 3/7; Dice rises whenever IoU does."""
    assert vit.dice_from_iou(numbers(0, 1 / 7, 1)).tolist() == pytest.approx([0, 0.25, 1])
    assert vit.mean_iou(torch.tensor([[[3, 0], [1, 0]]])).item() == 3 / 8
    loss = vit.soft_dice_loss(numbers([[0.5, 0.25]]), torch.tensor([[[True, False]]]))
    assert loss.item() == pytest.approx(3 / 7)
    assert (vit.dice_from_iou(torch.linspace(0, 1, 101)).diff() > 0).all()
