"""Figures of the evaluation assignment, drawn from your own evaluation.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, subplots

TEN = "they only sold very good blue fish from that port".split()  # ten words of four letters
FOUR = "it was not cheap".split()


@figure("place", caption="Left: one of ten words is wrong. Which scores ask where? Right: which of two changes of order is worse, and is a corpus the mean of its sentences?")
def place(student):
    fig, (left, right) = subplots(1, 2, size=(12, 4.4), width_ratios=(3, 2))
    places = np.arange(1, 11)
    wrong = [[*TEN[: i - 1], "zzzz", *TEN[i:]] for i in places]
    with if_written(left):
        left.plot(places, [student.bleu([text], [[TEN]]) for text in wrong], marker="o", label="BLEU")
    with if_written():
        left.plot(places, [100 * student.rouge_n(text, TEN, 2)[2] for text in wrong], marker="s", label="ROUGE-2")
    with if_written():
        left.plot(places, [100 * student.rouge_l(text, TEN)[2] for text in wrong], marker="^", label="ROUGE-L")
    with if_written():
        left.plot(places, [student.chrf([" ".join(text)], [" ".join(TEN)]) for text in wrong], marker="d", label="chrF")
    left.set(title="Ten words, one of them wrong", xlabel="place of the wrong word", ylabel="score, 0 to 100")
    left.set(xticks=places, ylim=(50, 100))
    left.legend(loc="lower center", ncols=4)

    bad = ["it", "was", "zzzz", "cheap"]
    with if_written(right):
        scores = {
            "middle word wrong": student.bleu([wrong[4]], [[TEN]]),
            "neighbors exchanged": student.bleu([[*TEN[:4], TEN[5], TEN[4], *TEN[6:]]], [[TEN]]),
            "halves exchanged": student.bleu([TEN[5:] + TEN[:5]], [[TEN]]),
            "corpus of a perfect and\na short wrong sentence": student.bleu([TEN, bad], [[TEN], [FOUR]]),
            "mean of these two": (student.bleu([TEN], [[TEN]]) + student.bleu([bad], [[FOUR]])) / 2,
        }
        bars = right.barh(list(scores), list(scores.values()), color=[COLORS["blue"]] * 3 + [COLORS["orange"]] * 2)
        right.bar_label(bars, fmt="%.1f", padding=3)
    right.set(title="BLEU", xlim=(0, 110))
    right.invert_yaxis()
    return fig


@figure("repeated", caption="Three models are right in half of all attempts. The numbers stand at k = 10. What does one attempt for each task not tell?")
def repeated(student):
    fig, axes = subplots(1, 2, size=(11, 4.2), sharey=True)
    n, ks = 100, np.arange(1, 31)
    models = {
        "A: half of the attempts at each task": [50] * 101,
        "B: rates from 0 to 1": [*range(101)],
        "C: half of the tasks, always": [0] * 50 + [100] * 50,
    }
    for ax, function, title in zip(axes, ("pass_at_k", "all_of_k"), ("At least one of k is right", "All of k are right")):
        for name, corrects in models.items():
            with if_written(ax):
                estimate = getattr(student, function)
                score = [student.benchmark_score([n] * len(corrects), corrects, int(k), estimate=estimate) for k in ks]
                (line,) = ax.plot(ks, score, label=name)
                ax.plot(10, score[9], "o", color=line.get_color())
                up = 0.03 if function == "all_of_k" or name.startswith("C") else -0.065  # where there is room
                ax.text(10.4, score[9] + up, f"{score[9]:.3f}", color=line.get_color())
        ax.set(title=title, xlabel="k, of 100 samples for each task", ylim=(-0.04, 1.06))
        ax.set_xticks([1, 5, 10, 15, 20, 25, 30])
    axes[0].set_ylabel("mean over tasks")
    axes[1].legend(loc="upper right")
    return fig


def drawn(rng, n, K=5):
    """Logits, and labels drawn from exactly these probabilities: a perfectly calibrated model."""
    logits = 2 * rng.normal(size=(n, K))
    return logits, (logits + rng.gumbel(size=(n, K))).argmax(axis=1)


@figure("reliability", caption="Left: a calibrated model, one whose logits are three times as large, and the latter with your T. Right: when does a perfect model look bad?")
def reliability(student):
    rng = np.random.default_rng(0)
    fig, (left, right) = subplots(1, 2, size=(11, 4.4))
    logits, labels = drawn(rng, 2000)
    left.plot([0, 1], [0, 1], color=COLORS["black"], linewidth=1, linestyle="-")

    def show(logits, name, color, marker):
        confidences, correct = student.top_label(logits, labels)
        bins = np.minimum((confidences * 10).astype(int), 9)
        used = [b for b in range(10) if (bins == b).sum() >= 25]
        x, y = [confidences[bins == b].mean() for b in used], [correct[bins == b].mean() for b in used]
        hollow = {"markersize": 10, "markerfacecolor": "none"} if color == "grey" else {}  # seen under what lies on it
        left.plot(x, y, marker=marker, color=COLORS[color], linestyle="-", **hollow)
        name += f": accuracy {correct.mean():.2f}, ECE {student.calibration_error(confidences, correct):.2f}"
        left.plot([], [], marker=marker, color=COLORS[color], linestyle="-", label=name)

    with if_written(left):
        show(logits, "logits", "grey", "d")
        show(3 * logits, "logits times 3", "orange", "s")
    with if_written():
        show(3 * logits / student.fit_temperature(3 * logits, labels), "with your T", "blue", "o")
    left.set(title="Reliability (bins with 25 examples or more)", xlabel="mean confidence in a bin", ylabel="accuracy in the bin")
    left.legend(loc="upper left")
    left.set(ylim=(0, 1.3), yticks=np.arange(6) / 5)
    with if_written(right):
        sizes, errors = [25, 50, 100, 200, 500, 1000, 2000], []
        for n in sizes:
            of_n = [student.calibration_error(*student.top_label(*drawn(rng, n))) for _ in range(200)]
            errors.append(np.mean(of_n))
        right.plot(sizes, errors, marker="o")
        for n in (50, 2000):
            right.text(1.1 * n if n < 100 else 0.75 * n, errors[sizes.index(n)] + 0.005, f"{errors[sizes.index(n)]:.2f}")
    right.set(title="A perfectly calibrated model", xlabel="number of test examples", ylabel="mean ECE", xscale="log", ylim=(0, None))
    right.set_xticks([25, 50, 100, 200, 500, 1000, 2000], ["25", "50", "100", "200", "500", "1000", "2000"])
    right.minorticks_off()
    return fig


@figure("intervals", caption="Left: pairs of systems with 72% and 70% that disagree on few or many of 200 questions. Right: what do copies do to either error?")
def intervals(student):
    rng = np.random.default_rng(0)
    fig, (left, right) = subplots(1, 2, size=(12, 3.8), width_ratios=(3, 2))
    pairs = (4, 20, 116)
    for y, disagree in enumerate(pairs):
        wins = disagree // 2 + 2
        counts = [wins, disagree - wins, 144 - wins, 56 - disagree + wins]  # A alone, B alone, both, neither
        a, b = np.repeat([1.0, 0.0, 1.0, 0.0], counts), np.repeat([0.0, 1.0, 1.0, 0.0], counts)
        left.plot(100 * (a.mean() - b.mean()), y, "o", color=COLORS["black"], zorder=3)
        with if_written(left):
            low, high = student.paired_interval(a, b, draw=lambda probabilities: int(rng.integers(len(probabilities))))
            left.plot([100 * low, 100 * high], [y, y], color=COLORS["blue"], linewidth=6, linestyle="-", solid_capstyle="butt")
        with if_written():
            error = 100 * student.clustered_error(a - b, np.arange(200))
            left.text(0.3, y + 0.33, f"standard error {error:.1f}", size=10)
    left.axvline(0, color=COLORS["black"], linewidth=1, linestyle="-")
    left.set(title="95% intervals of A − B", xlabel="points by which A is better", ylim=(2.6, -0.6))
    left.set_yticks(range(3), [f"disagree on {disagree}" for disagree in pairs])

    copies, once = np.arange(1, 11), rng.uniform(size=40) < 0.6
    with if_written(right):
        naive = [student.clustered_error(np.repeat(once, c), np.arange(40 * c)) for c in copies]
        clustered = [student.clustered_error(np.repeat(once, c), np.repeat(np.arange(40), c)) for c in copies]
        right.plot(copies, clustered, marker="o", label="one cluster for each question")
        right.plot(copies, naive, marker="s", label="all results independent")
        right.legend(loc="lower left")
    right.set(title="40 questions, copied", xlabel="times that each is asked", ylabel="standard error", ylim=(0, 0.1))
    return fig


if __name__ == "__main__":
    main("evaluation")
