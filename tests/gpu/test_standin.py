"""What a GPU refuses is refused here too, and everything that the course hands out works where tensors are on a device."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from coursekit.checks import assert_leaves_arguments, assert_stays_on_device  # noqa: E402
from coursekit.compare import Mismatch  # noqa: E402

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def load(path: Path, *, edits: tuple[tuple[str, str], ...] = ()) -> object:
    """A module from a file, with small changes of its text."""
    text = path.read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, (path, old)
        text = text.replace(old, new)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_file_location(f"of_the_gpu_tests_{path.stem}", path)
    )
    exec(compile(text, str(path), "exec"), vars(module))
    return module


standin = load(HERE / "standin.py")


@pytest.fixture
def cuda():
    with standin.cuda():
        yield


def test_tensors_say_where_they_are_and_hold_their_numbers(cuda):
    """Made there, moved there, computed there; back on the host they are what the CPU gives."""
    x = torch.arange(6.0).reshape(2, 3)
    there = x.to("cuda")

    for made in (
        there,
        x.cuda(),
        there @ there.T,
        there[there > 2],
        torch.zeros(2, device="cuda"),
        there.new_tensor([1]),
        torch.ones_like(there),
    ):
        assert made.device == torch.device("cuda:0") and made.is_cuda
    assert torch.equal((there @ there.T).softmax(-1).cpu(), (x @ x.T).softmax(-1))
    assert torch.equal(torch.where(there > 2, there, 7.0).cpu(), torch.where(x > 2, x, 7.0))
    assert torch.equal(there[..., [0, 2]].cpu(), x[..., [0, 2]]) and torch.equal(there[[1, 0]].cpu(), x[[1, 0]])
    there[:1] = 5.0
    assert there.cpu()[0].tolist() == [5.0, 5.0, 5.0]


def test_gradients_flow_on_the_device(cuda):
    """Autograd goes through it, and through the copy to it."""
    x = torch.tensor([2.0, 3.0], requires_grad=True)

    (x.to("cuda") ** 2).sum().backward()

    assert x.grad.tolist() == [4.0, 6.0]


@pytest.mark.parametrize(
    "meeting",
    [
        lambda there, here: there + here,
        lambda there, here: there @ here,
        lambda there, here: torch.cat([there, here]),
        lambda there, here: there.masked_fill(here > 0, 0.0),
        lambda there, here: here[(there > 0).any(-1)],
        lambda there, here: torch.where(here > 0, there, there),
    ],
    ids=["sum", "product", "cat", "mask", "index", "where"],
)
def test_two_devices_do_not_meet(cuda, meeting):
    """As on a GPU; a number, or an index from the CPU, is no stranger."""
    here = torch.ones(2, 2)
    there = here.to("cuda")

    with pytest.raises(RuntimeError, match="same device|indices are on"):
        meeting(there, here)
    assert ((there + torch.tensor(1.0)) * 2)[torch.tensor([0])].cpu().tolist() == [[4.0, 4.0]]
    with pytest.raises(TypeError, match="to numpy"):
        there.numpy()


def test_copies_to_the_host_are_counted(cuda):
    """Each one, and only those of the call itself; arguments are watched as ever."""
    x = torch.ones(3).to("cuda")

    assert assert_stays_on_device(lambda x: x * 2 + torch.ones(3, device=x.device), x).sum().item() == 9
    assert_stays_on_device(lambda x: float(x.sum()), torch.ones(3))  # nothing is on a device
    for copies, function in [
        (1, lambda x: x.cpu()),
        (1, lambda x: int(x[0])),
        (2, lambda x: [bool((x > 0).all()), x.to("cpu")]),
    ]:
        with pytest.raises(Mismatch, match=f"append copies from the device to the host {copies} time"):
            assert_stays_on_device(function, x, name="append")
        assert_leaves_arguments(function, x)
    with pytest.raises(Mismatch, match="changes its first argument"):
        assert_leaves_arguments(lambda x: x.add_(1), x)


def test_every_reference_works_on_a_device():
    """Each hidden check of the six, once, with all tensors there: what meets a tensor of the CPU fails."""
    files = [f"solutions/{id}/test_hidden.py" for id in ("attention", "conv", "kv_cache", "sampling", "ppo", "dpo")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=line",
        "-p",
        "on_the_standin",
        *files,
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)

    assert done.returncode == 0, done.stdout[-3000:]


def test_a_mask_left_on_the_cpu_is_found(cuda):
    """On the CPU this solution is right, and no check there could tell."""
    edit = (
        "scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)",
        "scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2]), -math.inf)",
    )
    wrong = load(ROOT / "solutions" / "attention" / "attention.py", edits=(edit,))
    x = torch.ones(1, 3, 2)

    assert wrong.scaled_dot_product_attention(x, x, x, causal=True).shape == (1, 3, 2)
    with pytest.raises(RuntimeError, match="found at least two"):
        wrong.scaled_dot_product_attention(*[x.to("cuda")] * 3, causal=True)


# ---- the checks that need a device, and what each is for

GPU_CHECKS = {
    ("attention", "test_sdpa_where_float16_overflows"): (
        "scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])",
        "scores = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).to(dtype)",
    ),
    ("conv", "test_float32_is_float32_on_a_gpu"): (  # what TensorFloat-32 does to the factors: ten bits of 23 are kept
        "out = w.reshape(c_out, -1) @ cols",
        "out = (w.reshape(c_out, -1).view(torch.int32) & -8192).view(torch.float32) @ (cols.view(torch.int32) & -8192).view(torch.float32)",
    ),
    ("kv_cache", "test_cache_stays_on_the_device"): (
        "start, self.length = self.length, self.length + k.shape[-2]",
        "start, self.length = self.length, int(torch.tensor(self.length, device=k.device)) + k.shape[-2]",
    ),
    ("sampling", "test_top_k_keeps_the_lower_ids_of_a_large_vocabulary"): (
        "    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)  # equals stay in id order",
        "    ranking = logits.shape[-1] - 1 - torch.argsort(logits.flip(-1), dim=-1, descending=True, stable=True)",
    ),
    ("ppo", "test_mean_of_a_large_batch_in_float16"): (
        "    return x[mask].mean()\n",
        "    return x[mask].sum() / mask.sum()\n",
    ),
    ("dpo", "test_dpo_loss_of_a_large_batch_in_float16"): (
        "    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)\n    return -F.logsigmoid(margin).mean()",
        "    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)\n    return -F.logsigmoid(margin).sum() / len(margin)",
    ),
}


@pytest.mark.parametrize(("id", "name"), GPU_CHECKS, ids=[id for id, _ in GPU_CHECKS])
def test_each_gpu_check_passes_on_the_reference_and_fails_on_its_mistake(cuda, id, name):
    """What each of them is for is told apart, as far as the CPU's arithmetic shows it."""
    import numpy as np

    check = getattr(load(ROOT / "assignments" / id / f"test_{id}.py"), name)
    assert check.__weight__ == 0 and [mark.name for mark in check.pytestmark] == ["gpu"]
    reference = ROOT / "solutions" / id / f"{id}.py"
    given = {"device": "cuda", "rng": np.random.default_rng(1), "torch_rng": torch.Generator().manual_seed(1)}
    needs = check.__code__.co_varnames[1 : check.__code__.co_argcount]

    check(load(reference), **{need: given[need] for need in needs})
    with pytest.raises(Mismatch):
        check(load(reference, edits=(GPU_CHECKS[id, name],)), **{need: given[need] for need in needs})
