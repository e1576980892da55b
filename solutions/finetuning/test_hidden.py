"""Graded checks of the fine-tuning assignment.

Each task is checked on inputs made here; only the last check of Task 8 lets two functions of the submission meet. Inputs are
float64 unless a check is about another dtype. Nothing is statistical: everything is exact for every seed.
"""

import itertools
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


def token_ids(rng, *shape, vocab=8):
    """Random token ids."""
    return torch.from_numpy(rng.integers(0, vocab, size=shape))


# --- Task 1: a conversation as tokens ----------------------------------------------------------

ROLES = ("system", "user", "assistant")


def conversation(rng, *, special=False):
    """Headers, end_of_turn, and turns of different lengths; with `special`, the words contain the ids of the other two."""
    headers = {"system": [90], "user": [91, 92, 93], "assistant": [91, 94]}
    vocabulary = [90, 91, 92, 93, 94, 99] if special else range(10, 80)
    roles = ["system", "user", "assistant", "user", "assistant", "assistant", "user"]
    turns = [(role, rng.choice(vocabulary, size=n).tolist()) for role, n in zip(roles, rng.permutation(7) + 1, strict=True)]
    return turns, {"headers": headers, "end_of_turn": 99}


def parts(turns, options):
    """Of each turn: its role, and the slices of its header, its words and its end in the row of ids."""
    start, result = 0, []
    for role, words in turns:
        stops = list(itertools.accumulate([len(options["headers"][role]), len(words), 1], initial=start))
        result.append((role, *(slice(a, b) for a, b in itertools.pairwise(stops))))
        start = stops[-1]
    return result


def replies(turns, options):
    """The parts of the assistant's turns."""
    return [part for part in parts(turns, options) if part[0] == "assistant"]


@number("1.1")
@weight(1)
@tags("chat")
@pytest.mark.parametrize("special", [False, True], ids=["ordinary words", "words with the headers' ids"])
def test_each_turn_is_header_words_and_end(impl, reference, rng, special):
    """The ids of each turn are its header, its words as they are, and one end_of_turn, turn after turn."""
    turns, options = conversation(rng, special=special)
    turns[2] = ("assistant", [])

    for n in (1, 3, 7):
        ids, _ = impl.render_chat(turns[:n], **options)
        assert_close(ids, reference.render_chat(turns[:n], **options)[0], name="ids")


def marked(row, where):
    """The ids and the mask there, side by side: a mask says nothing apart from the ids that it is about."""
    ids, mask = row
    return list(zip(ids[where], mask[where], strict=True))


@number("1.2")
@weight(3)
@tags("chat")
@pytest.mark.parametrize("special", [False, True], ids=["ordinary words", "words with the headers' ids"])
def test_all_words_of_replies_count(impl, rng, special):
    """Each word of each of the assistant's turns counts, whatever its id is."""
    turns, options = conversation(rng, special=special)

    row = impl.render_chat(turns, **options)

    for _, _, words, _ in replies(turns, options):
        want = [(token, True) for token in row[0][words]]
        assert_close(marked(row, words), want, name="words of a reply, and whether they count")
    assert_close(row[0][1 : 1 + len(turns[0][1])], turns[0][1], name="the first words")


@number("1.3")
@weight(2)
@tags("chat")
@pytest.mark.parametrize("words", ["some", "none"])
def test_the_end_of_a_reply_counts(impl, rng, words):
    """The assistant must end its turns itself, even if it said nothing."""
    turns, options = conversation(rng)
    if words == "none":
        turns[4] = ("assistant", [])

    row = impl.render_chat(turns, **options)

    for _, _, _, end in replies(turns, options):
        assert_close(marked(row, end), [(99, True)], name="end of a reply, and whether it counts")


@number("1.4")
@weight(1)
@tags("chat")
def test_headers_do_not_count(impl, rng):
    """No header counts, not even the assistant's."""
    turns, options = conversation(rng)

    row = impl.render_chat(turns, **options)

    for role, header, _, _ in parts(turns, options):
        want = [(token, False) for token in options["headers"][role]]
        assert_close(marked(row, header), want, name=f"header of the {role}, and whether it counts")


@number("1.5")
@weight(1)
@tags("chat")
def test_turns_of_others_do_not_count(impl, rng):
    """The model learns neither the words of the user and of the system nor where their turns end."""
    turns, options = conversation(rng)

    row = impl.render_chat(turns, **options)

    others = [(words, part) for (_, words), part in zip(turns, parts(turns, options), strict=True) if part[0] != "assistant"]
    for words, (role, _, where, end) in others[:-1]:  # the conversation's last turn is looked at elsewhere
        want = [(token, False) for token in (*words, 99)]
        assert_close(marked(row, slice(where.start, end.stop)), want, name=f"turn of the {role}, and whether it counts")


@number("1.6")
@weight(1)
@tags("chat")
@pytest.mark.parametrize("n", [3, 5, 7], ids=["one reply", "a reply last", "the user last"])
def test_only_the_last_reply_counts(impl, rng, n):
    """With only_last, the first words of the assistant's turns count in the last of these turns alone."""
    turns, options = conversation(rng)

    row = impl.render_chat(turns[:n], **options, only_last=True)

    turns = turns[:n]
    layout = zip(turns, parts(turns, options), strict=True)
    found = [(words[0], where.start) for (_, words), (role, _, where, _) in layout if role == "assistant"]
    want = [(word, i == len(found) - 1) for i, (word, _) in enumerate(found)]
    got = [(row[0][start], row[1][start]) for _, start in found]
    assert_close(got, want, name="first words of replies, and whether they count")


@number("1.7")
@weight(1)
@tags("chat")
def test_an_open_reply_is_a_header(impl, rng):
    """open_reply adds the assistant's header and nothing else, and the header does not count."""
    turns, options = conversation(rng)

    closed, opened = (impl.render_chat(turns, **options, open_reply=reply) for reply in (False, True))

    n = len(closed[0])
    assert_close(opened[0][:n], closed[0], name="ids before the open reply")
    assert_close(marked(opened, slice(n, None)), [(91, False), (94, False)], name="the open reply, and whether it counts")


# --- Task 2: one gradient from many batches ----------------------------------------------------


def random_mask(rng, *shape, n_tokens=None):
    """A mask with a given or a random number of True in each row, never at the first token."""
    mask = torch.zeros(shape, dtype=torch.bool)
    for row in mask:
        n = int(rng.integers(1, shape[1])) if n_tokens is None else n_tokens
        row[1 + torch.from_numpy(rng.permutation(shape[1] - 1)[:n])] = True
    return mask


@number("2.1")
@weight(3)
@tags("sft")
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        pytest.param(F64, 1.0, id="float64"),
        pytest.param(torch.float32, 1.0, id="float32"),
        pytest.param(F64, 2000.0, id="large logits"),
    ],
)
def test_a_token_is_predicted_by_the_logits_before_it(agree, rng, torch_rng, dtype, scale):
    """A single row of which one token counts: its surprise under the logits one position earlier."""
    logits, ids = scale * normal(torch_rng, 1, 6, 8, dtype=dtype), token_ids(rng, 1, 6)

    agree("sft_loss", logits, ids, random_mask(rng, 1, 6, n_tokens=1))


@number("2.2")
@weight(2)
@tags("sft")
def test_all_counted_tokens_have_the_same_weight(impl, rng, torch_rng):
    """Logits that are the same everywhere: the loss of a batch whose rows count 1, 2 and 5 tokens is the plain mean over the eight."""
    surprise = -normal(torch_rng, 8).log_softmax(-1)
    ids, mask = token_ids(rng, 3, 8), torch.zeros(3, 8, dtype=torch.bool)
    for row, n in enumerate((1, 2, 5)):
        mask[row, 2 + torch.from_numpy(rng.permutation(6)[:n])] = True

    loss = impl.sft_loss(-surprise.expand(3, 8, 8), ids, mask)

    assert_close(loss, surprise[ids[mask]].mean(), name="loss of the batch")


@number("2.3")
@weight(1)
@tags("sft")
def test_only_what_counts_is_read(impl, rng, torch_rng):
    """One token counts. Other ids, -100 included, and other logits, where they don't predict it, are not read; nor is a first token
    that is marked."""
    surprise = -normal(torch_rng, 8).log_softmax(-1)
    mask = random_mask(rng, 1, 6, n_tokens=1)
    ids = token_ids(rng, 1, 6)
    predicts = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], 1)
    logits = torch.where(predicts[..., None], -surprise, 9 * normal(torch_rng, 1, 6, 8))
    also_first = mask.clone()
    also_first[:, 0] = True

    want = surprise[ids[mask]][0]
    assert_close(impl.sft_loss(logits, ids.masked_fill(~mask, -100), mask), want, name="loss")
    assert_close(impl.sft_loss(logits, ids.masked_fill(~mask, -100), also_first), want, name="loss with a marked first token")


@number("2.4")
@weight(1)
@tags("sft")
@pytest.mark.parametrize("case", ["some count", "none counts"])
def test_gradients_reach_the_logits_that_predict(agree, vjp, impl, rng, torch_rng, case):
    """Only logits that predict a counted token have a gradient; with none, the loss is 0 and every gradient is 0, not NaN."""
    logits, ids, mask = normal(torch_rng, 1, 6, 5), token_ids(rng, 1, 6, vocab=5), random_mask(rng, 1, 6, n_tokens=1)
    cotangent = torch.tensor(1.5, dtype=F64)

    agree.vjp("sft_loss", logits, ids, mask, wrt=(0,), cotangent=cotangent)
    if case == "none counts":
        none = mask & False
        loss = agree("sft_loss", logits, ids, none)
        assert_close(loss, torch.tensor(0.0, dtype=F64), name="loss where nothing counts")
        (gradient,) = vjp(impl.sft_loss, logits, ids, none, wrt=(0,), cotangent=cotangent)
        assert_close(gradient, torch.zeros_like(logits), name="gradient where nothing counts")


def bigrams(torch_rng, vocab=5):
    """A model in two tables, and the function that gives the loss of a batch and its gradients."""
    weights = {"E": normal(torch_rng, vocab, 3), "W": normal(torch_rng, 3, vocab)}

    def loss_and_gradients(ids, mask):
        E, W = (weights[name].clone().requires_grad_() for name in "EW")
        surprise = torch.nn.functional.cross_entropy((E[ids[:, :-1]] @ W).flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        counts = mask[:, 1:].flatten()
        loss = (surprise * counts).sum() / counts.sum()
        return loss.detach(), dict(zip("EW", torch.autograd.grad(loss, (E, W)), strict=True))

    return loss_and_gradients


def rows_to_split(rng):
    """Six rows that count from none to all of their tokens, some the first one, too."""
    ids, mask = token_ids(rng, 6, 7, vocab=5), torch.zeros(6, 7, dtype=torch.bool)
    for row, n in enumerate(rng.permutation([0, 1, 1, 2, 4, 6])):
        mask[row, 1 : 1 + n] = True
    mask[:, 0] = torch.from_numpy(rng.permutation([True, False, True, False, True, True]))
    return ids, mask


@number("2.5")
@weight(2)
@tags("sft")
@pytest.mark.parametrize("sizes", [[6], [1, 5], [2, 1, 3], [1] * 6], ids=str)
def test_the_split_does_not_matter(agree, rng, torch_rng, sizes):
    """Loss and gradients of the whole batch, however its rows are spread over micro-batches."""
    ids, mask = rows_to_split(rng)
    loss_and_gradients = bigrams(torch_rng)
    batches = list(zip(ids.split(sizes), mask.split(sizes), strict=True))

    loss, gradients = agree("accumulate", batches, loss_and_gradients)

    whole, whole_gradients = loss_and_gradients(ids, mask)
    assert_close(loss, whole, name="loss")
    assert_close(gradients, whole_gradients, name="gradients")


@number("2.6")
@weight(1)
@tags("sft")
@pytest.mark.own_worker
def test_each_micro_batch_is_asked_for_once(impl, rng, torch_rng):
    """One call for each micro-batch in which some token counts, and none for the others; each call gets a micro-batch as it is. If all
    give the same answer, it is the answer."""
    ids, mask = rows_to_split(rng)
    answer = torch.tensor(2.5, dtype=F64), {"W": normal(torch_rng, 2, 3), "b": normal(torch_rng, 3)}
    asked = []

    def loss_and_gradients(ids, mask):
        asked.append((ids.tolist(), mask.tolist()))
        return answer

    batches = list(zip(ids.split(1), mask.split(1), strict=True))
    got = impl.accumulate(batches, loss_and_gradients)

    want = [(ids.tolist(), mask.tolist()) for ids, mask in batches if mask[:, 1:].any()]
    assert_close(len(asked), len(want), name="number of calls")
    assert_close(sorted(asked), sorted(want), name="what was handed over, sorted")
    assert_close(got, answer, name="loss and gradients")


# --- Task 3: several examples in one row -------------------------------------------------------


def random_lengths(rng, case):
    """Lengths of examples, with ties."""
    return {
        "mixed": rng.integers(1, 17, size=12).tolist(),
        "many short": rng.integers(1, 6, size=15).tolist(),
        "halves": rng.permutation([8] * 4 + [9, 7, 7, 9, 1, 1, 1]).tolist(),
        "a later row is fuller": rng.permutation([12, 8, 5, 2, 2]).tolist(),
    }[case]


@number("3.1")
@weight(2)
@tags("packing")
@pytest.mark.parametrize("case", ["mixed", "many short", "halves", "a later row is fuller"])
def test_the_fullest_row_with_room_is_used(agree, rng, case):
    """Which examples share a row: longest first, each into the fullest row with room; ties as the docstring has it."""
    agree("best_fit", random_lengths(rng, case), row_len=16)
    agree("best_fit", [16], row_len=16)


@number("3.2")
@weight(1)
@tags("packing")
def test_every_example_has_one_place(impl, rng):
    """Every example is in exactly one row, no row holds more than it can, and no two rows would fit into one."""
    lengths = random_lengths(rng, "mixed")

    rows = impl.best_fit(lengths, row_len=16)

    assert_close(sorted(i for row in rows for i in row), list(range(len(lengths))), name="all examples, sorted")
    used = sorted(sum(lengths[i] for i in row) for row in rows)
    assert_close(max(used[-1], 16), 16, name="tokens in the fullest row, or 16")
    assert_close(len(used) > 1 and used[0] + used[1] <= 16, False, name="whether the two emptiest rows would fit into one")


def random_examples(rng):
    """Examples of different lengths, each with its mask, and rows into which they fit."""
    lengths = rng.permutation([1, 2, 3, 4, 5, 6])
    examples = [(rng.integers(1, 8, size=n).tolist(), (rng.random(n) < 0.7).tolist()) for n in lengths]
    examples[0][1][0] = examples[3][1][0] = True  # counted first tokens
    rows = [[3, 0], [5], [1, 4, 2]]
    return examples, rows, max(sum(int(lengths[i]) for i in row) for row in rows) + 1


@number("3.3")
@weight(2)
@tags("packing")
def test_rows_hold_their_examples(impl, reference, rng):
    """The ids of each row: its examples in order, then padding."""
    examples, rows, row_len = random_examples(rng)

    for pad in (0, 3):
        ids = impl.packed_batch(examples, rows, row_len=row_len, pad=pad)[0]
        assert_close(ids, reference.packed_batch(examples, rows, row_len=row_len, pad=pad)[0], name="ids")


@number("3.4")
@weight(2)
@tags("packing")
@pytest.mark.parametrize("which", ["positions", "segments"])
def test_each_token_knows_its_example(impl, reference, rng, which):
    """Positions begin anew in every example, and segments number the examples of a row from 1; both are 0 at padding."""
    examples, rows, row_len = random_examples(rng)

    got, want = ((kit.packed_batch(examples, rows, row_len=row_len, pad=0)) for kit in (impl, reference))

    index = {"positions": 2, "segments": 3}[which]
    assert_close(got[index], want[index], name=which)


def surprises(ids, positions, seen, mask, tables):
    """The sum of -log p over counted tokens of a small attention model; `seen` says which token sees which."""
    embedding, places, W = tables
    x = embedding[ids] + places[positions]
    scores = (x @ W) @ x.transpose(-1, -2)
    mixed = scores.masked_fill(~seen, -math.inf).softmax(-1) @ x
    logp = (x + mixed).matmul(embedding.T).log_softmax(-1)[:, :-1]
    picked = logp.gather(-1, ids[:, 1:, None])[..., 0]
    return -(picked * mask[:, 1:]).sum()


@number("3.5")
@weight(1)
@tags("packing")
@pytest.mark.parametrize("marked", [False, True], ids=["first tokens unmarked", "first tokens marked"])
def test_packing_changes_no_loss(impl, rng, torch_rng, marked):
    """A model that attends by your segments, reads your positions and counts by your mask has the same loss on packed
    rows as on examples in rows of their own."""
    examples, rows, row_len = random_examples(rng)
    examples = [(ids, [marked, *mask[1:]]) for ids, mask in examples]
    tables = normal(torch_rng, 8, 4), normal(torch_rng, row_len, 4), normal(torch_rng, 4, 4)

    ids, mask, positions, segments = impl.packed_batch(examples, rows, row_len=row_len, pad=0)

    causal = torch.ones(row_len, row_len, dtype=torch.bool).tril()
    seen = causal & (segments[:, :, None] == segments[:, None, :])
    alone = sum(
        surprises(torch.tensor([ids]), torch.arange(len(ids))[None], causal[: len(ids), : len(ids)], torch.tensor([mask]), tables)
        for ids, mask in examples
    )
    assert_close(surprises(ids, positions, seen, mask, tables), alone, name="summed loss of the packed rows")


# --- Task 4: which weights move ----------------------------------------------------------------


def names_of(n_blocks, rng=None):
    """Names of a model's weights, in order or shuffled."""
    parts = ("norm_1.gain", "W_Q", "W_V", "b_1")
    names = ["embedding", *(f"blocks.{i}.{part}" for i in range(n_blocks) for part in parts), "norm.gain", "head.W"]
    return names if rng is None else [names[i] for i in rng.permutation(len(names))]


@number("4.1")
@weight(3)
@tags("freezing")
@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(["blocks.2.*", "head.W"], id="two patterns"),
        pytest.param(["*", "!*.W_?", "blocks.1.W_V"], id="taken out and back in"),
        pytest.param(["!blocks.*", "*.gain"], id="frozen, then some trained"),
        pytest.param(["*norm*", "!norm.*", "!nothing"], id="a pattern without a match"),
    ],
)
def test_the_last_matching_pattern_decides(agree, rng, rules):
    """Which weights are trained, in the order of the names, for several lists of patterns."""
    names = names_of(3, rng)

    agree("select", names, rules)


@number("4.2")
@weight(1)
@tags("freezing")
@pytest.mark.parametrize(("n_blocks", "shuffled"), [(1, False), (4, True)])
def test_rates_fall_from_the_output_down(agree, rng, n_blocks, shuffled):
    """The largest rate is for what is neither block nor embedding, and each block has decay times that of the one above it."""
    agree("layer_rates", names_of(n_blocks, rng if shuffled else None), lr=0.3, decay=0.6)


@number("4.3")
@weight(1)
@tags("freezing")
@pytest.mark.parametrize("case", ["eleven blocks", "no embedding"])
def test_blocks_are_counted(agree, rng, case):
    """Rates with more than ten blocks, and for names without an embedding."""
    names = names_of(12, rng) if case == "eleven blocks" else names_of(2)[1:]

    agree("layer_rates", names, lr=1.0, decay=0.8)


@number("4.4")
@weight(2)
@tags("freezing")
@pytest.mark.parametrize("case", ["none tied", "the trained one is tied", "both names are trained", "none trained is tied"])
def test_a_tied_tensor_is_one(agree, rng, case):
    """A share of numbers, not of names; a tensor with two names is counted once and trained under either name."""
    names = names_of(2)
    sizes = dict(zip(names, rng.integers(1, 50, size=len(names)).tolist(), strict=True))
    sizes["head.W"] = sizes["embedding"]
    tied = None if case == "none tied" else {"head.W": "embedding"}
    trained = {
        "none tied": ["head.W", "norm.gain"],
        "the trained one is tied": ["head.W", "norm.gain"],
        "both names are trained": ["embedding", "head.W", "blocks.0.W_Q"],
        "none trained is tied": ["blocks.0.W_Q", "blocks.1.b_1"],
    }[case]

    agree("trainable_share", sizes, trained, tied=tied)


# --- Task 5: low-rank adapters -----------------------------------------------------------------


def random_adapter(torch_rng, rank, *, d_in=5, d_out=4, alpha=3.0, dtype=F64):
    """Factors that fit a weight of shape (d_in, d_out), and their alpha."""
    return normal(torch_rng, d_in, rank, dtype=dtype), normal(torch_rng, rank, d_out, dtype=dtype), alpha


@number("5.1")
@weight(2)
@tags("lora")
@pytest.mark.parametrize(
    ("rank", "dtype"), [pytest.param(1, F64, id="rank 1"), pytest.param(3, F64, id="rank 3"), pytest.param(3, torch.float32, id="float32")]
)
def test_gradients_by_formula(agree, torch_rng, rank, dtype):
    """The gradients in A and B, from the one in the weight that they correct."""
    A, B, alpha = random_adapter(torch_rng, rank, dtype=dtype)

    agree("lora_gradients", normal(torch_rng, 5, 4, dtype=dtype), A, B, alpha=alpha)


@number("5.2")
@weight(1)
@tags("lora")
def test_a_step_lowers_the_loss_as_promised(impl, torch_rng):
    """The slope of a loss along any direction of A and B is the inner product of that direction with your gradients."""
    A, B, alpha = random_adapter(torch_rng, 2)
    G, to_A, to_B = normal(torch_rng, 5, 4), normal(torch_rng, 5, 2), normal(torch_rng, 2, 4)

    in_A, in_B = impl.lora_gradients(G, A, B, alpha=alpha)

    slope = alpha / 2 * (G * (to_A @ B + A @ to_B)).sum()  # of the loss <G, W'>, by the product rule
    assert_close((in_A * to_A).sum() + (in_B * to_B).sum(), slope, name="slope of the loss")


@number("5.3")
@weight(1)
@tags("lora")
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_first_change_is_that_of_a_step(agree, torch_rng, rank):
    """What one step on A and B, taken at B = 0, does to the weight that the layer uses."""
    A, _, alpha = random_adapter(torch_rng, rank)

    agree("first_change", normal(torch_rng, 5, 4), A, alpha=alpha, lr=0.3)


@number("5.4")
@weight(1)
@tags("lora")
def test_the_first_change_lies_in_the_adapter(impl, torch_rng):
    """With a single column in A, every column of the first change is a multiple of it. With an orthogonal A of full rank, the first
    change is a step on the weight itself, at a rate that alpha and the rank determine."""
    A, _, alpha = random_adapter(torch_rng, 1)
    G = normal(torch_rng, 5, 4)

    change = impl.first_change(G, A, alpha=alpha, lr=0.3)
    off = change - A @ (A.T @ change) / (A * A).sum()
    assert_close(off, torch.zeros_like(off), name="part of the first change outside of A")

    A = torch.linalg.qr(normal(torch_rng, 5, 5)).Q
    assert_close(impl.first_change(G, A, alpha=5.0, lr=0.3), -0.3 * G, name="first change at alpha = rank, A orthogonal")


@number("5.5")
@weight(2)
@tags("lora")
@pytest.mark.parametrize("ranks", [[], [2], [1, 3], [3, 1, 2]], ids=str)
def test_all_adapters_are_merged(agree, torch_rng, ranks):
    """A weight with no, one or several adapters of different ranks and alphas."""
    W = normal(torch_rng, 5, 4)
    adapters = [random_adapter(torch_rng, rank, alpha=2.0 + i) for i, rank in enumerate(ranks)]

    agree("merge", W, adapters)
    agree("merge", W, [random_adapter(torch_rng, 1)])


@number("5.6")
@weight(1)
@tags("lora")
@pytest.mark.parametrize("ranks", [[2], [1, 3]], ids=str)
def test_what_was_merged_can_be_taken_out(impl, torch_rng, ranks):
    """Unmerging what you merged gives the weight back, in whichever order, and unmerging one adapter leaves the other."""
    W = normal(torch_rng, 5, 4)
    adapters = [random_adapter(torch_rng, rank, alpha=2.0 + i) for i, rank in enumerate(ranks)]

    merged = impl.merge(W, adapters)

    assert_close(bool((merged - W).abs().max() > 1e-3), True, name="whether merging changes the weight")
    assert_close(impl.unmerge(merged, adapters[::-1]), W, name="weight with every adapter taken out")
    rest = impl.merge(W, adapters[:-1])
    assert_close(impl.unmerge(merged, adapters[-1:]), rest, name="weight with the last adapter taken out")


# --- Task 6: other small changes ---------------------------------------------------------------


def bottleneck(torch_rng, d=5, width=3, dtype=F64):
    """Weights of an adapter."""
    shapes = (d, width), (width,), (width, d), (d,)
    return [normal(torch_rng, *shape, dtype=dtype) for shape in shapes]


@number("6.1")
@weight(1)
@tags("adapters")
@pytest.mark.parametrize(("lead", "dtype"), [((), F64), ((2, 3), F64), ((4,), torch.float32)], ids=["one", "batches", "float32"])
def test_an_adapter_adds_to_what_came_in(agree, torch_rng, lead, dtype):
    """The adapter's output for any number of leading axes."""
    agree("adapter", normal(torch_rng, *lead, 5, dtype=dtype), *bottleneck(torch_rng, dtype=dtype))


@number("6.2")
@weight(1)
@tags("adapters")
def test_a_new_adapter_can_learn(agree, torch_rng):
    """At its start the adapter adds nothing to any h, and some entry of its matrices has a gradient."""
    noise = normal(torch_rng, 6, 2)

    W_down, b_down, W_up, b_up = agree("new_adapter", noise)

    h = normal(torch_rng, 20, 6)
    assert_close((h @ W_down + b_down).relu() @ W_up + b_up, torch.zeros_like(h), name="what a new adapter adds")
    W_down, W_up = W_down.requires_grad_(), W_up.requires_grad_()
    added = (h @ W_down + b_down).relu() @ W_up + b_up
    gradients = torch.autograd.grad((added * normal(torch_rng, 20, 6)).sum(), (W_down, W_up))
    learns = any(bool(gradient.any()) for gradient in gradients)
    assert_close(learns, True, name="whether any entry of the two matrices has a gradient")


def scalable(torch_rng, d=4):
    """Weights with as many keys as inputs, so that every axis could be mistaken for another; and factors, some negative."""
    shapes = {"W_Q": (d, d), "W_K": (d, d), "W_V": (d, d), "W_1": (d, d), "b_1": (d,), "W_2": (d, d), "b_2": (d,)}
    weights = {name: normal(torch_rng, *shape) for name, shape in shapes.items()}
    scales = {name: 0.3 + normal(torch_rng, d).abs() for name in ("keys", "values", "hidden")}
    return weights, {name: factors * torch.tensor([1.0, -1.0, 1.0, 1.0], dtype=F64) for name, factors in scales.items()}


def by_definition(x, weights, scales, which):
    """Keys, values, or the output of the MLP, with factors."""
    if which == "keys":
        return x @ weights["W_K"] * scales["keys"]
    if which == "values":
        return x @ weights["W_V"] * scales["values"]
    hidden = torch.nn.functional.gelu(x @ weights["W_1"] + weights["b_1"]) * scales["hidden"]
    return hidden @ weights["W_2"] + weights["b_2"]


@number("6.3")
@weight(2)
@tags("adapters")
@pytest.mark.parametrize("which", ["keys", "values", "MLP"])
def test_folded_weights_need_no_factors(impl, torch_rng, which):
    """Your folded weights give, without factors, what the weights give with them."""
    weights, scales = scalable(torch_rng)
    x, ones = normal(torch_rng, 7, 4), {name: torch.ones(4, dtype=F64) for name in scales}

    folded = impl.fold_scales(weights, scales)

    assert_close(by_definition(x, folded, ones, which), by_definition(x, weights, scales, which), name=which)


@number("6.4")
@weight(1)
@tags("adapters")
def test_what_need_not_change_is_kept(impl, torch_rng):
    """Weights that no factor concerns are what they were, and factors of 1 change nothing at all."""
    weights, scales = scalable(torch_rng)

    folded = impl.fold_scales(weights, scales)

    assert_close(sorted(folded), sorted(weights), name="names of the folded weights")
    assert_close((folded["W_Q"], folded["b_2"]), (weights["W_Q"], weights["b_2"]), name="weights that no factor concerns")
    changed = [bool((folded[name] != weights[name]).any()) for name in ("W_K", "W_V")]
    assert_close(changed, [True, True], name="whether W_K and W_V have changed")
    same = impl.fold_scales(weights, {name: torch.ones(4, dtype=F64) for name in scales})
    assert_close(same, weights, name="weights folded with factors of 1")


# --- Task 7: trained vectors in front of the text ----------------------------------------------


def tables(torch_rng):
    """An embedding of 8 tokens and a table of 9 positions."""
    return normal(torch_rng, 8, 3), normal(torch_rng, 9, 3)


@number("7.1")
@weight(2)
@tags("prefix")
@pytest.mark.parametrize("m", [0, 1, 3])
def test_vectors_of_tokens_stand_for_these_tokens(agree, rng, torch_rng, m):
    """A soft prompt made of embedding rows gives the model the same vectors as these tokens in the text do."""
    embedding, positions = tables(torch_rng)
    ids, front = token_ids(rng, 2, 5), token_ids(rng, m)
    mask = random_mask(rng, 2, 5)

    def vectors(impl, soft, ids, mask):
        return impl.soft_prompt(soft, embedding, positions, ids, mask)[0]

    x = agree(vectors, embedding[front], ids, mask)
    long_ids, long_mask = torch.cat([front.expand(2, m), ids], 1), torch.cat([torch.zeros(2, m, dtype=torch.bool), mask], 1)
    assert_close(x, agree(vectors, embedding[:0], long_ids, long_mask), name="vectors")


@number("7.2")
@weight(1)
@tags("prefix")
def test_soft_vectors_are_not_learned_as_text(impl, rng, torch_rng):
    """Nothing counts at the soft vectors, where the ids are -100; the ids and the mask of the text follow."""
    embedding, positions = tables(torch_rng)
    ids, mask = token_ids(rng, 2, 5), random_mask(rng, 2, 5)
    mask[0, 0] = True

    soft = normal(torch_rng, 3, 3)

    x, new_ids, new_mask = impl.soft_prompt(soft, embedding, positions, ids, mask)

    assert_close(x[:, :3] - positions[:3], soft.expand(2, 3, 3), name="soft vectors, less their positions")
    assert_close(new_ids, torch.cat([torch.full((2, 3), -100), ids], 1), name="ids")
    assert_close(new_mask, torch.cat([torch.zeros(2, 3, dtype=torch.bool), mask], 1), name="mask")


@number("7.3")
@weight(1)
@tags("prefix")
def test_only_the_soft_vectors_are_trained(vjp, impl, rng, torch_rng):
    """A gradient of the vectors is passed on to the soft ones, summed over the rows, and not to the frozen tables."""
    embedding, positions = tables(torch_rng)
    soft, ids, mask = normal(torch_rng, 3, 3), token_ids(rng, 2, 5), random_mask(rng, 2, 5)
    w = normal(torch_rng, 2, 8, 3)

    whole = w, torch.zeros(2, 8), torch.zeros(2, 8)
    gradients = vjp(impl.soft_prompt, soft, embedding, positions, ids, mask, wrt=(0, 1, 2), cotangent=whole)

    assert_close(gradients[0], w[:, :3].sum(0), name="gradient in the soft vectors")
    assert_close(gradients[1:], (0 * embedding, 0 * positions), name="gradients in the frozen tables")


def causal_attention(q, k, v):
    """Attention of T queries over S >= T keys, aligned at the end, and its log-sum-exp, by definition."""
    T, S = q.shape[-2], k.shape[-2]
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(~torch.ones(T, S, dtype=torch.bool).tril(S - T), -math.inf)
    return scores.softmax(-1) @ v, scores.logsumexp(-1), scores.softmax(-1)


def heads(torch_rng, T, *, lead=(), scale=1.0, d_k=3, d_v=2, dtype=F64):
    """Queries, keys and values."""
    q, k = (scale * normal(torch_rng, *lead, T, d_k, dtype=dtype) for _ in range(2))
    return q, k, normal(torch_rng, *lead, T, d_v, dtype=dtype)


PREFIXES = [
    pytest.param(1, (), 1.0, F64, id="one key"),
    pytest.param(4, (2, 3), 1.0, F64, id="four keys, batches"),
    pytest.param(2, (2,), 1.0, torch.float32, id="float32"),
    pytest.param(2, (), 100.0, F64, id="large scores"),
]


def joined(impl, torch_rng, P, lead, scale, dtype):
    """What the submission answers, and output and weights of attention over prefix and text together."""
    q, k, v = heads(torch_rng, 4, lead=lead, scale=scale, dtype=dtype)
    _, prefix_k, prefix_v = heads(torch_rng, P, lead=lead, scale=scale, dtype=dtype)
    base, base_lse, _ = causal_attention(q, k, v)
    answer = impl.prefix_attention(q, prefix_k, prefix_v, base=base, base_lse=base_lse)
    want, _, weights = causal_attention(q, torch.cat([prefix_k, k], -2), torch.cat([prefix_v, v], -2))
    return *answer, want, weights


@number("7.4")
@weight(2)
@tags("prefix")
@pytest.mark.parametrize(("P", "lead", "scale", "dtype"), PREFIXES)
def test_the_share_is_the_weight_of_the_prefix(impl, torch_rng, P, lead, scale, dtype):
    """The share of the prefix is the sum of its keys' weights in attention over prefix and text together."""
    _, share, _, weights = joined(impl, torch_rng, P, lead, scale, dtype)

    assert_close(share, weights[..., :P].sum(-1), name="share of the prefix")


@number("7.5")
@weight(1)
@tags("prefix")
@pytest.mark.parametrize(("P", "lead", "scale", "dtype"), PREFIXES)
def test_a_prefix_joins_the_keys(impl, torch_rng, P, lead, scale, dtype):
    """The output is that of attention over prefix and text together."""
    out, _, want, _ = joined(impl, torch_rng, P, lead, scale, dtype)

    assert_close(out, want, name="output")


@number("7.6")
@weight(1)
@tags("prefix")
@pytest.mark.parametrize("case", ["no prefix", "a prefix that drowns the text", "a prefix that nobody sees"])
def test_shares_from_nothing_to_everything(agree, torch_rng, case):
    """A prefix of length 0 changes nothing. Scores of ±10⁵ give shares of 1 and 0, and no NaN."""
    q, k, v = heads(torch_rng, 3)
    base, base_lse, _ = causal_attention(q, k, v)
    P = 0 if case == "no prefix" else 2
    prefix_k, prefix_v = normal(torch_rng, P, 3), normal(torch_rng, P, 2)
    if P:
        q = torch.cat([1 + q[:, :1].abs(), q[:, 1:]], 1)  # one coordinate for the large scores
        prefix_k[:, 0] = 1e5 if case == "a prefix that drowns the text" else -1e5

    out, share = agree("prefix_attention", q, prefix_k, prefix_v, base=base, base_lse=base_lse)
    agree("prefix_attention", q, normal(torch_rng, 2, 3), normal(torch_rng, 2, 2), base=base, base_lse=base_lse)

    want = {"no prefix": 0.0, "a prefix that drowns the text": 1.0, "a prefix that nobody sees": 0.0}[case]
    assert_close(share, torch.full((3,), want, dtype=F64), name="share of the prefix")
    if want == 0:
        assert_close(out, base, name="output")


@number("7.7")
@weight(1)
@tags("prefix")
def test_gradients_reach_the_prefix(agree, torch_rng):
    """The prefix's keys and values are trained through the output."""
    q, k, v = heads(torch_rng, 3)
    base, base_lse, _ = causal_attention(q, k, v)
    cotangent = normal(torch_rng, 3, 2), torch.zeros(3, dtype=F64)

    agree.vjp(
        "prefix_attention", q, normal(torch_rng, 2, 3), normal(torch_rng, 2, 2),
        base=base, base_lse=base_lse, wrt=(1, 2), cotangent=cotangent,
    )  # fmt: skip


# --- Task 8: prompts and votes -----------------------------------------------------------------


@number("8.1")
@weight(2)
@tags("votes")
def test_examples_are_dropped_from_the_front(agree, rng):
    """For every budget: whole examples in their order, the first ones left out, and always the whole query."""
    examples = [rng.integers(0, 9, size=n).tolist() for n in (2, 5, 1, 3)]

    for budget in (0, 3, 5, 6, 7, 8, 9, 13, 14):
        agree("few_shot_prompt", examples, rng.integers(0, 9, size=3).tolist(), budget=budget)
    agree("few_shot_prompt", [], [1, 2], budget=5)


@number("8.2")
@weight(2)
@tags("votes")
@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("First 5, then 7. So 12.", "12", id="the last"),
        pytest.param("It is 3,000,000 or so", "3000000", id="commas"),
        pytest.param("x = -0.50", "-0.5", id="a fraction"),
        pytest.param("-8 and 007.700, not more", "7.7", id="zeros around"),
        pytest.param("all 10-12 of them", "12", id="a dash"),
        pytest.param("temperature: -0012,", "-12", id="a minus"),
        pytest.param("so 1,500.00", "1500", id="a whole number"),
        pytest.param("-0.000", "0", id="zero"),
        pytest.param("100", "100", id="hundred"),
        pytest.param("12345678901234567890.10 in all", "12345678901234567890.1", id="many digits"),
    ],
)
def test_equal_numbers_are_equal_strings(impl, rng, text, want):
    """The last number, written in one way."""
    assert_close(impl.extract_answer(text), want, name=f"answer in {text!r}")
    n = int(rng.integers(2, 9))
    assert_close(impl.extract_answer(f"0 of 40, or {n},000.{n}0?"), f"{n}000.{n}", name="another answer")


@number("8.3")
@weight(1)
@tags("votes")
def test_ties_go_to_the_first(agree, rng):
    """Votes of all kinds: with ties, and with samples that don't vote."""
    for n in (1, 2, 3, 4, 6, 9, 9, 9):
        agree("vote", [[None, "7", "-3", "10"][i] for i in rng.integers(0, 4, size=n)])
    agree("vote", ["-3", "7", None, None, None, "7", "-3"])


@number("8.4")
@weight(1)
@tags("votes")
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 41])
def test_accuracy_of_a_vote(agree, rng, n):
    """Three answers that add up to 1, by formula or by counting; also where 3^n sequences are too many to list."""
    p = rng.dirichlet([2.0, 2.0, 2.0]).tolist()

    agree("vote_accuracy", p, n)
    agree("vote_accuracy", [0.5, 0.5], n)


@number("8.5")
@weight(1)
@tags("votes")
def test_accuracy_is_that_of_your_votes(impl, rng):
    """All sequences of three samples, each with its probability: how often your own vote is right."""
    p = rng.dirichlet([2.0, 2.0, 2.0]).tolist()

    right = 0.0
    for samples in itertools.product(range(3), repeat=3):
        if impl.vote([str(i) for i in samples]) == "0":
            right += math.prod(p[i] for i in samples)
    assert right > 0
    assert_close(impl.vote_accuracy(p, 3), right, name="accuracy of three votes")


@number("8.6")
@weight(1)
@tags("votes")
@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_silent_samples_do_not_vote(agree, rng, n):
    """Samples without an answer are no answer of their own, and if all are silent, the vote is not right."""
    p = (0.7 * rng.dirichlet([2.0, 2.0])).tolist()

    agree("vote_accuracy", p, n)
    assert_close(agree("vote_accuracy", p[:1], n), 1 - (1 - p[0]) ** n, name="accuracy with one answer and silence")


# --- Task 9: what is learned, and what is forgotten --------------------------------------------


def network(torch_rng, d=4, hidden=5, classes=3):
    """Weights of a small network."""
    shapes = {"W_1": (d, hidden), "b_1": (hidden,), "W_2": (hidden, classes), "b_2": (classes,)}
    return {name: normal(torch_rng, *shape) for name, shape in shapes.items()}


def new_task(rng, torch_rng, n=6):
    """Inputs and classes."""
    return normal(torch_rng, n, 4), token_ids(rng, n, vocab=3)


@number("9.1")
@weight(2)
@tags("adapt")
@pytest.mark.parametrize("method", ["full", "head", "bias"])
@pytest.mark.parametrize("n_steps", [1, 4])
def test_descent_trains_what_the_method_names(agree, rng, torch_rng, method, n_steps):
    """The weights after one step and after several, when some of them are trained as they are."""
    agree("adapt", network(torch_rng), *new_task(rng, torch_rng), method=method, lr=0.3, n_steps=n_steps)


@number("9.2")
@weight(2)
@tags("adapt")
@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("n_steps", [1, 4])
def test_descent_trains_both_factors(agree, rng, torch_rng, rank, n_steps):
    """With "lora", A and B are trained together, and what comes back is merged."""
    noise = normal(torch_rng, 4, rank)

    agree(
        "adapt", network(torch_rng), *new_task(rng, torch_rng),
        method="lora", lr=0.3, n_steps=n_steps, noise=noise, alpha=2.0,
    )  # fmt: skip


@number("9.3")
@weight(1)
@tags("adapt")
@pytest.mark.parametrize("method", ["head", "bias", "lora"])
def test_frozen_weights_are_frozen(impl, rng, torch_rng, method):
    """What a method does not train stays exactly as it was, and all that it trains moves. The change that an adapter of rank 1
    makes has rank 1."""
    weights = network(torch_rng)
    options = {"noise": normal(torch_rng, 4, 1), "alpha": 2.0} if method == "lora" else {}

    after = impl.adapt(weights, *new_task(rng, torch_rng), method=method, lr=0.3, n_steps=3, **options)

    trains = {"head": {"W_2", "b_2"}, "bias": {"b_1", "b_2"}, "lora": {"W_1"}}
    moved = {name for name in weights if (after[name] != weights[name]).any()}
    assert_close(sorted(moved), sorted(trains[method]), name="names of the weights that moved")
    if method == "lora":
        rank = int(torch.linalg.matrix_rank(after["W_1"] - weights["W_1"], rtol=1e-9))
        assert_close(rank, 1, name="rank of the change of W_1")


@number("9.4")
@weight(1)
@tags("adapt")
@pytest.mark.parametrize("n", [1, 3])
def test_what_is_orthogonal_is_kept(agree, torch_rng, n):
    """New examples are fitted, and inputs that are orthogonal to all of them keep their outputs."""
    W, X, Y = normal(torch_rng, 6, 2), normal(torch_rng, n, 6), normal(torch_rng, n, 2)

    after = agree("least_change", W, X, Y)

    assert_close(X @ after, Y, name="outputs of the new examples")
    basis = torch.linalg.qr(X.T, mode="complete").Q[:, n:].T  # all directions in which the examples have no part
    assert_close(basis @ after, basis @ W, name="outputs of inputs orthogonal to the examples")


@number("9.5")
@weight(1)
@tags("adapt")
@pytest.mark.parametrize(("n", "penalty"), [(3, 0.5), (3, 20.0), (9, 2.0)])
def test_a_penalty_stops_half_way(agree, torch_rng, n, penalty):
    """The gradient of loss and penalty together is 0; with a penalty, there may be more examples than inputs."""
    W, X, Y = normal(torch_rng, 6, 2), normal(torch_rng, n, 6), normal(torch_rng, n, 2)

    after = agree("least_change", W, X, Y, penalty=penalty)

    assert_close(X.T @ (X @ after - Y), penalty * (W - after), name="gradient of the loss")


def calls(rng, torch_rng):
    """For each function, what makes arguments that are worth changing."""
    turns, options = conversation(rng)
    ids, mask = token_ids(rng, 2, 5), random_mask(rng, 2, 5)
    examples, rows, row_len = random_examples(rng)
    names = names_of(2)
    sizes = dict.fromkeys(names, 10)
    A, B, alpha = random_adapter(torch_rng, 2)
    W = normal(torch_rng, 5, 4)
    weights, scales = scalable(torch_rng)
    q, k, v = heads(torch_rng, 3)
    base, base_lse, _ = causal_attention(q, k, v)
    answers = bigrams(torch_rng)
    return {
        "render_chat": lambda: ((turns,), {**options, "open_reply": True}),
        "sft_loss": lambda: ((normal(torch_rng, 2, 5, 8), ids.masked_fill(~mask, -100), mask), {}),
        "accumulate": lambda: (([(token_ids(rng, 2, 5, vocab=5), mask)] * 2, answers), {}),
        "best_fit": lambda: (([3, 9, 4, 4],), {"row_len": 10}),
        "packed_batch": lambda: ((examples, rows), {"row_len": row_len, "pad": 0}),
        "select": lambda: ((names, ["blocks.*", "!*.b_1"]), {}),
        "layer_rates": lambda: ((names,), {"lr": 0.1, "decay": 0.5}),
        "trainable_share": lambda: ((sizes, ["head.W", "embedding"]), {"tied": {"head.W": "embedding"}}),
        "lora_gradients": lambda: ((W, A, B), {"alpha": alpha}),
        "first_change": lambda: ((W, A), {"alpha": alpha, "lr": 0.1}),
        "merge": lambda: ((W, [(A, B, alpha)]), {}),
        "unmerge": lambda: ((W, [(A, B, alpha)]), {}),
        "adapter": lambda: ((normal(torch_rng, 3, 5), *bottleneck(torch_rng)), {}),
        "new_adapter": lambda: ((normal(torch_rng, 5, 2),), {}),
        "fold_scales": lambda: ((weights, scales), {}),
        "soft_prompt": lambda: ((normal(torch_rng, 2, 3), *tables(torch_rng), ids, mask), {}),
        "prefix_attention": lambda: ((q, k, v), {"base": base, "base_lse": base_lse}),
        "few_shot_prompt": lambda: (([[1, 2], [3]], [4, 5]), {"budget": 3}),
        "vote": lambda: ((["1", None, "2", "2"],), {}),
        "vote_accuracy": lambda: (([0.5, 0.25], 3), {}),
        "adapt": lambda: ((network(torch_rng), *new_task(rng, torch_rng)), {"method": "full", "lr": 0.1, "n_steps": 2}),
        "least_change": lambda: ((W, normal(torch_rng, 2, 5), normal(torch_rng, 2, 4)), {}),
    }


NAMES = (
    "render_chat", "sft_loss", "accumulate", "best_fit", "packed_batch", "select", "layer_rates", "trainable_share",
    "lora_gradients", "first_change", "merge", "unmerge", "adapter", "new_adapter", "fold_scales", "soft_prompt",
    "prefix_attention", "few_shot_prompt", "vote", "vote_accuracy", "adapt", "least_change",
)  # fmt: skip


@number("9.6")
@weight(1)
@tags("adapt")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_handed_in_is_changed(impl, reference, rng, torch_rng, name):
    """No function of any task changes the tensors, lists and dicts that it is given."""
    args, options = calls(rng, torch_rng)[name]()

    answer = assert_leaves_arguments(getattr(impl, name), *args, name=name, **options)

    # loose: exact values are for other checks
    assert_close(answer, getattr(reference, name)(*args, **options), rtol=1e-5, atol=1e-6, name=name)
