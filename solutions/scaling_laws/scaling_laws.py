"""Scaling laws: what a model costs before it is built, and which model a budget should buy.

Holds counts of parameters, operations and bytes; learning-rate schedules, clipping and decay; the noise of gradients;
the best size for a budget, from a formula and from runs; a robust fit of the loss surface; and rates that survive a
change of width. Leaves out: real training runs, communication between devices, and mixtures of experts.

Numbers are float64, counts are Python integers. Nothing handed in is changed.
"""

import math

import numpy as np

# ---------------------------------------------------------------------------------------------------------
# Given: models, and published loss surfaces


def model(
    *, vocab_size=50257, n_layers=12, d_model=768, n_heads=12, n_kv_heads=None, d_k=None, d_hidden=None,
    gated=False, norm_biases=True, attention_biases=False, mlp_biases=True, tied=True,
):  # fmt: skip
    """Return the size of a transformer, as a dict. Given.

    Args:
        vocab_size: Number of tokens V.
        n_layers: Number of blocks.
        d_model: Width d of the residual stream.
        n_heads, n_kv_heads: Query heads; key and value heads, as many as query heads by default.
        d_k: Width of one head, d_model / n_heads by default.
        d_hidden: Width of the MLP's hidden layer, 4 d_model by default.
        gated: The MLP computes (act(x W_gate) * (x W_up)) W_down in place of act(x W_1) W_2. All of these are matrices.
        norm_biases: Norms have a bias beside their gain.
        attention_biases: Each of W_Q, W_K, W_V and W_O has a bias.
        mlp_biases: Each matrix of the MLP has a bias.
        tied: The head, which gives the logits, is the embedding table once more. Otherwise it is a matrix of its own.
    """
    config = dict(locals())
    config["n_kv_heads"] = n_heads if n_kv_heads is None else n_kv_heads
    config["d_k"] = d_model // n_heads if d_k is None else d_k
    config["d_hidden"] = 4 * d_model if d_hidden is None else d_hidden
    for name in ("vocab_size", "n_layers", "d_model", "n_heads", "n_kv_heads", "d_k", "d_hidden"):
        if config[name] < 1:
            raise ValueError(f"{name} must be at least 1, got {config[name]}")
    if n_heads % config["n_kv_heads"]:
        raise ValueError(f"n_kv_heads must divide n_heads, got {config['n_kv_heads']} and {n_heads}")
    return config


LLAMA = {
    "7B": model(vocab_size=32_000, n_layers=32, d_model=4096, n_heads=32, d_hidden=11_008,
                gated=True, norm_biases=False, mlp_biases=False, tied=False),
    "8B": model(vocab_size=128_256, n_layers=32, d_model=4096, n_heads=32, n_kv_heads=8, d_hidden=14_336,
                gated=True, norm_biases=False, mlp_biases=False, tied=False),
}  # fmt: skip
"""Llama 2 with 7 billion parameters, and Llama 3 with 8 billion."""

SURFACES = {
    "printed": (1.69, 406.4, 410.7, 0.34, 0.28),
    "more digits": (1.6934, 406.4, 410.7, 0.3392, 0.2849),
    "refit": (1.8172, 482.01, 2085.43, 0.3478, 0.3658),
}
"""(E, A, B, alpha, beta) by Hoffmann et al. 2022, as printed and with more digits, and by Besiroglu et al. 2024 from the same runs."""


# ---------------------------------------------------------------------------------------------------------
# Task 1: parameters


def parameter_count(config):
    """Return how many parameters a transformer has, by part.

    The embedding has one vector of width d_model for each token. A block holds a norm, attention, a second norm and an
    MLP. After the last block, there is one more norm, and then the head, which has no bias. There are no other
    parameters: positions have none.

    Args:
        config: As `model` returns.

    Returns:
        A dict of ints: "embedding"; "attention", "mlp" and "norms", each in all blocks together ("norms" with the last
        one); and "head". Each parameter is in exactly one part; that of a tied model is in "embedding".

    Example:
        For d_model = d_k = 2, one head and no biases, one block's attention has 4 matrices of 2 x 2: 16 parameters.
    """
    # sizes of the matrices; biases have one entry for each output
    # BEGIN SOLUTION parameters
    V, layers, d, hidden = (config[name] for name in ("vocab_size", "n_layers", "d_model", "d_hidden"))
    queries, keys = config["n_heads"] * config["d_k"], config["n_kv_heads"] * config["d_k"]
    attention = 2 * d * queries + 2 * d * keys
    if config["attention_biases"]:
        attention += queries + 2 * keys + d
    widening = 2 if config["gated"] else 1
    mlp = (widening + 1) * d * hidden
    if config["mlp_biases"]:
        mlp += widening * hidden + d
    norm = 2 * d if config["norm_biases"] else d
    return {
        "embedding": V * d,
        "attention": layers * attention,
        "mlp": layers * mlp,
        "norms": (2 * layers + 1) * norm,
        "head": 0 if config["tied"] else V * d,
    }
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 2: operations


def forward_flops(config, T, *, causal=False):
    """Return how many operations the forward pass of one sequence takes, by part.

    Only products of matrices count, and a multiplication with the addition that follows it counts 2. The embedding is
    looked up, which costs nothing. Biases, norms, softmax and activation functions are left out.

    Args:
        config: As `model` returns.
        T: Number of tokens.
        causal: Count only the pairs (query, key) in which the key is not later than the query. Otherwise all T^2
            pairs count.

    Returns:
        A dict of ints: "matrices", the weight matrices of all blocks; "pairs", the products of queries with keys and of
        attention's weights with values, in all blocks and heads; "head", the logits of all T tokens.
    """
    # weight matrices: how often is each entry used? pairs: how many are there, and what does one cost in each head?
    # BEGIN SOLUTION flops
    V, layers, d, hidden = (config[name] for name in ("vocab_size", "n_layers", "d_model", "d_hidden"))
    queries, keys = config["n_heads"] * config["d_k"], config["n_kv_heads"] * config["d_k"]
    entries = 2 * d * (queries + keys) + (3 if config["gated"] else 2) * d * hidden
    pairs = T * (T + 1) // 2 if causal else T * T
    return {"matrices": 2 * T * layers * entries, "pairs": 4 * layers * pairs * queries, "head": 2 * T * d * V}
    # END SOLUTION


def training_flops(forward, *, recompute=False):
    """Return how many operations a training step takes, by what its forward pass takes.

    For each product of matrices Y = X W of the forward pass, the backward pass computes the gradient in X and the
    gradient in W.

    Args:
        forward: Operations of the forward pass: a number.
        recompute: The forward pass is run once more before the backward pass, because its results were not kept.

    Returns:
        A number.
    """
    # BEGIN SOLUTION flops
    return (4 if recompute else 3) * forward
    # END SOLUTION


def six_nd(counts, n_tokens):
    """Return the rule of thumb for the operations of training, 6 N D.

    N is the number of parameters that take part in a product. So N leaves out a table whose rows are only looked up;
    norms and biases are so few that N may keep them. D is the number of tokens.

    Args:
        counts: Parameters by part, as `parameter_count` returns. In a tied model, "head" is 0.
        n_tokens: D.

    Returns:
        A number.
    """
    # BEGIN SOLUTION flops
    total = sum(counts[part] for part in counts)
    return 6 * (total if counts["head"] == 0 else total - counts["embedding"]) * n_tokens
    # END SOLUTION


def utilization(forward, tokens_per_s, peak_flops, *, n_devices=1, recompute=False):
    """Return which share of the devices' operations training uses.

    Args:
        forward: Operations of the forward pass, per token.
        tokens_per_s: Tokens that all devices together train on in a second.
        peak_flops: Operations per second that one device can do at most.
        n_devices: How many there are.
        recompute: As for `training_flops`.

    Returns:
        (model, hardware), two floats. Hardware counts all operations that are done. Model counts only those that
        training without `recompute` needs: repeating work is no merit.
    """
    # BEGIN SOLUTION flops
    rate = forward * tokens_per_s / (peak_flops * n_devices)
    return 3 * rate, (4 if recompute else 3) * rate
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 3: bytes


def state_bytes(n_parameters, *, n_devices=1, stage=0):
    """Return the bytes that one device holds for the state of training, by part.

    Weights and gradients are kept in bfloat16. The optimizer (AdamW) keeps three more numbers for each parameter, in
    float32: an exact copy of the weight, and the two moments.

    Args:
        n_parameters: Of the whole model.
        n_devices: What is sharded is split equally among them. Each holds all of the rest.
        stage: What is sharded: 0 nothing, 1 the optimizer's numbers, 2 also the gradients, 3 also the weights.

    Returns:
        A dict of floats: "weights", "gradients" and "optimizer".

    Raises:
        ValueError: If stage is not 0, 1, 2 or 3.
    """
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"stage must be 0, 1, 2 or 3, got {stage}")
    # BEGIN SOLUTION memory
    return {
        "weights": 2 * n_parameters / (n_devices if stage >= 3 else 1),
        "gradients": 2 * n_parameters / (n_devices if stage >= 2 else 1),
        "optimizer": 12 * n_parameters / (n_devices if stage >= 1 else 1),
    }
    # END SOLUTION


def activation_bytes(config, T, *, batch=1, fused=False):
    """Return the bytes that one block keeps for its backward pass.

    Kept are, in bfloat16, the inputs of every matrix product, norm, activation function and elementwise product. A
    product of queries with keys, or of attention's weights with values, is a matrix product too. A tensor that several
    steps need is kept once. Softmax, the scaling of scores, biases and residual additions keep nothing more.

    Args:
        config: As `model` returns.
        T: Tokens in a sequence. Each query has a weight for each of the T keys.
        batch: Sequences.
        fused: Attention's weights are not kept; a fused kernel computes them again.

    Returns:
        An int.

    Example:
        A block in which all widths are 1, with one head and T = 1, has 2 numbers around the first norm, 3 for q, k and
        v, 1 weight, 1 output of the head, 2 around the second norm, and 2 in the MLP: 11 numbers, 22 bytes.
    """
    # numbers per token: around the norms; q, k, v; weights; what W_O takes; the MLP
    # BEGIN SOLUTION memory
    queries, keys = config["n_heads"] * config["d_k"], config["n_kv_heads"] * config["d_k"]
    per_token = 4 * config["d_model"] + 2 * queries + 2 * keys
    per_token += (4 if config["gated"] else 2) * config["d_hidden"]
    if not fused:
        per_token += config["n_heads"] * T
    return 2 * batch * T * per_token
    # END SOLUTION


def checkpoint_plan(n_layers, input_bytes, block_bytes):
    """Return which spacing of checkpoints needs the least memory, and how much that is.

    With spacing k, the forward pass keeps only the inputs of the blocks 0, k, 2k, … The backward pass takes the blocks
    between two of these inputs together, the last ones first: it runs them forward once more and keeps everything, for
    up to k blocks at a time.

    Args:
        n_layers: Number of blocks.
        input_bytes: Bytes of a block's input.
        block_bytes: Bytes of all that one block keeps.

    Returns:
        (k, bytes): the best spacing in 1 .. n_layers, the smallest one if several are best; and the bytes of all kept
        inputs with those of k blocks.
    """
    # BEGIN SOLUTION memory
    plans = [(math.ceil(n_layers / k) * input_bytes + k * block_bytes, k) for k in range(1, n_layers + 1)]
    needed, k = min(plans)
    return k, needed
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 4: the step


def learning_rate(step, *, peak, warmup, total, floor=0.0, decay=None):
    """Return the learning rate of a step.

    The first `warmup` steps rise in a straight line: step 0 has peak / warmup, step warmup - 1 has the peak. Step
    `warmup` has the peak too. From there, the rate falls along half a period of a cosine, and step `total` has the
    floor. With `decay`, the rate stays at the peak until step total - decay instead, and falls from there in a straight
    line. All steps after `total` have the floor.

    Args:
        step: Counts from 0.
        peak, floor: Highest rate, and rate at the end.
        warmup: Number of steps of the rise; 0 for none.
        total: The step that reaches the floor.
        decay: Number of steps of the straight fall, or None for a cosine.

    Returns:
        float.

    Raises:
        ValueError: If total is not above warmup, or decay is not in 1 .. total - warmup.
    """
    if not 0 <= warmup < total:
        raise ValueError(f"total must be above warmup, got {total} and {warmup}")
    if decay is not None and not 1 <= decay <= total - warmup:
        raise ValueError(f"decay must be in 1 .. {total - warmup}, got {decay}")
    # BEGIN SOLUTION step
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return float(floor)
    if decay is None:
        left = (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
    else:
        left = min(1.0, (total - step) / decay)
    return floor + (peak - floor) * left
    # END SOLUTION


def clip_gradients(gradients, limit):
    """Return gradients that are together no longer than the limit, and how long they were.

    All arrays count as one long vector. If it is longer than `limit`, it is shortened to `limit` and keeps its direction.

    Args:
        gradients: A list of float arrays of any shapes.
        limit: Above 0.

    Returns:
        (clipped, norm): new arrays in a list, and the length before clipping, a float.
    """
    # BEGIN SOLUTION step
    norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
    factor = limit / norm if norm > limit else 1.0
    return [factor * gradient for gradient in gradients], norm
    # END SOLUTION


def decay_groups(shapes, *, tables=()):
    """Return which parameters weight decay applies to, and which it leaves alone.

    Decay applies to arrays with at least two dimensions. It leaves alone biases, gains, and the tables whose rows are
    looked up.

    Args:
        shapes: A dict from name to shape.
        tables: Names of the tables.

    Returns:
        (decayed, left_alone): two lists of names, in the order of `shapes`.
    """
    # BEGIN SOLUTION step
    decayed = [name for name, shape in shapes.items() if len(shape) >= 2 and name not in tables]
    return decayed, [name for name in shapes if name not in decayed]
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 5: noise


def batch_norm2(gradients, size, *, draw):
    """Draw a batch, and return the squared length of its mean gradient.

    Each of the `size` examples is drawn from all n, every one equally likely, whatever was drawn before (so with
    replacement).

    Args:
        gradients: Gradients of single examples, shape (n, p).
        size: Examples in the batch.
        draw: `draw(probabilities)` gives an index.

    Returns:
        float.
    """
    # BEGIN SOLUTION noise
    n = len(gradients)
    chosen = [draw([1 / n] * n) for _ in range(size)]
    return float((np.asarray(gradients)[chosen].mean(axis=0) ** 2).sum())
    # END SOLUTION


def noise_scale(small_norms2, big_norms2, small, big):
    """Estimate signal and noise of gradients from batches of two sizes.

    Args:
        small_norms2, big_norms2: Squared lengths of the mean gradients of several batches, shapes (m,) and (M,).
        small, big: The two batch sizes, small < big.

    Returns:
        (signal, noise, scale): the estimates of |G|^2 and of S, and S / |G|^2. Each estimate uses the
        means over batches. The scale is the ratio of the two estimates.

    Raises:
        ValueError: If small is not below big.

    Example:
        Means of 5 for batches of 1 and of 2 for batches of 4: signal 1 and noise 4.
    """
    if not small < big:
        raise ValueError(f"small must be below big, got {small} and {big}")
    # BEGIN SOLUTION noise
    low, high = float(np.mean(big_norms2)), float(np.mean(small_norms2))
    noise = (high - low) / (1 / small - 1 / big)
    signal = low - noise / big
    return signal, noise, noise / signal
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 6: one budget


def surface_loss(surface, N, D):
    """Return E + A / N^alpha + B / D^beta. Given.

    Args:
        surface: (E, A, B, alpha, beta).
        N, D: Parameters and tokens: numbers or arrays.
    """
    E, A, B, alpha, beta = surface
    return E + A / N**alpha + B / D**beta


def compute_optimal(surface, C):
    """Return the size and the number of tokens with the least loss for a budget, by your formula.

    Args:
        surface: (E, A, B, alpha, beta), all above 0.
        C: Operations, C = 6 N D: a number, or an array of budgets.

    Returns:
        (N, D): of the kind and shape of C, not rounded.
    """
    # BEGIN SOLUTION optimum
    _, A, B, alpha, beta = surface
    balance = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    N = balance * (C / 6) ** (beta / (alpha + beta))
    return N, C / (6 * N)
    # END SOLUTION


def compute_factor(surface, C, share, *, compute_optimal=compute_optimal):
    """Return how many times the compute a model of another size needs for the same loss.

    Args:
        surface: (E, A, B, alpha, beta).
        C: The budget. The loss to reach is the best loss for C, and the best size for C is N.
        share: The other model has share * N parameters. Above 0; it may be larger than 1.
        compute_optimal: Yours.

    Returns:
        float: 6 (share N) D' / C, where D' tokens give the smaller or larger model that loss. `math.inf` if no number
        of tokens does.

    Example:
        With share 1 the factor is 1.
    """
    # the loss that is left for the tokens; how many tokens bring it down to that, if any can
    # BEGIN SOLUTION optimum
    _, A, B, alpha, beta = surface
    N, D = compute_optimal(surface, C)
    left = A / N**alpha + B / D**beta - A / (share * N) ** alpha
    if left <= 0:
        return math.inf
    return float(6 * share * N * (B / left) ** (1 / beta) / C)
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 7: from runs


def isoflop_optima(C, N, L):
    """Return the best size and its loss for each budget, from runs.

    For the runs of one budget, fit a parabola to the loss as a function of log N, by least squares. Its lowest point is
    the estimate.

    Args:
        C, N, L: Budget, size and loss of each run, shape (n,), in any order. Runs of one budget have exactly the same
            C. Each budget has at least three sizes.

    Returns:
        (budgets, N_best, L_best): the different budgets in ascending order, and for each the size and the loss at the
        parabola's lowest point. Both are NaN if the parabola has no lowest point, or has it below the smallest or above
        the largest N of that budget: then the runs don't enclose the minimum.
    """
    C, N, L = (np.asarray(values, dtype=float) for values in (C, N, L))
    # BEGIN SOLUTION isoflop
    budgets = np.unique(C)
    N_best, L_best = np.full((2, len(budgets)), np.nan)
    for row, budget in enumerate(budgets):
        chosen = budget == C
        x = np.log(N[chosen])
        middle = x.mean()  # keeps the fit well conditioned
        curve, slope, height = np.polyfit(x - middle, L[chosen], 2)
        if curve > 0:
            lowest = -slope / (2 * curve)
            if x.min() <= lowest + middle <= x.max():
                N_best[row], L_best[row] = math.exp(lowest + middle), height - slope**2 / (4 * curve)
    return budgets, N_best, L_best
    # END SOLUTION


def fit_power_law(x, y):
    """Fit y = k x^p by least squares in the logarithms.

    Args:
        x, y: Shape (n,), above 0. Where y is NaN, the point is left out.

    Returns:
        (k, p): two floats.
    """
    x, y = (np.asarray(values, dtype=float) for values in (x, y))
    # BEGIN SOLUTION isoflop
    there = ~np.isnan(y)
    u, v = np.log(x[there]), np.log(y[there])
    p = ((u - u.mean()) * (v - v.mean())).sum() / ((u - u.mean()) ** 2).sum()
    return float(np.exp(v.mean() - p * u.mean())), float(p)
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 8: the whole surface


def log_surface(theta, N, D):
    """Return the logarithm of the predicted loss of each run, and its slopes.

    Args:
        theta: (e, a, b, alpha, beta), where E = exp(e), A = exp(a) and B = exp(b).
        N, D: Shape (n,).

    Returns:
        (f, J): f = log(E + A / N^alpha + B / D^beta), shape (n,); and J, shape (n, 5): the derivative of each f in each
        entry of theta. Both are finite even where exp(a) or N^alpha alone would not be.
    """
    e, a, b, alpha, beta = (float(value) for value in theta)
    # logarithms of the three terms; the logarithm of their sum; the chain rule
    # BEGIN SOLUTION surface
    x, y = np.log(N), np.log(D)
    terms = np.stack([np.full(x.shape, e), a - alpha * x, b - beta * y])  # (3, n)
    largest = terms.max(axis=0)
    f = largest + np.log(np.exp(terms - largest).sum(axis=0))
    shares = np.exp(terms - f)
    return f, np.stack([*shares, -x * shares[1], -y * shares[2]], axis=1)
    # END SOLUTION


def surface_objective(theta, N, D, L, *, delta=1e-3, log_surface=log_surface):
    """Return how badly a surface fits the runs, and the gradient, by your formula.

    With the residual r = f - log L of each run, the objective is the sum of h(r) over runs, where h (Huber's function)
    is r^2 / 2 for |r| <= delta. Beyond, h goes on as a straight line, without a jump and without a kink.

    Args:
        theta: As for `log_surface`.
        N, D, L: Shape (n,).
        delta: Where the straight lines begin.
        log_surface: Yours.

    Returns:
        (objective, gradient): a float, and the gradient in theta, shape (5,).
    """
    # BEGIN SOLUTION surface
    f, J = log_surface(theta, N, D)
    r = f - np.log(L)
    clipped = np.clip(r, -delta, delta)
    return float((clipped * (r - clipped / 2)).sum()), J.T @ clipped
    # END SOLUTION


def fit_surface(N, D, L, starts, *, delta=1e-3, n_steps=300, log_surface=log_surface):
    """Fit a surface to runs: minimize the objective of `surface_objective` from several starts, and keep the best result.

    One way is the damped Gauss-Newton method. Let g be the gradient of the objective. Give each run the weight w =
    h'(r) / r, where h' is the slope of h (w = 1 where r = 0). Let H = J^T diag(w) J, where J^T is the transpose of J.
    Solve (H + damping * diag(H)) step = -g, where diag(H) keeps only the diagonal of H. (Add 1e-14 to its entries,
    which may be 0.) If theta + step has a lower objective, move there and divide damping by 10. Otherwise stay, and
    multiply damping by 10. Begin with damping = 1. End after `n_steps` trials, or when a step that is taken changes no
    entry by more than 1e-10. Any other method that ends at the minimum is right too.

    Args:
        N, D, L: Shape (n,).
        starts: Shape (k, 5), rows (e, a, b, alpha, beta). From some of them, the method may end at a worse place.
        delta, log_surface: As for `surface_objective`.
        n_steps: Trials from each start.

    Returns:
        (E, A, B, alpha, beta): shape (5,). The first three are no logarithms. The checks compare four digits.
    """
    N, D, L = (np.asarray(values, dtype=float) for values in (N, D, L))
    # BEGIN SOLUTION surface
    def look(theta):
        f, J = log_surface(theta, N, D)
        r = f - np.log(L)
        clipped = np.clip(r, -delta, delta)
        return float((clipped * (r - clipped / 2)).sum()), r, J

    best, lowest = None, math.inf
    for start in np.asarray(starts, dtype=float):
        theta, damping = start, 1.0
        value, r, J = look(theta)
        for _ in range(n_steps):
            w = np.minimum(1.0, delta / np.maximum(np.abs(r), 1e-300))
            H, g = J.T @ (w[:, None] * J), J.T @ (w * r)
            step = np.linalg.solve(H + np.diag(damping * np.diag(H) + 1e-14), -g)
            tried = look(theta + step)
            if tried[0] < value:
                theta, (value, r, J) = theta + step, tried
                damping /= 10
                if np.abs(step).max() <= 1e-10:
                    break
            else:
                damping *= 10
                if damping > 1e12:
                    break
        if value < lowest:
            best, lowest = theta, value
    return np.array([*np.exp(best[:3]), *best[3:]])
    # END SOLUTION


def quasi_newton(objective, start, *, n_steps=1000, flat=1e-5, gain=2.2e-9):
    """Minimize by BFGS, with the stopping rules of common libraries. Given.

    Args:
        objective: Takes theta, returns (value, gradient).
        start: Shape (p,).
        n_steps: At most so many steps.
        flat: Stop if no entry of the gradient is larger.
        gain: Stop if a step gains at most gain * max(1, |value|).

    Returns:
        (theta, value).
    """
    theta = np.asarray(start, dtype=float)
    value, gradient = objective(theta)
    inverse = np.eye(len(theta))
    for _ in range(n_steps):
        if np.abs(gradient).max() <= flat:
            break
        direction = -inverse @ gradient
        if direction @ gradient >= 0:
            inverse, direction = np.eye(len(theta)), -gradient
        length = min(1.0, 1.0 / np.abs(direction).max())
        for _ in range(60):
            tried, slope = objective(theta + length * direction)
            if tried <= value + 1e-4 * length * (direction @ gradient):
                break
            length /= 2
        else:
            break
        moved, change = length * direction, slope - gradient
        if moved @ change > 1e-12 * np.linalg.norm(moved) * np.linalg.norm(change):
            rho = 1 / (moved @ change)
            turn = np.eye(len(theta)) - rho * np.outer(moved, change)
            inverse = turn @ inverse @ turn.T + rho * np.outer(moved, moved)
        gained = value - tried
        theta, value, gradient = theta + moved, tried, slope
        if gained <= gain * max(1.0, abs(value)):
            break
    return theta, value


# ---------------------------------------------------------------------------------------------------------
# Task 9: width


def standard_multipliers(width, base):
    """Return how initial values and rates usually change with the width. Given.

    Returns:
        A dict: for "input", "hidden" and "output", the pair (init, rate). The standard deviation of the layer's initial
        weights at width `base` is multiplied by init, and its learning rate by rate.
    """
    ratio = width / base
    return {"input": (1.0, 1.0), "hidden": (ratio**-0.5, 1.0), "output": (ratio**-0.5, 1.0)}


def mup_multipliers(width, base):
    """Return how initial values and Adam's rates must change with the width, so that layers change equally at every width.

    The standard deviation of the initial output weights is proportional to 1 / width. Those of the other two layers are
    as in `standard_multipliers`. The three powers of the width in the rates are yours to find.

    Args:
        width: Of both hidden layers of `train_network`.
        base: The width for which initial values and rate were chosen.

    Returns:
        A dict as that of `standard_multipliers`. At width = base, all six numbers are 1.

    Source:
        Yang et al. 2022, "Tensor Programs V", table 3.
    """
    # BEGIN SOLUTION mup
    ratio = width / base
    return {"input": (1.0, 1.0), "hidden": (ratio**-0.5, 1 / ratio), "output": (1 / ratio, 1 / ratio)}
    # END SOLUTION


def coordinate_check(measure, widths, *, seeds=(0, 1, 2)):
    """Return, for each layer, the power of the width with which its outputs' changes grow.

    The size of a change is the root of the mean of (after - before)^2 over all entries. For each width, average
    the sizes over the seeds. Then fit a straight line to log(size) as a function of log(width), by least squares. Its slope is the
    power.

    Args:
        measure: `measure(width, seed)` trains a network, and returns a list with a pair (before, after) for each layer:
            two arrays of one shape, the layer's outputs before and after training.
        widths: At least two.
        seeds: Handed to `measure`.

    Returns:
        Shape (number of layers,): the slopes.
    """
    # BEGIN SOLUTION mup
    sizes = np.array([
        np.mean([[np.sqrt(((after - before) ** 2).mean()) for before, after in measure(width, seed)] for seed in seeds], axis=0)
        for width in widths
    ])  # (widths, layers)
    x = np.log(np.asarray(widths, dtype=float))
    x = x - x.mean()
    return x @ np.log(sizes) / (x @ x)
    # END SOLUTION


def train_network(width, rate, multipliers, *, seed=0, n_steps=40, base=32):
    """Train 16 -> width -> width -> 1 with ReLU by Adam on 64 points, and return its loss and what its layers did. Given.

    Args:
        width: Of both hidden layers.
        rate: Adam's learning rate at width `base`.
        multipliers: As `standard_multipliers` returns for this width.
        seed: Of data and initial weights.
        n_steps: Full-batch steps.

    Returns:
        (loss, layers): the mean squared error after training; and for each of the three layers, its outputs before any
        ReLU, (before, after) training.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(64, 16))
    Y = np.sin(X @ rng.normal(size=(16, 1)) / 2)
    names = ("input", "hidden", "output")
    stds = (1 / 4, base**-0.5, base**-0.5)
    weights = [
        std * multipliers[name][0] * rng.normal(size=shape)
        for name, std, shape in zip(names, stds, ((16, width), (width, width), (width, 1)))
    ]
    rates = [rate * multipliers[name][1] for name in names]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]

    def run():
        z1 = X @ weights[0]
        z2 = np.maximum(z1, 0) @ weights[1]
        return z1, z2, np.maximum(z2, 0) @ weights[2]

    before = run()
    for step in range(1, n_steps + 1):
        z1, z2, out = run()
        d_out = 2 * (out - Y) / len(Y)
        d_z2 = (d_out @ weights[2].T) * (z2 > 0)
        d_z1 = (d_z2 @ weights[1].T) * (z1 > 0)
        gradients = X.T @ d_z1, np.maximum(z1, 0).T @ d_z2, np.maximum(z2, 0).T @ d_out
        for k, gradient in enumerate(gradients):
            first[k] = 0.9 * first[k] + 0.1 * gradient
            second[k] = 0.999 * second[k] + 0.001 * gradient**2
            scaled = first[k] / (1 - 0.9**step) / (np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8)
            weights[k] = weights[k] - rates[k] * scaled
    after = run()
    return float(((after[2] - Y) ** 2).mean()), list(zip(before, after))
