"""What the handout, the docstrings and the written question of `encoders` say, computed from the reference."""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.chance import law, luck

F64 = torch.float64

encoders = staff_files.reference("encoders")
figures = staff_files.figures("encoders")


def rows(mask):
    return mask.int().tolist()


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


# --- the opening, Task 1 -----------------------------------------------------------------------


def two_cities():
    """1 New, 2 York, 3 Los, 4 Angeles; 0 is the mask."""
    language = {(1, 2): 0.5, (3, 4): 0.5}
    return language, encoders.perfect_model(language, n_vocab=5, mask_token=0)


def test_half_of_the_fill_ins_are_cities():
    """ "Half of the time. It fills each blank on its own: New Angeles is as likely as New York"; "half of the perfect
    fill-ins"."""
    language, model = two_cities()

    first, second = model(torch.zeros(1, 2, dtype=torch.int64))[0].exp()

    assert sum(float(first[a] * second[b]) for a, b in language) == pytest.approx(0.5)
    assert first[1] * second[4] == first[1] * second[2] == 0.25


def test_the_prompt_by_hand():
    """ "A prompt of 2 tokens in a row of 3 gives the rows (1, 1, 0), (1, 1, 0), (1, 1, 1)." """
    assert rows(encoders.visible("prefix", 3, prefix=2)) == [[1, 1, 0], [1, 1, 0], [1, 1, 1]]


def test_which_prompts_are_causal():
    """ "For which prompt lengths the prefix mask is the causal one, and for which the bidirectional one. One length
    surprises many people": 0 and 1 are causal, T is bidirectional (of one token, all three are)."""
    for T in (2, 6):
        masks = [encoders.visible("prefix", T, prefix=n) for n in range(T + 1)]
        assert [torch.equal(mask, encoders.visible("causal", T)) for mask in masks] == [True, True] + [False] * (T - 1)
        assert [torch.equal(mask, encoders.visible("bidirectional", T)) for mask in masks] == [False] * T + [True]


# --- Task 2 ------------------------------------------------------------------------------------


def test_a_hidden_token_comes_back():
    """ "(1) 2 layers: the way leads through token 3 or 4." """
    mask = encoders.visible("causal", 6)
    mask[5, 2] = False

    assert [bool(encoders.reachable([mask] * n)[5, 2]) for n in (1, 2, 5)] == [False, True, True]
    assert [bool(mask[5, k] and mask[k, 2]) for k in range(6)] == [False, False, False, True, True, False]


def test_the_reach_of_a_window():
    """ "(2) 37", and the derivation: 1 + L (w - 1) in a long text."""
    place = torch.arange(64)
    for w, n_layers in ((4, 12), (4, 1), (2, 7), (5, 3), (1, 9)):
        window = encoders.visible("causal", 64) & (place[:, None] - place < w)
        assert int(encoders.reachable([window] * n_layers)[-1].sum()) == 1 + n_layers * (w - 1)
    assert 1 + 12 * (4 - 1) == 37


def test_a_shared_cls_leaks():
    """ "(3) Not in one layer; from the second on, everything leaks." """
    shared = encoders.visible("bidirectional", 7, segments=torch.tensor([0, 1, 1, 1, 2, 2, 2]))
    shared[0] = shared[:, 0] = True

    one, two = (encoders.reachable([shared] * n) for n in (1, 2))
    assert not one[1:4, 4:].any() and not one[4:, 1:4].any() and two.all()


def test_the_order_of_layers():
    """ "Then output 2 depends on input 0. If the two layers are exchanged, it doesn't." """
    first, second = torch.eye(3).bool(), torch.eye(3).bool()
    first[1, 0] = second[2, 1] = True

    assert encoders.reachable([first, second])[2, 0] and not encoders.reachable([second, first])[2, 0]


def test_example_of_reachable():
    """ "Token 1 sees token 0, and token 2 sees token 1, in both of two layers: output 2 depends on inputs 0, 1 and 2." """
    mask = torch.zeros(3, 3, dtype=torch.bool)
    mask[1, 0] = mask[2, 1] = True

    assert encoders.reachable([mask, mask])[2].all()


# --- Tasks 3 to 5 ------------------------------------------------------------------------------


def test_example_of_pool():
    """ "Vectors (1, 8), (3, 2) and padding: the mean is (2, 5), the maximum (3, 8)"; in the handout with the opposite signs
    in the second feature."""
    states, real = torch.tensor([[1.0, 8], [3, 2], [0, 0]]).double(), torch.tensor([True, True, False])
    assert encoders.pool(states, real, how="mean").tolist() == [2, 5] and encoders.pool(
        states, real, how="max"
    ).tolist() == [3, 8]
    signs = torch.tensor([1.0, -1]).double()
    assert encoders.pool(states * signs, real, how="mean").tolist() == [2, -5]
    assert encoders.pool(states * signs, real, how="max").tolist() == [3, -2]


def test_the_pooled_vector_stays():
    """ "The pooled vector (left) stays. But padding gets vectors, too, and they enter the plain mean (right)." """
    table = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)).double()
    seen = []
    for texts in ([[11, 12, 13]], [[11, 12, 13], [21, 22, 23, 24, 25, 26]]):
        tokens, _, real = encoders.encoder_input([(text, []) for text in texts], cls=1, sep=2, pad=0)
        mask = encoders.visible("bidirectional", tokens.shape[1], real=real)
        states = encoders.encoder(table[tokens], encoders.random_layers(0, n_layers=2, d=8), mask=mask)
        seen.append((encoders.pool(states, real, how="mean")[0], states.mean(1)[0]))

    assert tokens.shape == (2, 8) and tokens[0].tolist() == [1, 11, 12, 13, 2, 0, 0, 0]
    assert (seen[0][0] - seen[1][0]).abs().max() < 1e-12 and (seen[0][1] - seen[1][1]).abs().max() > 0.1


def test_one_source_token():
    """ "The same one: the value of the only token, whatever is asked." """
    layer = encoders.random_layers(0, n_layers=1, d=4)[0]
    x, source = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).double()

    out = encoders.cross_attention(x, source[:1], layer["cross"])

    assert (out - source[:1] @ layer["cross"][2] @ layer["cross"][3]).abs().max() < 1e-12


def test_examples_of_the_decoder():
    """ "d = 1, all weights 1, x = (0), source (2), (4): 3. If the 4 is padding: 2"; "2 + 2 = 4, then 4 + 40 = 44, then 44 +
    44 = 88"; "w_k doubles and w_v triples: keys (2), (4) and values (3), (6)"; "2 + 3 = 5, then 5 + 20 = 25, then 25 + 25 =
    50"."""
    one, zero = torch.ones(1, 1).double(), torch.zeros(1, 1).double()
    source = torch.tensor([[2.0], [4]]).double()
    assert encoders.cross_attention(zero, source, (one,) * 4).item() == 3
    assert encoders.cross_attention(zero, source, (one,) * 4, source_real=torch.tensor([True, False])).item() == 2

    layer = {"self": (one,) * 4, "cross": (one,) * 4, "mlp": (one, zero[0], one, zero[0])}
    options = {"norm": lambda x: x}
    assert encoders.decoder_block(2 * one, source, layer, cross=lambda x, *_, **__: 10 * x, **options).item() == 88
    memory = encoders.encode_memory(source / 2, [{"cross": (one, 2 * one, 3 * one, one)}])
    assert [part.flatten().tolist() for part in memory[0]] == [[2, 4], [3, 6]]
    layer |= {"self": (zero, one, one, one), "cross": (zero, one, one, one)}
    memory = [(source, torch.tensor([[10.0], [30]]).double())]
    assert encoders.decode_step(2 * one, [layer], memory, [(one, 4 * one)], **options)[0].item() == 50


def test_steps_are_the_whole_decoder():
    """ "0 up to rounding. Each step saves 600 products: keys and values of 100 source tokens in 3 layers." """
    generator = torch.Generator().manual_seed(0)
    layers = encoders.random_layers(0, n_layers=3, d=4)
    x, source = (torch.randn(n, 4, generator=generator).double() for n in (5, 100))
    memory, past, whole = encoders.encode_memory(source, layers), None, x
    for t in range(5):
        out, past = encoders.decode_step(x[t : t + 1], layers, memory, past)
    for layer in layers:
        whole = encoders.decoder_block(whole, source, layer)

    assert (out - whole[-1]).abs().max() < 1e-12
    assert sum(len(part) for pair in memory for part in pair) == 600


# --- Tasks 6 and 7 -----------------------------------------------------------------------------


def changes(V):
    """What becomes of one token, 7, in a vocabulary of V with the mask 2."""
    return law(encoders.mlm_corrupt, [7], special={0, 1}, mask_token=2, n_vocab=V)


def test_what_becomes_of_a_token():
    """The derivation: of all tokens .12 + .015/V become [MASK], .015 (V - 2)/V become another word, and the rest stays; the
    snippet's 0.5075 = .101/.199 at V = 100, "51%", "about 50%"; the original is then (.1 + .1/V) / (.2 - .1/V)."""
    for V in (10, 100):
        chances = changes(V)
        becomes = {token: sum(p for (text, _), p in chances.items() if text == (token,)) for token in range(V)}
        assert becomes[2] == pytest.approx(0.12 + 0.015 / V) and becomes[7] == pytest.approx(0.865 + 0.015 / V)
        assert sum(becomes.values()) - becomes[2] - becomes[7] == pytest.approx(0.015 * (V - 2) / V)
        ordinary = {text: p for (text, label), p in chances.items() if label == (7,) and text != (2,)}
        original = ordinary[(7,)] / sum(ordinary.values())
        assert original == pytest.approx((0.1 + 0.1 / V) / (0.2 - 0.1 / V))
    assert original == near(0.5075, 4) and original == pytest.approx(0.101 / 0.199)


def test_corruption_by_hand():
    """ "With V = 5 and share 1, the word 3 becomes [MASK] with probability 0.82, stays 3 with 0.12, and becomes 0, 1 or 2
    with 0.02 each." "[7] with share 1, if the word is to be drawn and 3 is drawn: [3] and [7]." """
    chances = law(encoders.mlm_corrupt, [3], special=set(), mask_token=4, n_vocab=5, share=1.0)
    assert {text[0]: round(p, 9) for (text, _), p in chances.items()} == {0: 0.02, 1: 0.02, 2: 0.02, 3: 0.12, 4: 0.82}
    luck_of_three = {"draw": lambda p: 1 if len(p) == 3 else 3, "flip": lambda p: True}
    assert encoders.mlm_corrupt([7], special=set(), mask_token=1, n_vocab=9, share=1.0, **luck_of_three) == ([3], [7])


def test_pseudo_likelihoods_add_up_to_two():
    """ "2. Given one of its words, each city is certain, so each of the two gets 1." Figure `fills`: all other texts get 0."""
    _, model = two_cities()
    texts = [torch.tensor(text) for text in itertools.product(range(1, 5), repeat=2)]

    scores = [encoders.pseudo_log_likelihood(model, text, mask_token=0).exp().item() for text in texts]

    assert sorted(scores) == [0] * 14 + [1, 1]


def test_hint_of_the_missing_label():
    """A hint: short texts without a label, "one in five at 10 tokens"."""
    assert 0.85**10 == near(0.2, 1)


def test_losses_by_hand():
    """ "If two labels have the probabilities ½ and ⅛, the loss is 2 log 2." """
    logits = torch.tensor([[4.0, 2, 2], [1, 5, 2]]).log()
    assert encoders.mlm_loss(logits, torch.tensor([0, 0])).item() == pytest.approx(2 * math.log(2))


# --- Task 8 ------------------------------------------------------------------------------------


def test_example_of_pack():
    """The docstring's two rows."""
    packed = encoders.pack([[5, 6, 7], [8, 9]], length=5, eos=1, pad=0)

    assert packed["tokens"].tolist() == [[5, 6, 7, 1, 8], [9, 1, 0, 0, 0]]
    assert packed["positions"].tolist() == [[0, 1, 2, 3, 0], [1, 2, 0, 0, 0]]
    assert packed["labels"].tolist() == [[6, 7, 1, -100, -100], [1, -100, -100, -100, -100]]


def packed_and_alone(where, rules, *, bias=None, turn=None):
    """How far the second text of a packed row is from itself alone; positions enter as `bias` of scores, by `turn`, or as
    vectors."""
    table = torch.randn(20, 16, generator=torch.Generator().manual_seed(0)).double()
    layers = encoders.random_layers(0, n_layers=2, d=16)
    packed = encoders.pack([[5, 6, 7, 8], [9, 10, 11, 12, 13, 14]], length=12, eos=1, pad=0)
    tokens, positions = packed["tokens"][0], packed["positions"][0]
    segments = {"segments": packed["segments"][0]} if rules else {}
    place = positions if where == "restart" else torch.arange(12)

    def run(tokens, place, mask):
        if bias is None and turn is None:
            return encoders.encoder(table[tokens] + encoders.sinusoids(place, 16), layers, mask=mask)
        x = table[tokens]
        for layer in layers:
            q, k, v, o = layer["self"]
            seen = encoders.layer_norm(x)
            queries, keys = seen @ q, seen @ k
            if turn is not None:
                queries, keys = turn(queries, place), turn(keys, place)
            scores = queries @ keys.T / 4
            if bias is not None:
                scores = scores - bias * (place[:, None] - place).abs()
            x = x + scores.masked_fill(~mask, -1e30).softmax(-1) @ (seen @ v) @ o
            x = x + encoders.mlp(encoders.layer_norm(x), layer["mlp"])
        return encoders.layer_norm(x)

    alone = run(tokens[5:], torch.arange(7), encoders.visible("causal", 7))
    return (run(tokens, place, encoders.visible("causal", 12, **segments))[5:] - alone).abs().max().item()


def turned(x, place):
    """RoPE on neighboring features."""
    angles = place[:, None].double() * 10000.0 ** (-torch.arange(0, x.shape[-1], 2).double() / x.shape[-1])
    even, odd = x[:, 0::2], x[:, 1::2]
    return torch.stack(
        [even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos()], -1
    ).flatten(-2)


def test_positions_and_segments_of_a_packed_row():
    """ "0 up to rounding; 1.2 with positions that run on; 1.4 without the segments. Only position vectors need the
    restart." """
    assert packed_and_alone("restart", True) < 1e-12
    assert packed_and_alone("on", True) == near(1.2, 1) and packed_and_alone("restart", False) == near(1.4, 1)
    for relative in ({"bias": 0.5}, {"turn": turned}):
        assert packed_and_alone("on", True, **relative) < 1e-12
        assert packed_and_alone("on", False, **relative) > 0.1


def test_what_padding_wastes():
    """ "Padding to 512 wastes 84%, padding to the longest of 32 texts 78%, packing 0.5%." """
    lengths = figures.text_lengths()
    assert len(lengths) == 1000 and lengths.max() == 512
    assert 1 - lengths.sum() / 512_000 == near(0.84, 2)
    assert 1 - lengths[:992].sum() / (32 * lengths[:992].reshape(-1, 32).max(1).sum()) == near(0.78, 2)
    tokens = encoders.pack([[5] * n for n in lengths], length=512, eos=1, pad=0)["tokens"]
    assert (tokens == 0).double().mean().item() == near(0.005, 3)


# --- Task 9 ------------------------------------------------------------------------------------


def test_how_many_corruptions():
    """ "1: the last three tokens, always. At T = 50 there are 17,220"; the derivation: C(n - 1, s - 1) C(T - n - 1, s - 1);
    1,140 and 816 are C(20, 3) and C(18, 3)."""
    assert list(law(encoders.random_spans, 20, given=("draw",))) == [(False,) * 17 + (True,) * 3]
    assert (math.comb(20, 3), math.comb(18, 3)) == (1140, 816)
    for T, density, mean_span in ((8, 0.5, 2.0), (9, 0.45, 1.3), (12, 0.4, 2.5)):
        drawn = law(encoders.random_spans, T, density=density, mean_span=mean_span, given=("draw",))
        hidden = list(drawn)[0]
        n, s = sum(hidden), sum(b and not a for a, b in itertools.pairwise([False, *hidden]))
        assert len(drawn) == math.comb(n - 1, s - 1) * math.comb(T - n - 1, s - 1)

    draw, _ = luck(0)
    hidden = encoders.random_spans(50, draw=draw)
    n, s = sum(hidden), sum(b and not a for a, b in itertools.pairwise([False, *hidden]))
    assert (n, s) == (8, 3) and math.comb(n - 1, s - 1) * math.comb(50 - n - 1, s - 1) == 17_220
    assert all(encoders.random_spans(50, draw=draw)[-1] for _ in range(50))


def test_the_lengths_of_both_texts():
    """The derivation: T - n + s + 1 and n + s + 2, on all masks of up to 10 tokens; "at T = 512, the two texts have 462 and
    105 tokens: the decoder writes a fifth of what the encoder reads"."""
    for T in range(1, 11):
        for hidden in itertools.product([False, True], repeat=T):
            n, s = sum(hidden), sum(b and not a for a, b in itertools.pairwise([False, *hidden]))
            source, target = encoders.span_corrupt(list(range(T)), hidden, n_vocab=99, eos=50)
            assert (len(source), len(target)) == (T - n + s + 1, n + s + 2)

    hidden = encoders.random_spans(512, draw=luck(0)[0])
    lengths = [len(text) for text in encoders.span_corrupt(list(range(512)), hidden, n_vocab=2000, eos=1999)]
    assert lengths == [462, 105] and 105 / 462 == near(0.2, 1)


def test_spans_by_hand():
    """ "Tokens 10 11 12 13 with 11 and 12 hidden, V = 100 and eos 1, give 10 99 13 1 and 99 11 12 98 1"; "T = 4, density
    0.5, mean_span 1: always [False, True, False, True]"."""
    texts = encoders.span_corrupt([10, 11, 12, 13], [False, True, True, False], n_vocab=100, eos=1)
    assert texts == ([10, 99, 13, 1], [99, 11, 12, 98, 1])
    assert encoders.restore(*texts, n_vocab=100) == [10, 11, 12, 13]
    assert dict(law(encoders.random_spans, 4, density=0.5, mean_span=1.0, given=("draw",))) == {
        (False, True, False, True): 1.0
    }


def test_which_places_are_hidden():
    """Figure `spans`: at 20 tokens the last three, at 50 the last one always and the first one never."""
    draw, _ = luck(0)
    share = np.mean([encoders.random_spans(50, draw=draw) for _ in range(200)], axis=0)
    assert share[-1] == 1 and share[0] == 0 and share[20:40].max() < 0.3
