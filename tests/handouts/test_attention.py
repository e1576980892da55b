"""What the handout, the docstrings and the written question of `attention` say, computed from the reference."""

import math
import types

import pytest
import staff_files
import torch
from torch.utils.flop_counter import FlopCounterMode

F64 = torch.float64


@pytest.fixture(scope="module")
def reference():
    return staff_files.reference("attention")


@pytest.fixture(scope="module")
def figures():
    return staff_files.figures("attention")


def normal(seed, *shape, dtype=F64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def near(value, stated, digits=2):
    """Whether a number rounds to the one that the text gives."""
    return round(float(value), digits) == stated


# --- opening and Task 1 ------------------------------------------------------------------------


def test_shuffled_words_give_shuffled_vectors(reference):
    """\"If you shuffle the words, it returns the same vectors, shuffled." """
    x, order = normal(0, 5, 4), torch.tensor([3, 0, 4, 1, 2])

    attend = reference.scaled_dot_product_attention

    torch.testing.assert_close(attend(x[order], x[order], x[order]), attend(x, x, x)[order])


def test_float32_ends_between_exp_88_and_exp_89():
    """\"In float32, exp(88) is 1.7 · 10³⁸, but exp(89) is infinite." """
    powers = torch.tensor([88.0, 89.0]).exp()

    assert near(powers[0] / 1e38, 1.7, 1)
    assert powers[1] == math.inf


def test_softmax_example(reference):
    """\"The logits (0, log 2, log 3) give (1/6, 2/6, 3/6)." """
    weights = reference.softmax(torch.tensor([1.0, 2.0, 3.0], dtype=F64).log())

    torch.testing.assert_close(weights, torch.tensor([1.0, 2.0, 3.0], dtype=F64) / 6)


# --- Task 2 ------------------------------------------------------------------------------------


def test_rows_that_come_round_again(reference):
    """\"5.90 for row 50 and 8.85 for row 63 … Both pairs of rows have the product 13.73 … exact to 10⁻¹²." """
    table = reference.sinusoidal_positions(1006, 32, dtype=F64)

    assert near(table[0] @ table[50], 5.9) and near(table[0] @ table[63], 8.85)
    assert near(table[3] @ table[5], 13.73) and near(table[1003] @ table[1005], 13.73)
    assert (reference.shift_positions(table[:6], 1000) - table[1000:]).abs().max() < 1e-12


def test_row_2_by_hand(reference):
    """\"At d_model = 4, row 2 is (sin 2, cos 2, sin 0.02, cos 0.02)"; so is row 0, shifted by 2."""
    row = torch.tensor([math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)], dtype=F64)

    table = reference.sinusoidal_positions(3, 4, dtype=F64)

    torch.testing.assert_close(table[2], row)
    torch.testing.assert_close(reference.shift_positions(table[0], 2), row)


# --- Task 3 ------------------------------------------------------------------------------------


def test_largest_weight_with_and_without_the_scale(reference):
    """\"0.95 without the scale and 0.25 with it … variance of q · k is 510"; hardly any gradient without the scale."""
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(n, 512, generator=generator) for n in (2000, 16))

    without = reference.softmax(q @ k.T)
    scaled = reference.scaled_dot_product_attention(q, k, torch.eye(16))

    assert near(without.amax(-1).mean(), 0.95) and near(scaled.amax(-1).mean(), 0.25)
    assert near((q @ k.T).var(), 510, 0)
    passed = [(weights * (1 - weights)).sum(-1).median() for weights in (without, scaled)]
    assert passed[0] < 0.01 < 0.8 < passed[1]


@pytest.mark.parametrize(("causal", "changes"), [(True, [0.0, 0.4]), (False, [0.0, 0.0])])
def test_a_swap_shows_in_the_second_causal_round(reference, causal, changes):
    """\"After one round the swap changes nothing … After two … by 0.4 … Without the mask, no number of rounds." """
    generator = torch.Generator().manual_seed(0)
    x = [torch.randn(n, d, generator=generator) for n, d in ((2000, 512), (16, 512), (4, 4))][-1]

    x = torch.stack([x, x[[2, 1, 0, 3]]]) / 2
    for change in changes:
        x = x + reference.scaled_dot_product_attention(x, x, x, causal=causal)
        assert near((x[0, -1] - x[1, -1]).abs().max(), change, 1)


def test_bias_by_hand(reference):
    """\"A query of zeros … With the biases log 1 and log 3, the values 0 and 4 give 3." """
    q, k, v = torch.zeros(1, 4, dtype=F64), normal(0, 2, 4), torch.tensor([[0.0], [4.0]], dtype=F64)

    output = reference.scaled_dot_product_attention(q, k, v, bias=torch.tensor([[1.0, 3.0]], dtype=F64).log())

    assert math.isclose(output.item(), 3)


def test_a_cache_changes_no_output(reference):
    """\"“2 queries, 4 keys, causal” repeats the last two rows of “causal”: a cache changes no output." """
    q, k = 1.2 * normal(3, 4, 8), 1.2 * normal(4, 4, 8)

    attend = reference.scaled_dot_product_attention

    v = torch.eye(4, dtype=F64)
    torch.testing.assert_close(attend(q[2:], k, v, causal=True), attend(q, k, v, causal=True)[2:])


# --- Tasks 4 to 6 ------------------------------------------------------------------------------


def test_shapes_of_heads(reference):
    """\"For 4 tokens, 8 heads and d_model = 512, the scores are (8, 4, 4)." """
    q = reference.split_heads(torch.zeros(4, 512), 8)

    assert (q @ q.mT).shape == (8, 4, 4)


@pytest.mark.parametrize("n_heads", [1, 8])
@pytest.mark.parametrize("T", [4, 1024])
def test_cost_of_heads(reference, n_heads, T):
    """\"4 · T · d_model² … 2 · T² · d_model. This holds for one head and for eight … equal at T = 2 · d_model = 1,024." """
    with FlopCounterMode(display=False) as counter:  # it counts two operations for each multiplication
        reference.multi_head_attention(
            torch.zeros(T, 512), *torch.zeros(4, 512, 512), n_heads=n_heads, attend=lambda q, k, v, **_: q @ k.mT @ v
        )

    projections, products = 4 * T * 512**2, 2 * T**2 * 512
    assert counter.get_total_flops() / 2 == projections + products
    assert (products >= projections) == (T >= 1024) and (products == projections) == (T == 1024)


def test_layer_norm_of_ten_times_a_token(reference):
    """\"Differ by 2 · 10⁻⁵ … length 3.3, but `x.grad.sum()` and `x.grad @ x` are 0 up to rounding." """
    x, gain, bias = normal(5, 64).requires_grad_(), torch.ones(64), torch.zeros(64)

    difference = (reference.layer_norm(10 * x, gain, bias) - reference.layer_norm(x, gain, bias)).abs().max()
    reference.layer_norm(x, gain, bias, eps=0.0)[:9].sum().backward()

    assert near(difference.detach() * 1e5, 2, 0)
    assert near(x.grad.norm(), 3.3, 1) and abs(x.grad.sum()) < 1e-13 and abs(x.grad @ x) < 1e-13


def test_layer_norm_by_hand(reference):
    """\"With gain 1, bias 0 and eps 0: the token (1, 3) becomes (−1, 1)." """
    x, one = torch.tensor([1.0, 3.0]), torch.ones(2)

    assert reference.layer_norm(x, one, 0 * one, eps=0.0).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(("pre_norm", "stated"), [(False, 1.0), (True, 4.2)])
def test_twelve_fresh_blocks(reference, pre_norm, stated):
    """\"The size is 1.0 in post-norm … In pre-norm it is 4.2", after 12 blocks, which add 24 results of layers."""
    x = normal(2, 16, 32, dtype=torch.float32)

    for block in reference.init_transformer(0, n_vocab=4, d_model=32, d_mlp=64, n_blocks=12)["blocks"]:
        x = reference.transformer_block(
            x,
            lambda y, block=block: reference.multi_head_attention(y, *block["attention"], n_heads=2, causal=True),
            lambda y, block=block: reference.mlp(y, *block["mlp"]),
            lambda y, block=block: reference.layer_norm(y, *block["norm_1"]),
            lambda y, block=block: reference.layer_norm(y, *block["norm_2"]),
            pre_norm=pre_norm,
        )

    assert near(x.std(), stated, 1)


@pytest.mark.parametrize(("pre_norm", "by_hand"), [(False, 16_100), (True, 6_263)])
def test_block_by_hand(reference, pre_norm, by_hand):
    """\"With x = 2, layers 3x and x + 1, and norms 10x and 100x: post-norm gives 16,100 and pre-norm 6,263." """
    layers = (lambda x: 3 * x, lambda x: x + 1, lambda x: 10 * x, lambda x: 100 * x)

    assert reference.transformer_block(torch.tensor([[2.0]]), *layers, pre_norm=pre_norm).item() == by_hand


# --- Task 7 ------------------------------------------------------------------------------------


def test_loss_by_hand(reference):
    """\"The probabilities 1/2, 1/4 and 1/8, the loss is 2 log 2"; logits of 0 everywhere give log V; log 16 = 2.77."""
    tokens = torch.tensor([0, 1, 2, 0])
    logits = torch.tensor([[1 / 4, 1 / 2, 1 / 4], [1 / 2, 1 / 4, 1 / 4], [1 / 8, 1 / 8, 3 / 4], [1, 1, 1]]).log()

    assert math.isclose(reference.next_token_loss(logits, tokens), 2 * math.log(2), rel_tol=1e-6)
    assert math.isclose(reference.next_token_loss(torch.zeros(4, 3), tokens), math.log(3), rel_tol=1e-6)
    assert near(math.log(16), 2.77)


@pytest.mark.parametrize(("causal", "n_steps"), [(True, 40), ([False, True], 200)], ids=["masked", "leaking"])
def test_one_leaking_block_is_enough(reference, figures, causal, n_steps):
    """\"With both masks the loss stays at 2.77. With one mask missing it ends below 0.01." """
    losses = figures.losses_on_noise(reference, causal, n_steps)[-20:]

    mean = sum(losses) / len(losses)
    # over 20 batches of 448 predictions, the mean of fresh noise varies by a few thousandths
    assert abs(mean - 2.77) < 0.02 if causal is True else mean < 0.01


def test_the_last_query_is_never_trained(reference):
    """\"No token follows position 15, so no loss ever trained this query", the last one of a sequence."""
    logits = normal(0, 2, 5, 7).requires_grad_()

    reference.next_token_loss(logits, torch.zeros(2, 5, dtype=torch.long)).backward()

    assert (logits.grad[:, -1] == 0).all() and (logits.grad[:, :-1] != 0).all()


def test_where_learned_attention_looks(reference, figures, monkeypatch):
    """\"It divides its attention between keys 12 and 13 … query 1 happens to look there, too", at key 0.

    The other rows look two places back.
    """
    drawn = []
    monkeypatch.setattr(figures, "heatmap", lambda ax, weights, **_: drawn.append(weights))
    attention = reference.scaled_dot_product_attention

    figures.learned_attention(reference)

    maps = torch.stack(drawn)
    back = figures.BACK
    assert maps.shape == (figures.N_HEADS, 16, 16)
    assert (maps[:, range(back, 15), range(15 - back)] > 0.8).all() and (maps[:, 1, 0] > 0.8).all()
    assert (maps[:, 15, 12:14] > 0.35).all() and (maps[:, 15, 12:14].sum(-1) > 0.9).all()
    assert reference.scaled_dot_product_attention is attention, "the figure left its own attention behind"


def test_maps_of_learned_attention_show_what_the_model_sees(reference, figures, monkeypatch):
    """Drawn with the stretch's `transformer`, whose positions are all 0, the maps see no positions either."""
    tokens = torch.full((16,), 3)
    params = reference.init_transformer(0, n_vocab=16, d_model=32, d_mlp=64, n_blocks=1)
    table = reference.sinusoidal_positions
    assert (figures.first_block_weights(reference, params, tokens)[:, -1] - 1 / 16).abs().max() > 0.01

    monkeypatch.setattr(reference, "sinusoidal_positions", lambda *args, **options: 0 * table(*args, **options))
    weights = figures.first_block_weights(reference, params, tokens)

    # one token sixteen times, no positions: a query sees equal keys, and all up to its own
    torch.testing.assert_close(weights[:, -1], torch.full((2, 16), 1 / 16))


def test_maps_of_learned_attention_are_drawn_in_a_notebook(reference, figures):
    """In a notebook the module that figures get is another object than the globals of the student's functions."""
    tokens, notebook = torch.arange(16), types.SimpleNamespace(**vars(reference))
    params = reference.init_transformer(0, n_vocab=16, d_model=32, d_mlp=64, n_blocks=1)

    weights = figures.first_block_weights(notebook, params, tokens)

    torch.testing.assert_close(weights, figures.first_block_weights(reference, params, tokens))
    assert reference.scaled_dot_product_attention is notebook.scaled_dot_product_attention


# --- Task 8 ------------------------------------------------------------------------------------


def test_rope_and_sinusoids_hold_the_same_rotations(reference):
    """\"The last number is 0 up to rounding: sinusoids and RoPE use the same rotations." """
    same, table = torch.full((800, 64), 1 / 8, dtype=F64), reference.sinusoidal_positions(800, 64, dtype=F64)

    products = reference.apply_rope(same, torch.arange(800)) @ same[0]

    assert (products - table @ table[0] / 32).abs().max() < 1e-14


def test_rope_curves_coincide(reference):
    """\"Its two RoPE curves coincide, although their queries are 1,000 tokens apart." """
    same = torch.full((128, 64), 1 / 8, dtype=F64)

    curves = [
        reference.apply_rope(same, start + torch.arange(128)) @ reference.apply_rope(same[:1], torch.tensor([start]))[0]
        for start in (0, 1000)
    ]

    torch.testing.assert_close(curves[0], curves[1], rtol=0, atol=1e-12)


def test_how_far_alibi_heads_look(reference):
    """\"On 5 keys in the steepest head, and on 547 in the flattest", which have the slopes 1/2 and 1/256."""
    bias = reference.alibi_bias(8, 1, 1000)[:, 0]

    weights = bias.flip(-1).exp()
    n_keys = 1 + (weights.cumsum(-1) < 0.9 * weights.sum(-1, keepdim=True)).sum(-1)

    assert bias[0, -2] == -1 / 2 and bias[7, -2] == -1 / 256
    assert n_keys[0] == 5 and n_keys[7] == 547


def test_alibi_examples(reference):
    """\"Two ALiBi heads have the slopes 1/16 and 1/256"; one query, three keys: (-1/8, -1/16, 0)."""
    bias = reference.alibi_bias(2, 1, 3, dtype=F64)[:, 0]

    assert bias.tolist() == [[-1 / 8, -1 / 16, 0.0], [-1 / 128, -1 / 256, 0.0]]


# --- Task 9 ------------------------------------------------------------------------------------


def test_scores_of_one_head():
    """\"At T = 65,536, the scores of one head take 16 GiB in float32." """
    assert 65_536**2 * 4 == 16 * 2**30


def test_how_often_a_new_largest_score_arrives(reference, figures):
    """\"The line runs on 4 levels … 1 + 1/2 + … + 1/65,536 = 11.7 new largest scores on average." """
    scores = 2.5 * figures.normal(12, 1, 40)
    state = (torch.tensor([-math.inf], dtype=F64), torch.zeros(1, dtype=F64), torch.zeros(1, 1, dtype=F64))

    largest = []
    for j in range(40):
        state = reference.online_softmax_step(state, scores[:, j : j + 1], torch.zeros(1, 1, dtype=F64))
        largest.append(state[0].item())

    assert near(sum(1 / n for n in range(1, 65_537)), 11.7, 1)
    assert len(set(largest)) == 4


def test_step_by_hand(reference):
    """\"Give the state (log 2, 1.5, 105). Next … log 4 with the value 1000 … (log 4, 1.75, 1052.5)." """
    state = (torch.tensor([-math.inf], dtype=F64), torch.zeros(1, dtype=F64), torch.zeros(1, 1, dtype=F64))
    blocks = [([0.0, math.log(2)], [[10.0], [100.0]], (math.log(2), 1.5, 105.0)),
              ([math.log(4)], [[1000.0]], (math.log(4), 1.75, 1052.5))]  # fmt: skip

    for scores, values, by_hand in blocks:
        state = reference.online_softmax_step(state, torch.tensor([scores], dtype=F64), torch.tensor(values, dtype=F64))
        assert all(math.isclose(part.item(), due) for part, due in zip(state, by_hand, strict=True))
