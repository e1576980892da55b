"""Graded checks of the encoders assignment.

Every function is checked alone: a block is lent a cross-attention, a decoder's step a memory, `restore` two texts. What is
random is replayed along every branch (`coursekit.chance`), so probabilities are exact.

Values are compared with the reference's in one check for each feature. A property is asserted on the submission's own
answers first; where zeros have it too, the same check looks at values afterwards, on inputs for which conventions make
no difference or only `ROUGHLY`.
"""

import itertools
import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.chance import law
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close

F64 = torch.float64

# Far from zeros, halves and opposites, and near to an answer that misreads one convention. Only ever beside an exact
# check of the same function.
ROUGHLY = (0.3, 0.15)


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers, drawn in float64: the same ones for every dtype."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def integers(generator, low, high, *shape):
    """Integers in low .. high - 1."""
    return torch.randint(low, high, shape, generator=generator)


def some(generator, *shape, likely=0.5):
    """Booleans, True at least once in every row."""
    picked = torch.rand(*shape, generator=generator) < likely
    picked[..., 1] = True
    return picked


# --- Task 1: who may see whom ------------------------------------------------------------------


@number("1.1")
@weight(1.75)
@tags("visible")
@pytest.mark.parametrize("kind", ["bidirectional", "causal"])
def test_the_kind_decides_about_the_future(agree, kind):
    """A bidirectional mask hides nothing, a causal one hides what comes later, for any number of tokens."""
    for T in (1, 2, 7):
        agree("visible", kind, T)


@number("1.2")
@weight(1.25)
@tags("visible")
@pytest.mark.parametrize("batch", [False, True], ids=["one-prompt", "batch"])
def test_the_prompt_is_seen_by_all(agree, torch_rng, batch):
    """All see the whole prompt, the prompt's own tokens included; a batch may have prompts of different lengths."""
    for T in (5, 8):
        prefix = integers(torch_rng, 2, T, 2, 3) if batch else int(integers(torch_rng, 2, T, 1))
        agree("visible", "prefix", T, prefix=prefix)


@number("1.3")
@weight(1)
@tags("visible")
def test_prefixes_at_their_limits(impl, agree):
    """A prompt of no token leaves the causal mask, and one of all tokens the bidirectional one."""
    none, all_ = impl.visible("prefix", 6, prefix=0), impl.visible("prefix", 6, prefix=6)

    assert_close(none, impl.visible("causal", 6), name="mask of an empty prompt")
    assert_close(all_, impl.visible("bidirectional", 6), name="mask of a prompt and nothing else")
    agree("visible", "causal", 3)


@number("1.4")
@weight(2)
@tags("visible")
@pytest.mark.parametrize("kind", ["bidirectional", "causal"])
def test_padding_is_seen_by_nobody(agree, torch_rng, kind):
    """Padding hides as a key, on the left as on the right, and not as a query."""
    for T in (4, 6):
        real = some(torch_rng, 3, T)
        real[0, 0] = real[1, -1] = real[2, 2] = False
        agree("visible", kind, T, real=real)


@number("1.5")
@weight(1.5)
@tags("visible")
@pytest.mark.parametrize("kind", ["bidirectional", "causal"])
def test_segments_do_not_see_each_other(agree, torch_rng, kind):
    """A token sees its own text only, wherever the texts stand and whatever their numbers are."""
    for T in (5, 9):
        segments = integers(torch_rng, 0, 4, 2, T)
        segments[0, 0], segments[0, -1] = 1, 3
        agree("visible", kind, T, segments=segments)


@number("1.6")
@weight(0.5)
@tags("visible")
def test_all_rules_hold_at_once(agree, torch_rng):
    """Prompt, padding and segments together, with leading dimensions that broadcast: all of them must allow it."""
    T = 7
    prefix = integers(torch_rng, 2, 5, 3)
    real = some(torch_rng, 3, T, likely=0.7)
    segments = torch.tensor([1, 1, 2, 1, 2, 2, 2])

    agree("visible", "prefix", T, prefix=prefix, real=real, segments=segments)


# --- Task 2: what a stack of layers can see ----------------------------------------------------


def visible_ring(T):
    """Each token sees itself and its right neighbor, the last one the first."""
    return torch.eye(T, dtype=torch.bool) | torch.eye(T, dtype=torch.bool).roll(1, 1)


@number("2.1")
@weight(2)
@tags("reach")
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_reach_of_equal_layers(agree, torch_rng, n_layers):
    """Paths of at most as many steps as there are layers, along what the mask allows."""
    for likely in (0.15, 0.3):
        mask = (torch.rand(8, 8, generator=torch_rng) < likely) | torch.eye(8, dtype=torch.bool)
        mask[0, 7] = mask[7, 1] = True
        agree("reachable", [mask] * n_layers)


@number("2.2")
@weight(1)
@tags("reach")
def test_reach_of_different_layers(agree, torch_rng):
    """The first layer's mask is the first that information passes, the last layer's the last."""
    for n_layers in (2, 3, 5):
        masks = list(torch.rand(n_layers, 9, 9, generator=torch_rng) < 0.12)
        masks[0] = masks[0] | (torch.arange(9)[:, None] == torch.arange(9) + 1)
        agree("reachable", masks)


@number("2.3")
@weight(2)
@tags("reach")
def test_reach_never_shrinks(impl, agree):
    """In hundreds of layers, as in a few, all tokens of a text depend on each other, and on no other text."""
    segments = torch.arange(33) // 32
    mask = segments[:, None] == segments

    reached = impl.reachable([mask] * 208)  # 32^208 paths: more than a float64 holds, and 0 in 64 bits

    assert_close(reached, mask, name="reach of 208 layers")
    agree("reachable", [visible_ring(6)] * 2)


@number("2.4")
@weight(1)
@tags("reach")
def test_reach_goes_through_the_layers_between(impl, agree, torch_rng):
    """What two stacks reach, one on the other, is what the upper one reaches of what the lower one has reached."""
    mask = torch.rand(7, 7, generator=torch_rng) < 0.12
    lower, upper = [mask] * 2, [mask] * 3

    whole = impl.reachable(lower + upper)

    parts = impl.reachable(upper).double() @ impl.reachable(lower).double()
    assert_close(whole, parts > 0, name="reach of the whole stack")
    agree("reachable", [visible_ring(5)])


# --- Task 3: one vector for a text -------------------------------------------------------------

HOW = ("cls", "last", "mean", "max")


def lengths_mask(*lengths, T):
    """Padding on the right."""
    return torch.arange(T) < torch.tensor(lengths)[:, None]


@number("3.1")
@weight(1.25)
@tags("pool")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
def test_the_mean_is_over_the_texts_own_tokens(agree, torch_rng, dtype):
    """Each text's mean over its own real tokens, however many the others have."""
    states = normal(torch_rng, 2, 3, 6, 4, dtype=dtype) + 1

    agree("pool", states, some(torch_rng, 2, 3, 6), how="mean")


@number("3.2")
@weight(1.25)
@tags("pool")
def test_the_maximum_is_of_real_tokens(agree, torch_rng):
    """The largest real value in each feature, also where all of them are negative."""
    states = normal(torch_rng, 4, 6, 3)
    states[1] = -states[1].abs() - 1

    agree("pool", states, some(torch_rng, 4, 6), how="max")


@number("3.3")
@weight(1.5)
@tags("pool")
@pytest.mark.parametrize("how", ["cls", "last"])
def test_first_and_last_are_of_real_tokens(agree, torch_rng, how):
    """The first and the last real token, with padding on the left, on the right and in between."""
    states = normal(torch_rng, 3, 7, 2)
    real = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0, 0]]).bool()

    agree("pool", states, real, how=how)
    agree("pool", states[0], real[0], how=how)  # a single text


@number("3.4")
@weight(1)
@tags("pool")
@pytest.mark.parametrize("how", HOW)
def test_batch_mates_change_nothing(impl, agree, torch_rng, how):
    """A text's vector is the same alone and beside a longer one, padded on either side."""
    alone, other = normal(torch_rng, 3, 4) + 2, normal(torch_rng, 6, 4)
    right = torch.stack([torch.cat([alone, other[:3]]), other])
    left = torch.stack([torch.cat([other[:3], alone]), other])
    whole = torch.ones(3, dtype=torch.bool)

    vector = impl.pool(alone, whole, how=how)
    beside = impl.pool(right, lengths_mask(3, 6, T=6), how=how)[0]
    behind = impl.pool(left, lengths_mask(3, 6, T=6).flip(-1), how=how)[0]

    assert_close(beside, vector, name="vector of a text padded on the right")
    assert_close(behind, vector, name="vector of a text padded on the left")
    agree("pool", alone, whole, how=how)


@number("3.5")
@weight(1)
@tags("pool")
@pytest.mark.parametrize("how", HOW)
def test_padding_may_hold_anything(impl, agree, torch_rng, how):
    """NaN and infinities at padding change no vector."""
    states, real = normal(torch_rng, 2, 5, 3) + 1, lengths_mask(3, 4, T=5)
    junk = torch.tensor([math.nan, math.inf, -math.inf], dtype=F64).expand(2, 5, 3)

    clean = impl.pool(states.masked_fill(~real[..., None], 0.5), real, how=how)

    assert_close(impl.pool(torch.where(real[..., None], states, junk), real, how=how), clean, name="vector beside junk")
    agree("pool", states[:, :3], real[:, :3], how=how)


@number("3.6")
@weight(1)
@tags("pool")
@pytest.mark.parametrize("how", HOW)
def test_no_gradient_reaches_padding(impl, agree, vjp, torch_rng, how):
    """Padding gets gradient 0, even where it holds NaN, and real tokens get a finite one."""
    states, real = normal(torch_rng, 2, 5, 3), lengths_mask(3, 4, T=5)
    junk = states.masked_fill(~real[..., None], math.nan)

    (gradient,) = vjp(impl.pool, junk, real, how=how, wrt=(0,), cotangent=normal(torch_rng, 2, 3))

    assert_close(gradient[~real], torch.zeros(3, 3, dtype=F64), name="gradient at padding")
    assert bool(gradient.isfinite().all())
    agree.vjp("pool", states[:, :3], real[:, :3], how=how, wrt=(0,), cotangent=normal(torch_rng, 2, 3))


# --- Task 4: a decoder that reads a source -----------------------------------------------------


def random_layer(generator, d, d_source, dtype=F64):
    """Weights of a decoder's layer; queries and keys are small enough that no score decides alone."""

    def w(*shape):
        return normal(generator, *shape, dtype=dtype) / math.sqrt(shape[0])

    return {
        "self": tuple(w(d, d) for _ in range(4)),
        "cross": (w(d, d), w(d_source, d), w(d_source, d), w(d, d)),
        "mlp": (w(d, 2 * d), w(2 * d), w(2 * d, d), w(d)),
    }


@number("4.1")
@weight(2)
@tags("decoder")
@pytest.mark.parametrize(
    ("lead", "T", "S", "n_heads", "dtype"),
    [
        pytest.param((), 3, 5, 1, F64, id="one-head"),
        pytest.param((2,), 4, 1, 2, F64, id="one-source-token"),
        pytest.param((2, 3), 1, 6, 3, F64, id="three-heads"),
        pytest.param((2,), 4, 5, 2, torch.float32, id="float32"),
    ],
)
def test_queries_ask_and_the_source_answers(agree, torch_rng, lead, T, S, n_heads, dtype):
    """Queries come from x, keys and values from the source, of any width and length, in every head."""
    layer = random_layer(torch_rng, 6, 4, dtype)
    x, source = normal(torch_rng, *lead, T, 6, dtype=dtype), normal(torch_rng, *lead, S, 4, dtype=dtype)

    agree("cross_attention", x, source, layer["cross"], n_heads=n_heads)


@number("4.2")
@weight(2)
@tags("decoder")
def test_padding_of_the_source_is_not_read(agree, torch_rng):
    """Each row of a batch has its own padded source; every query reads the real tokens, in every head."""
    layer = random_layer(torch_rng, 4, 4)
    real = some(torch_rng, 3, 5)
    real[0, 0] = real[1, 4] = False

    agree("cross_attention", normal(torch_rng, 3, 2, 4), normal(torch_rng, 3, 5, 4), layer["cross"], n_heads=2, source_real=real)


@number("4.3")
@weight(1)
@tags("decoder")
def test_the_source_is_a_bag(impl, agree, torch_rng):
    """Shuffling the source together with its padding changes nothing, and all queries see all of it."""
    weights = random_layer(torch_rng, 4, 4)["cross"]
    x, source, real = normal(torch_rng, 4, 4), normal(torch_rng, 5, 4), torch.tensor([1, 1, 0, 1, 1]).bool()
    order = torch.tensor([3, 0, 4, 2, 1])

    out = impl.cross_attention(x, source, weights, source_real=real)

    shuffled = impl.cross_attention(x, source[order], weights, source_real=real[order])
    assert_close(shuffled, out, name="output for a shuffled source")
    agree("cross_attention", x, source[:1], weights)


def lent_cross(w):
    """A stand-in for `cross_attention` whose answer depends on all that it is given."""

    def cross(x, source, weights, *, n_heads=1, source_real=None):
        kept = source if source_real is None else source * source_real[..., None]
        return x @ w + n_heads * kept.sum(-2, keepdim=True) @ weights[1]

    return cross


def asleep(layer):
    """A layer whose sublayers all return 0."""
    return {"self": (*layer["self"][:3], 0 * layer["self"][3]), "cross": (*layer["cross"][:3], 0 * layer["cross"][3]),
            "mlp": tuple(0 * w for w in layer["mlp"])}  # fmt: skip


def passes_through(agree, x, source, layer):
    """Compare values where no convention matters: a block whose sublayers return 0 returns x."""
    agree("decoder_block", x, source, asleep(layer), norm=lambda x: x, cross=lambda x, *_, **__: 0 * x)


@number("4.4")
@weight(2)
@tags("decoder")
@pytest.mark.parametrize("T", [1, 4])
def test_three_sublayers_three_residuals(agree, torch_rng, T):
    """Self-attention, the source, the MLP, in this order, each with its own residual and its norm before it."""
    layer = random_layer(torch_rng, 4, 3)
    x, source = normal(torch_rng, 2, T, 4), normal(torch_rng, 2, 5, 3)
    layer["self"] = (0 * layer["self"][0], *layer["self"][1:])  # all that is seen counts alike

    agree("decoder_block", x[:, -1:], source, layer, cross=lent_cross(normal(torch_rng, 4, 4)))
    if T > 1:
        agree("decoder_block", x, source, layer, n_heads=2, norm=lambda x: 2 * x, cross=lent_cross(normal(torch_rng, 4, 4)))


@number("4.5")
@weight(1.5)
@tags("decoder")
def test_a_decoder_sees_no_future(impl, agree, torch_rng):
    """What changes at a token changes nothing before it, in no head; with one token there is no future to see."""
    layer = random_layer(torch_rng, 4, 4)
    x, source, cross = normal(torch_rng, 5, 4), normal(torch_rng, 3, 4), lent_cross(normal(torch_rng, 4, 4))
    other = torch.cat([x[:3], normal(torch_rng, 2, 4)])

    before, after = (impl.decoder_block(y, source, layer, n_heads=2, cross=cross)[:3] for y in (x, other))

    assert_close(after, before, name="output before the tokens that changed")
    assert float((before - x[:3]).abs().max()) > 1e-6
    passes_through(agree, x, source, layer)


@number("4.6")
@weight(1.5)
@tags("decoder")
def test_the_source_arrives_as_it_is(impl, agree, torch_rng):
    """The attention to the source is called once, with the source untouched, its weights, the heads and its padding."""
    layer = random_layer(torch_rng, 4, 3)
    x, source, real = normal(torch_rng, 2, 4, 4), 5 + normal(torch_rng, 2, 3, 3), some(torch_rng, 2, 3)
    got = []

    def cross(x, source, weights, **options):
        got.append((source, weights, options))
        return 0 * x

    out = impl.decoder_block(x, source, layer, n_heads=2, source_real=real, cross=cross)

    assert_close(got, [(source, layer["cross"], {"n_heads": 2, "source_real": real})], name="what the attention was given")
    assert bool(out.isfinite().all()) and float((out - x).abs().max()) > 1e-6
    passes_through(agree, x, source, layer)


@number("4.7")
@weight(1)
@tags("decoder")
def test_a_whole_layer(agree, torch_rng):
    """The block with your own attention to the source, heads and padding included."""
    layer = random_layer(torch_rng, 6, 4)
    real = some(torch_rng, 2, 5)
    real[0, 0] = real[1, 4] = False

    def block(impl, x, source):
        impl.cross_attention(x, source, layer["cross"])
        return impl.decoder_block(x, source, layer, n_heads=3, source_real=real)

    agree(block, normal(torch_rng, 2, 4, 6), normal(torch_rng, 2, 5, 4))


# --- Task 5: one token at a time ---------------------------------------------------------------


@number("5.1")
@weight(2)
@tags("memory")
@pytest.mark.parametrize("lead", [(), (2, 3)], ids=["one-source", "batch"])
def test_memory_is_projected_by_each_layer(agree, torch_rng, lead):
    """Keys and values of the source for each layer in order."""
    layers = [random_layer(torch_rng, 4, 3) for _ in range(3)]

    agree("encode_memory", normal(torch_rng, *lead, 5, 3), layers)


def layers_and_memory(generator, reference, lead=(), *, n_layers=2, S=4):
    """Layers, a source, and what the reference remembers of it."""
    layers = [random_layer(generator, 4, 3) for _ in range(n_layers)]
    source = normal(generator, *lead, S, 3)
    return layers, source, reference.encode_memory(source, layers)


def steps(impl, x, layers, memory, **options):
    """All tokens, one after the other: their outputs, and the past after the last."""
    past, outputs = None, []
    for t in range(x.shape[-2]):
        out, past = impl.decode_step(x[..., t : t + 1, :], layers, memory, past, **options)
        outputs.append(out)
    return outputs, past


@number("5.2")
@weight(1)
@tags("memory")
@pytest.mark.parametrize("n_layers", [1, 2])
def test_steps_are_the_whole_decoder(impl, reference, torch_rng, n_layers):
    """Token by token comes out what the layers give for all tokens at once."""
    layers, source, memory = layers_and_memory(torch_rng, reference, n_layers=n_layers)
    x = normal(torch_rng, 4, 4)

    outputs, _ = steps(impl, x, layers, memory)

    want = x
    for layer in layers:
        want = reference.decoder_block(want, source, layer)
    assert_close(torch.cat(outputs, dim=-2), want, name="outputs, token by token")


@number("5.3")
@weight(1)
@tags("memory")
def test_the_past_holds_keys_and_values(agree, reference, torch_rng):
    """After t tokens, t keys and values in each layer, the oldest first."""
    layers, _, memory = layers_and_memory(torch_rng, reference, (2,))

    agree(lambda impl, x: steps(impl, x, layers, memory)[1], normal(torch_rng, 2, 3, 4))


@number("5.4")
@weight(1.5)
@tags("memory")
def test_steps_with_heads_and_padding(agree, reference, torch_rng):
    """In several heads, in a batch whose sources are padded."""
    layers, _, memory = layers_and_memory(torch_rng, reference, (2,))
    layers = [{**layer, "mlp": tuple(0 * w for w in layer["mlp"])} for layer in layers]
    options = {"n_heads": 2, "source_real": torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1]]).bool(), "norm": lambda x: x}

    agree(lambda impl, x: steps(impl, x, layers, memory, **options)[0], normal(torch_rng, 2, 1, 4))


@number("5.5")
@weight(1.5)
@tags("memory")
def test_the_source_is_not_projected_again(impl, agree, reference, torch_rng):
    """Once the source is remembered, the weights that made its keys and values are not needed: without them every step is the
    same."""
    layers, _, memory = layers_and_memory(torch_rng, reference)
    bare = [{**layer, "cross": (layer["cross"][0], None, None, layer["cross"][3])} for layer in layers]
    x = normal(torch_rng, 2, 4)

    outputs, _ = steps(impl, x, layers, memory)
    without, _ = steps(impl, x, bare, memory)

    assert_close(without, outputs, name="outputs without these weights")
    assert all(float((out - before).abs().max()) > 1e-6 for out, before in zip(outputs, x.split(1), strict=True))
    # where no convention matters: layers whose sublayers return 0 return x
    agree(lambda impl, x: steps(impl, x, list(map(asleep, layers)), memory, norm=lambda x: x)[0], x)


@number("5.6")
@weight(1)
@tags("memory")
def test_every_sublayer_reads_through_the_norm(agree, reference, torch_rng):
    """With another norm, all three sublayers read what it returns, and x itself is never replaced by it."""
    layers, _, memory = layers_and_memory(torch_rng, reference, n_layers=1)

    agree(lambda impl, x: steps(impl, x, layers, memory, norm=lambda x: 2 * x + 1)[0], normal(torch_rng, 1, 4))


# --- Task 6: BERT's corruption -----------------------------------------------------------------

VOCABULARY = {"special": {0}, "mask_token": 1, "n_vocab": 6}
# Two tokens have (n_vocab + 3)^2 branches: where two are looked at and no word is special, few words say as much.
NO_SPECIAL = {"special": set()}


def laws(impl, tokens, look, **options):
    """How probable each thing to look at is, over all that can come out."""
    probabilities = {}
    for (text, labels), p in law(impl.mlm_corrupt, tokens, **{**VOCABULARY, **options}).items():
        seen = look(text, labels)
        probabilities[seen] = probabilities.get(seen, 0.0) + p
    return probabilities


def some_words(rng, n, n_vocab=6):
    """Different ordinary words."""
    return [int(word) for word in 2 + rng.permutation(n_vocab - 2)[:n]]


@number("6.1")
@weight(1.25)
@tags("corrupt")
def test_which_tokens_are_chosen(agree, rng):
    """Each token is chosen with the share asked for, independently of the others; 0.15 if nothing is said."""

    def chosen(impl, tokens, **options):
        return laws(impl, tokens, lambda text, labels: tuple(label != -100 for label in labels), **options)

    agree(chosen, some_words(rng, 1))
    agree(chosen, [0, 0], share=0.3, n_vocab=2, **NO_SPECIAL)


@number("6.2")
@weight(2.75)
@tags("corrupt")
def test_what_becomes_of_a_chosen_token(agree, rng):
    """8 in 10 are masked, 1 in 10 is drawn from the whole vocabulary, the others stay."""

    def becomes(impl, tokens, **options):
        return laws(impl, tokens, lambda text, labels: text, **options)

    agree(becomes, some_words(rng, 1))
    agree(becomes, some_words(rng, 1), n_vocab=9)


@number("6.3")
@weight(1.5)
@tags("corrupt")
def test_labels_are_the_original_tokens(agree, rng):
    """The label of a chosen token is what it was, whatever became of it; the others have none."""

    def asked(impl, tokens, **options):
        return laws(impl, tokens, lambda text, labels: labels, **options)

    agree(asked, [0, 2] if rng.random() < 0.5 else [2, 0], n_vocab=3, **NO_SPECIAL)
    agree(asked, [0, 0], n_vocab=2, **NO_SPECIAL)


@number("6.4")
@weight(2.25)
@tags("corrupt")
def test_special_tokens_are_never_chosen(impl, agree, rng):
    """Special tokens stay as they are and are not asked for, whatever their number is."""
    tokens = [0, *some_words(rng, 1), 3, 0]
    special = {"special": {0, 3}}

    possible = law(impl.mlm_corrupt, tokens, **{**VOCABULARY, **special})

    own = {((text[0], *text[2:]), (labels[0], *labels[2:])) for text, labels in possible}
    assert own == {((0, 3, 0), (-100, -100, -100))}
    agree(lambda impl: laws(impl, tokens, lambda text, labels: len(text) + len(labels), **special))


@number("6.5")
@weight(1.25)
@tags("corrupt")
def test_tokens_are_changed_independently(impl, agree, rng):
    """What becomes of one token says nothing about what becomes of another."""
    tokens = [0, 2] if rng.random() < 0.5 else [2, 0]
    options = {**VOCABULARY, **NO_SPECIAL, "n_vocab": 3}

    both = law(impl.mlm_corrupt, tokens, **options)

    alone = [{}, {}]
    for (text, labels), p in both.items():
        for place in (0, 1):
            key = text[place], labels[place]
            alone[place][key] = alone[place].get(key, 0.0) + p
    pairs = list(itertools.product(*(one.items() for one in alone)))
    joint = [both.get(tuple(zip(first, second, strict=True)), 0.0) for (first, _), (second, _) in pairs]
    assert_close(joint, [p * q for (_, p), (_, q) in pairs], name="probabilities of two changes together")
    assert len(alone[0]) > 1
    agree(lambda impl: laws(impl, tokens[:1], lambda text, labels: tuple(sorted({*labels, *tokens, -100})), **options))


# --- Task 7: three losses ----------------------------------------------------------------------


@number("7.1")
@weight(1)
@tags("losses")
@pytest.mark.parametrize("lead", [(7,), (3, 4)], ids=["one-text", "batch"])
def test_mlm_loss_is_a_mean_over_labels(agree, torch_rng, lead):
    """The mean over all labels that ask for something, whichever rows they stand in."""
    labels = integers(torch_rng, 0, 5, *lead)
    labels[integers(torch_rng, 0, 2, *lead) == 0] = -100
    labels[0] = labels[0] * 0 + 3  # a row of labels beside emptier ones
    labels[-1] = -100

    agree("mlm_loss", 2 * normal(torch_rng, *lead, 5), labels)


@number("7.2")
@weight(1)
@tags("losses")
def test_only_chosen_tokens_teach(impl, agree, vjp, torch_rng):
    """Where there is no label the gradient is 0; where there is none at all, everywhere, and the loss is 0."""
    logits, labels = normal(torch_rng, 2, 3, 4), torch.tensor([[1, -100, 3], [-100, 0, -100]])
    one = torch.ones((), dtype=F64)

    (gradient,) = vjp(impl.mlm_loss, logits, labels, wrt=(0,), cotangent=one)
    loss = impl.mlm_loss(logits, torch.full((2, 3), -100))
    (nothing,) = vjp(impl.mlm_loss, logits, torch.full((2, 3), -100), wrt=(0,), cotangent=one)

    assert_close(gradient[labels == -100], torch.zeros(3, 4, dtype=F64), name="gradient where there is no label")
    assert_close(loss, 0 * one, name="loss without labels")
    assert_close(nothing, 0 * logits, name="gradient without labels")
    agree.vjp("mlm_loss", logits[0, :1], labels[0, :1], wrt=(0,), cotangent=one)


@number("7.3")
@weight(0.25)
@tags("losses")
def test_mlm_loss_of_large_logits_is_finite(agree, torch_rng):
    """Logits of any size give a finite loss."""
    agree("mlm_loss", 5000 * normal(torch_rng, 4, 5), torch.tensor([0, 1, 2, 3]))


def reader(generator, n_vocab):
    """A model whose answer at a place depends on this place and on every other one, each in its own way."""
    own, others = normal(generator, n_vocab, n_vocab), normal(generator, 8, n_vocab, n_vocab)

    def model(ids):
        logits = own[ids]  # (N, T, V)
        for step in range(1, ids.shape[-1]):
            logits = logits + others[step][ids.roll(step, dims=-1)]
        return logits

    return model


@number("7.4")
@weight(1.25)
@tags("losses")
def test_each_word_is_hidden_alone(agree, torch_rng):
    """One word at a time is hidden, and all others are seen; the logarithms add up."""
    model, tokens = reader(torch_rng, 6), integers(torch_rng, 0, 5, 5)

    agree("pseudo_log_likelihood", model, tokens, mask_token=5)
    agree("pseudo_log_likelihood", model, tokens[:1], mask_token=5)


@number("7.5")
@weight(1.5)
@tags("losses")
def test_special_tokens_are_no_words(agree, torch_rng):
    """Special tokens are always seen, and never asked for."""
    for tokens in (torch.tensor([0, 1, 3]), torch.tensor([1, 1, 0, 4])):
        agree("pseudo_log_likelihood", reader(torch_rng, 6), tokens, mask_token=5, special={0, 1})


@number("7.6")
@weight(1)
@tags("losses")
def test_the_decoder_reads_what_came_before(impl, agree, torch_rng):
    """The decoder's input begins with the start token and is one step behind the targets."""
    targets, logits = integers(torch_rng, 2, 6, 3, 4), normal(torch_rng, 3, 4, 6)
    fed = []

    def model(ids):
        fed.append(ids)
        return logits[:, : ids.shape[1]]

    impl.seq2seq_loss(model, targets, start=1, pad=0)

    start = torch.ones(3, 1, dtype=torch.int64)
    assert_close(fed, [torch.cat([start, targets[:, :-1]], dim=1)], name="decoder input, call by call")
    # whichever targets count: each costs as much
    agree(lambda impl: impl.seq2seq_loss(lambda ids: 0.0 * logits[:, : ids.shape[1]], targets, start=1, pad=0))


@number("7.7")
@weight(1)
@tags("losses")
@pytest.mark.parametrize("start", [1, 0], ids=["own-start", "start-is-pad"])
def test_padding_is_no_target(agree, torch_rng, start):
    """The mean over all targets of the batch that are not padding, also where the start token is the padding token."""
    targets = integers(torch_rng, 2, 6, 3, 5)
    targets[1, 2:] = targets[2, 1:] = 0
    logits = 2 * normal(torch_rng, 3, 5, 6)

    agree(lambda impl: impl.seq2seq_loss(lambda ids: logits[:, : ids.shape[1]], targets, start=start, pad=0))


# --- Task 8: packing ---------------------------------------------------------------------------

# Lengths of documents, and of a row: a row that ends within a document, with one, with eos alone; a document over three
# rows; empty documents; rows of one token; a single row.
STREAMS = [((3, 4, 2), 5), ((7, 1, 12), 6), ((0, 2, 0), 3), ((1, 2), 1), ((2, 1), 9)]
IDS = ["cuts", "long", "empty", "rows-of-one", "one-row"]


def some_documents(rng, lengths):
    return [[int(token) for token in rng.integers(2, 50, n)] for n in lengths]


def pack_column(name):
    return lambda impl, *args, **options: impl.pack(*args, **options)[name]


@number("8.1")
@weight(2.5)
@tags("pack")
@pytest.mark.parametrize(("lengths", "length"), STREAMS, ids=IDS)
def test_rows_are_filled_to_the_brim(agree, rng, lengths, length):
    """All documents in order, an eos after each, cut only where a row is full; padding at the end alone."""
    agree(pack_column("tokens"), some_documents(rng, lengths), length=length, eos=1, pad=0)


@number("8.2")
@weight(2)
@tags("pack")
@pytest.mark.parametrize(("lengths", "length"), STREAMS, ids=IDS)
def test_every_piece_is_a_segment(agree, rng, lengths, length):
    """The pieces of each row are numbered from 1, with the eos that ends them."""
    agree(pack_column("segments"), some_documents(rng, lengths), length=length, eos=1, pad=0)


@number("8.3")
@weight(1.5)
@tags("pack")
@pytest.mark.parametrize(("lengths", "length"), STREAMS, ids=IDS)
def test_positions_belong_to_documents(agree, rng, lengths, length):
    """Each document counts from 0, and goes on counting in the next row."""
    agree(pack_column("positions"), some_documents(rng, lengths), length=length, eos=1, pad=0)


@number("8.4")
@weight(2)
@tags("pack")
@pytest.mark.parametrize(("lengths", "length"), STREAMS, ids=IDS)
def test_labels_stay_in_their_piece(agree, rng, lengths, length):
    """Each token is to predict the next one of its piece, eos included, and the last one of a piece nothing."""
    documents = some_documents(rng, lengths)
    documents[0] = [1, *documents[0][1:]]  # a document may contain eos

    agree(pack_column("labels"), documents, length=length, eos=1, pad=0)


@number("8.5")
@weight(1)
@tags("pack")
def test_a_packed_piece_is_as_if_alone(impl, reference, rng):
    """A model with position vectors gives each piece what it gives the piece alone, at its positions in the document."""
    layers = reference.random_layers(int(rng.integers(100)), n_layers=2, d=4)
    table = torch.from_numpy(rng.normal(size=(50, 4)))
    documents, length = some_documents(rng, (3, 6, 2)), 5

    def model(tokens, positions, **rules):
        x = table[tokens] + reference.sinusoids(positions, 4)
        return reference.encoder(x, layers, mask=reference.visible("causal", tokens.shape[-1], **rules))

    packed = impl.pack(documents, length=length, eos=1, pad=0)
    rows = model(packed["tokens"], packed["positions"], segments=packed["segments"]).flatten(0, 1)

    start, assembled = 0, []
    for document in documents:
        stream, done = torch.tensor([*document, 1]), 0
        while done < len(stream):
            n = min(len(stream) - done, length - start % length)
            piece = slice(done, done + n)
            assembled.append(model(stream[piece], torch.arange(len(stream))[piece]))
            start, done = start + n, done + n
    assert_close(rows[:start], torch.cat(assembled), name="output of the model")


# --- Task 9: T5's corruption -------------------------------------------------------------------


@number("9.1")
@weight(2.25)
@tags("spans")
@pytest.mark.parametrize(
    ("T", "options"),
    [
        pytest.param(9, {"density": 0.45, "mean_span": 2.0}, id="two-spans"),
        pytest.param(8, {"density": 0.5, "mean_span": 1.3}, id="three-spans"),
        pytest.param(6, {"density": 0.7, "mean_span": 1.0}, id="few-gaps"),
        pytest.param(7, {}, id="defaults"),
    ],
)
def test_all_ways_to_cut_are_equally_likely(agree, T, options):
    """All corruptions of a text, with their probabilities."""
    agree(lambda impl: law(impl.random_spans, T, **options, given=("draw",)))


@number("9.2")
@weight(1.5)
@tags("spans")
@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_how_many_tokens_and_spans(agree, last):
    """n and s are rounded to the nearest, halves to the even number, and stay within their limits."""

    def first_or_last(p):
        possible = [index for index, share in enumerate(p) if share > 1e-9]
        return possible[-1 if last else 0]

    def counts(impl, T, **options):
        hidden = impl.random_spans(T, **options, draw=first_or_last)
        spans = sum(b and not a for a, b in itertools.pairwise([False, *hidden]))
        return len(hidden), sum(hidden), spans

    # at the limits 1 and T - 1; halves of n and of s; more spans than visible tokens, than hidden ones
    for T, density, mean_span in (
        (2, 0.01, 3.0), (6, 0.99, 3.0), (10, 0.25, 1.0), (10, 0.35, 1.0), (12, 0.5, 4.0), (20, 0.5, 4.0), (10, 0.8, 1.0),
        (12, 0.25, 0.4), (100, 0.15, 3.0),
    ):  # fmt: skip
        agree(counts, T, density=density, mean_span=mean_span)


def masks_of(rng, T):
    """Random masks, besides those that begin hidden, end visible, hide all and nothing."""
    masks = [[bool(x) for x in rng.integers(0, 2, T)] for _ in range(4)]
    masks[0][0], masks[1][-1] = True, False
    return [*masks, [True] * T, [False] * T]


@number("9.3")
@weight(1.75)
@tags("spans")
@pytest.mark.parametrize("T", [1, 9])
def test_spans_become_sentinels(agree, rng, T):
    """One sentinel for each run of hidden tokens, wherever it stands; the target tells what it held."""
    tokens = [int(token) for token in rng.integers(2, 40, T)]

    for hidden in masks_of(rng, T):
        agree("span_corrupt", tokens, hidden, n_vocab=60, eos=1)


@number("9.4")
@weight(1.5)
@tags("spans")
def test_the_text_comes_back(agree, reference, rng):
    """From input and target alone, whatever was hidden; eos may be a token of the text."""
    tokens = [int(token) for token in rng.integers(1, 5, 10)]
    tokens[2] = tokens[7] = 1

    for hidden in masks_of(rng, 10):
        source, target = reference.span_corrupt(tokens, hidden, n_vocab=60, eos=1)
        agree("restore", source, target, n_vocab=60)


@number("9.5")
@weight(1)
@tags("spans")
def test_nothing_is_lost(impl):
    """All ways to hide parts of five tokens: what you corrupt, you restore, and nothing stands in both texts."""
    tokens = [11, 12, 13, 14, 15]

    for hidden in itertools.product([False, True], repeat=5):
        source, target = impl.span_corrupt(tokens, list(hidden), n_vocab=60, eos=1)
        assert sorted(token for token in [*source, *target] if 10 < token < 20) == tokens
        assert_close(impl.restore(source, target, n_vocab=60), tokens, name="the restored text")


def calls(reference, torch_rng):
    """For each function, how arguments are made that are worth changing."""
    layers, source, memory = layers_and_memory(torch_rng, reference)
    states, real = normal(torch_rng, 2, 3, 4), torch.tensor([[1, 1, 0], [0, 1, 1]]).bool()
    labels = torch.tensor([1, -100, 2])
    masks = list(torch.rand(2, 5, 5, generator=torch_rng) < 0.3)
    x = normal(torch_rng, 3, 4)
    tokens = [3, 4, 5]
    hidden = [True, False, True]
    likeliest = {"draw": lambda p: max(range(len(p)), key=list(p).__getitem__), "flip": lambda p: p >= 0.5}
    return {
        "visible": lambda: (("prefix", 3), {"prefix": torch.tensor([1, 2]), "real": real, "segments": torch.tensor([1, 1, 2])}),
        "reachable": lambda: ((masks,), {}),
        "pool": lambda: ((states, real), {"how": "mean"}),
        "cross_attention": lambda: ((x, source, layers[0]["cross"]), {}),
        "decoder_block": lambda: ((x, source, layers[0]), {"cross": lent_cross(normal(torch_rng, 4, 4))}),
        "encode_memory": lambda: ((source, layers), {}),
        "decode_step": lambda: ((x[1:2], layers, memory, reference.decode_step(x[:1], layers, memory, None)[1]), {}),
        "mlm_corrupt": lambda: ((tokens,), {**VOCABULARY, "share": 1.0, **likeliest}),
        "mlm_loss": lambda: ((x, labels), {}),
        "pseudo_log_likelihood": lambda: ((reader(torch_rng, 6), torch.tensor(tokens)), {"mask_token": 2}),
        "seq2seq_loss": lambda: ((lambda ids: states, torch.tensor([[1, 2, 0], [3, 1, 2]])), {"start": 1, "pad": 0}),
        "pack": lambda: (([tokens, [6, 7]],), {"length": 4, "eos": 1, "pad": 0}),
        "span_corrupt": lambda: ((tokens, hidden), {"n_vocab": 60, "eos": 1}),
        "restore": lambda: (reference.span_corrupt(tokens, hidden, n_vocab=60, eos=1), {"n_vocab": 60}),
    }


NAMES = (
    "visible", "reachable", "pool", "cross_attention", "decoder_block", "encode_memory", "decode_step", "mlm_corrupt",
    "mlm_loss", "pseudo_log_likelihood", "seq2seq_loss", "pack", "span_corrupt", "restore",
)  # fmt: skip


@number("9.6")
@weight(1)
@tags("spans")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_handed_in_is_changed(impl, reference, torch_rng, name):
    """No function of any task changes the tensors, lists and dicts that it is given."""
    args, options = calls(reference, torch_rng)[name]()

    answer = assert_leaves_arguments(getattr(impl, name), *args, name=name, **options)

    assert_close(answer, getattr(reference, name)(*args, **options), rtol=1e-5, atol=1e-6, name=name)
