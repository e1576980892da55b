"""The reference of the backprop assignment held against torch: autograd in float64, its losses and its
optimizers."""

import math

import numpy as np
import pytest
import staff_files

torch = pytest.importorskip("torch")
F = torch.nn.functional

backprop = staff_files.reference("backprop")

ACTIVATIONS = ["sigmoid", "relu", "tanh"]
SIZES = [([2, 3, 4, 3, 1], 10), ([5, 1], 1), ([3, 3, 3, 3], 7), ([4, 8, 6], 32), ([1] * 12 + [2], 3)]
TIGHT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def leaf(array):
    """A torch tensor of an array, to be differentiated in."""
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


def torch_logits(x, params, name):
    """The network written with torch: logits of shape (b, n_L)."""
    a, last = torch.as_tensor(x), len(params) // 2
    for i in range(1, last + 1):
        a = F.linear(a, params[f"W{i}"], params[f"B{i}"][:, 0])
        if i < last:
            a = getattr(torch, name)(a)
    return a


def random_network(rng, n):
    params = backprop.init_params(n, rng)
    return {name: p + 0.3 * rng.standard_normal(p.shape) for name, p in params.items()}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_slopes(rng, name):
    """Values and slopes are torch's, kink and extremes included."""
    z = np.concatenate([rng.normal(scale=5, size=200), [0.0, -0.0, 1e3, -1e3, 40.0, -40.0]])
    t = leaf(z)
    y = getattr(torch, name)(t)
    y.sum().backward()

    np.testing.assert_allclose(getattr(backprop, name)(z), y.detach().numpy(), **TIGHT)
    np.testing.assert_allclose(getattr(backprop, f"{name}_derivative")(z), t.grad.numpy(), **TIGHT)


@pytest.mark.parametrize("scale", [1, 30, 2000])
def test_losses(rng, scale):
    """Both losses and their gradients are torch's, for logits up to thousands."""
    b, n_classes = 23, 7
    z, y = rng.normal(scale=scale, size=(1, b)), rng.uniform(size=(b, 1)).round(int(rng.integers(0, 3)))
    t = leaf(z)
    want = F.binary_cross_entropy_with_logits(t[0], torch.tensor(y[:, 0]))
    want.backward()
    loss, gradient = backprop.binary_cross_entropy(z, y)
    np.testing.assert_allclose(loss, want.item(), **TIGHT)
    np.testing.assert_allclose(gradient, t.grad.numpy(), **TIGHT)

    z, y = rng.normal(scale=scale, size=(n_classes, b)), rng.integers(0, n_classes, b)
    t = leaf(z)
    want = F.cross_entropy(t.T, torch.tensor(y))
    want.backward()
    loss, gradient = backprop.softmax_cross_entropy(z, y)
    np.testing.assert_allclose(loss, want.item(), **TIGHT)
    np.testing.assert_allclose(gradient, t.grad.numpy(), **TIGHT)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("n, b", SIZES, ids=str)
def test_network(rng, name, n, b):
    """Logits, and the gradient of every parameter for a random cotangent, are those of torch's autograd."""
    params, x = random_network(rng, n), rng.standard_normal((b, n[0]))
    cotangent = rng.standard_normal((n[-1], b))
    activation, derivative = getattr(backprop, name), getattr(backprop, f"{name}_derivative")
    leaves = {key: leaf(p) for key, p in params.items()}
    want = torch_logits(x, leaves, name)
    want.backward(torch.tensor(cotangent.T))

    logits, cache = backprop.mlp_forward(x, params, activation=activation)
    grads = backprop.mlp_backward(params, cache, cotangent, derivative=derivative)

    np.testing.assert_allclose(logits, want.detach().numpy().T, **TIGHT)
    assert grads.keys() == params.keys()
    for key, gradient in grads.items():
        np.testing.assert_allclose(gradient, leaves[key].grad.numpy(), **TIGHT, err_msg=key)


def torch_steps(make, params, gradients, *, shrink=1.0):
    """Parameters after each step of a torch optimizer; `shrink` multiplies the weights before each, as
    decoupled decay does."""
    leaves = {key: leaf(p) for key, p in params.items()}
    optimizer = make(leaves)
    path = []
    for grads in gradients:
        for key, parameter in leaves.items():
            parameter.grad = torch.tensor(grads[key])
            if key.startswith("W"):
                parameter.data *= shrink
        optimizer.step()
        path.append({key: parameter.detach().numpy().copy() for key, parameter in leaves.items()})
    return path


def own_steps(step, params, gradients, **rates):
    state, path = None, []
    for grads in gradients:
        params, state = step(params, grads, state, **rates)
        path.append(params)
    return path


def assert_same_path(path, want):
    for got, expected in zip(path, want, strict=True):
        for key in expected:
            np.testing.assert_allclose(got[key], expected[key], rtol=1e-9, atol=1e-11, err_msg=key)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_sgd_and_momentum(rng, beta, decay):
    """Momentum is torch.optim.SGD's, on weights shrunk beforehand: torch's own decay is not decoupled."""
    params, lr = random_network(rng, [2, 3, 1]), 0.1
    gradients = [random_network(rng, [2, 3, 1]) for _ in range(25)]

    def make(p):
        return torch.optim.SGD(p.values(), lr=lr, momentum=beta)

    want = torch_steps(make, params, gradients, shrink=1 - lr * decay)

    rates = {"lr": lr, "weight_decay": decay}
    assert_same_path(own_steps(backprop.momentum_step, params, gradients, beta=beta, **rates), want)
    if beta == 0:
        assert_same_path(own_steps(backprop.sgd_step, params, gradients, **rates), want)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_adam(rng, betas, decay, scale):
    """Adam is torch.optim.AdamW with decay on the weights only, for gradients of any size."""
    params = random_network(rng, [2, 3, 1])
    gradients = [{key: scale * g for key, g in random_network(rng, [2, 3, 1]).items()} for _ in range(25)]

    def make(p):
        weights = [p[key] for key in p if key.startswith("W")]
        biases = [p[key] for key in p if key.startswith("B")]
        groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=0.01, betas=betas)

    rates = {"lr": 0.01, "beta1": betas[0], "beta2": betas[1], "weight_decay": decay}
    path = own_steps(backprop.adam_step, params, gradients, **rates)

    assert_same_path(path, torch_steps(make, params, gradients))


def test_training_is_torch_training(rng):
    """Thirty epochs of mini-batches give the parameters that the same loop written with torch gives."""
    n = [2, 5, 4, 1]
    params, x = random_network(rng, n), rng.standard_normal((37, 2))
    y = (x[:, :1] * x[:, 1:] > 0).astype(float)
    orders = [rng.permutation(37) for _ in range(30)]

    leaves = {key: leaf(p) for key, p in params.items()}
    optimizer = torch.optim.AdamW(leaves.values(), lr=0.01, weight_decay=0.0)
    for order in orders:
        for start in range(0, 37, 8):
            batch = order[start : start + 8]
            optimizer.zero_grad()
            logits = torch_logits(x[batch], leaves, "tanh")
            F.binary_cross_entropy_with_logits(logits, torch.tensor(y[batch])).backward()
            optimizer.step()

    def loss_and_grads(params, x, y):
        logits, cache = backprop.mlp_forward(x, params, activation=backprop.tanh)
        loss, d_logits = backprop.binary_cross_entropy(logits, y)
        return loss, backprop.mlp_backward(params, cache, d_logits, derivative=backprop.tanh_derivative)

    left = iter(orders)
    falling = iter(range(30, 0, -1))
    best, history = backprop.fit(
        params, x, y, loss_and_grads=loss_and_grads,
        step=lambda p, g, s: backprop.adam_step(p, g, s, lr=0.01),
        validate=lambda _: next(falling), shuffle=lambda _: next(left),
        batch_size=8, max_epochs=30, patience=1,
    )  # fmt: skip

    for key, p in best.items():
        np.testing.assert_allclose(p, leaves[key].detach().numpy(), rtol=1e-8, atol=1e-10, err_msg=key)
    assert history["train"][-1] < history["train"][0]


def test_gradient_step(rng):
    """One step is torch.optim.SGD's on the same loss."""
    params, x = random_network(rng, [3, 4, 2]), rng.standard_normal((9, 3))
    y = rng.integers(0, 2, 9)
    leaves = {key: leaf(p) for key, p in params.items()}
    want = F.cross_entropy(torch_logits(x, leaves, "sigmoid"), torch.tensor(y))
    want.backward()
    torch.optim.SGD(leaves.values(), lr=0.3).step()

    after, value = backprop.gradient_step(
        params, x, y, lr=0.3, loss=backprop.softmax_cross_entropy,
        activation=backprop.sigmoid, derivative=backprop.sigmoid_derivative,
    )  # fmt: skip

    np.testing.assert_allclose(value, want.item(), **TIGHT)
    for key, p in after.items():
        np.testing.assert_allclose(p, leaves[key].detach().numpy(), **TIGHT, err_msg=key)


def test_numerical_gradient_and_checker(rng):
    """Central differences approach autograd's gradient, which the checker accepts; a wrong coordinate it
    finds."""
    a, x = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))

    def f(point):
        return float(np.logaddexp.reduce((a @ point).ravel()))

    t = leaf(x)
    torch.logsumexp((torch.tensor(a) @ t).ravel(), 0).backward()
    exact = t.grad.numpy()

    np.testing.assert_allclose(backprop.numerical_gradient(f, x), exact, atol=1e-9)
    assert backprop.wrong_coordinates(f, x, exact) == []
    for index in np.ndindex(x.shape):
        wrong = exact.copy()
        wrong[index] *= 1.001
        assert backprop.wrong_coordinates(f, x, wrong) == [index]


# Each makes a node of a bounded one (u) and any one (v), away from poles and edges of domains.
OPERATIONS = {
    "add": lambda u, v, _: u + v,
    "multiply": lambda u, v, _: u * v,
    "subtract": lambda u, v, _: 2 - u - v,
    "divide": lambda u, v, _: v / (u * u + 1),
    "power": lambda u, v, _: (u * u + 0.5) ** 1.5,
    "tanh": lambda u, v, call: call("tanh", v),
    "relu": lambda u, v, call: call("relu", v),
    "exp": lambda u, v, call: call("exp", -v * v),
    "log": lambda u, v, call: call("log", v * v + 1),
}


@pytest.mark.parametrize("size", [5, 20, 60])
def test_engine_on_random_graphs(rng, size):
    """Every node of a random expression gets the gradient that torch's autograd gives it."""
    numbers = rng.uniform(0.2, 1.5, size=4)
    ours, theirs = [backprop.Value(v) for v in numbers], [leaf(v) for v in numbers]
    for _ in range(size):
        i, j = rng.integers(len(ours), size=2)
        operation = OPERATIONS[rng.choice(list(OPERATIONS))]
        for nodes in (ours, theirs):
            nodes.append(operation(nodes[i].tanh(), nodes[j], lambda name, v: getattr(v, name)()))
    end, torch_end = sum(v.tanh() for v in ours), sum(v.tanh() for v in theirs)
    for node in theirs:
        node.retain_grad()
    end.backward()
    torch_end.backward()

    assert math.isclose(end.data, torch_end.item(), rel_tol=1e-10)
    want = [v.grad.item() for v in theirs]
    np.testing.assert_allclose([v.grad for v in ours], want, rtol=1e-8, atol=1e-11)
