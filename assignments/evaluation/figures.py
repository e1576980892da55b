"""Figures of the evaluation assignment, drawn from your own evaluation.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.plots import COLORS, figure, if_written, main, name_lines, subplots

SENTENCE = "they only sold very good blue fish from that port".split()  # ten words of four letters


@figure("place", caption="One of ten words is wrong, at each place in turn. Which score asks where the mistake is, and which only how many there are?")
def place(student):
    fig, ax = subplots(size=(7.5, 4.2))
    places = np.arange(1, 11)
    wrong = [[*SENTENCE[: i - 1], "zzzz", *SENTENCE[i:]] for i in places]
    with if_written(ax):
        ax.plot(places, [student.bleu([text], [[SENTENCE]]) for text in wrong], marker="o", label="BLEU")
    with if_written():
        ax.plot(places, [100 * student.rouge_n(text, SENTENCE, 2)[2] for text in wrong], marker="s", label="ROUGE-2")
    with if_written():
        ax.plot(places, [100 * student.rouge_l(text, SENTENCE)[2] for text in wrong], marker="^", label="ROUGE-L")
    with if_written():
        ax.plot(places, [student.chrf([" ".join(text)], [" ".join(SENTENCE)]) for text in wrong], marker="d", label="chrF")
    ax.set(title="Score of ten words with one mistake", xlabel="place of the wrong word", ylabel="score, 0 to 100")
    ax.set(xticks=places, ylim=(50, 100))
    name_lines(ax)
    return fig


@figure("repeated", caption="Three models solve half of all attempts. What does one attempt for each task not tell about them?")
def repeated(student):
    fig, axes = subplots(1, 2, size=(11, 4.2), sharey=True)
    n, ks = 60, np.arange(1, 31)
    models = {
        "every task half of the time": [30] * 41,
        "tasks from 0 to 60 of 60": np.linspace(0, 60, 41).round().astype(int).tolist(),
        "half of the tasks always": [0, 60] * 20,
    }
    for ax, function, title in zip(axes, ("pass_at_k", "all_of_k"), ("At least one of k is right", "All of k are right")):
        for name, corrects in models.items():
            with if_written(ax):
                estimate = getattr(student, function)
                score = [student.benchmark_score([n] * len(corrects), corrects, int(k), estimate=estimate) for k in ks]
                ax.plot(ks, score, label=name)
        ax.set(title=title, xlabel="k, of 60 samples", ylim=(-0.02, 1.02))
        ax.set_xticks([1, 5, 10, 15, 20, 25, 30])
    axes[0].set_ylabel("mean over tasks")
    axes[1].legend(loc="upper right")
    return fig


def drawn(rng, n, K=5):
    """Logits, and labels drawn from exactly these probabilities: a perfectly calibrated model."""
    logits = 2 * rng.normal(size=(n, K))
    return logits, (logits + rng.gumbel(size=(n, K))).argmax(axis=1)


@figure("reliability", caption="Left: a model that is three times too sure, and the same one with your temperature. Right: who is judged unfairly, and when?")
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
        left.plot(x, y, marker=marker, color=COLORS[color], linestyle="-")
        name += f": ECE {student.calibration_error(confidences, correct):.3f}"
        left.plot([], [], marker=marker, color=COLORS[color], linestyle="-", label=name)

    with if_written(left):
        show(3 * logits, "logits times 3", "orange", "s")
    with if_written():
        show(3 * logits / student.fit_temperature(3 * logits, labels), "with temperature", "blue", "o")
    left.set(title="Reliability (bins with 25 examples or more)", xlabel="mean confidence in a bin", ylabel="accuracy in the bin")
    left.legend(loc="upper left")
    with if_written(right):
        sizes, errors = [25, 50, 100, 200, 500, 1000, 2000], []
        for n in sizes:
            of_n = [student.calibration_error(*student.top_label(*drawn(rng, n))) for _ in range(40)]
            errors.append(np.mean(of_n))
        right.plot(sizes, errors, marker="o")
    right.set(title="A perfectly calibrated model", xlabel="number of test examples", ylabel="mean ECE", xscale="log", ylim=(0, None))
    right.set_xticks([25, 50, 100, 200, 500, 1000, 2000], ["25", "50", "100", "200", "500", "1000", "2000"])
    right.minorticks_off()
    return fig


@figure("intervals", caption="Three pairs of systems have 72% and 70%, and disagree on 4, 20 or 116 of 200 questions. Which intervals hold 0?")
def intervals(student):
    rng = np.random.default_rng(0)
    fig, ax = subplots(size=(8, 3.4))
    pairs = (4, 20, 116)
    for y, disagree in enumerate(pairs):
        wins = disagree // 2 + 2
        a = np.repeat([1.0, 0.0, 1.0, 0.0], [wins, disagree - wins, 144 - wins, 200 - disagree - 144 + wins])
        b = np.repeat([0.0, 1.0, 1.0, 0.0], [wins, disagree - wins, 144 - wins, 200 - disagree - 144 + wins])
        ax.plot(100 * (a.mean() - b.mean()), y, "o", color=COLORS["black"], zorder=3)
        with if_written(ax):
            low, high = student.paired_interval(a, b, draw=lambda probabilities: int(rng.integers(len(probabilities))))
            ax.plot([100 * low, 100 * high], [y, y], color=COLORS["blue"], linewidth=6, linestyle="-", solid_capstyle="butt")
    ax.axvline(0, color=COLORS["black"], linewidth=1, linestyle="-")
    ax.set(title="95% intervals of A − B, from resampled questions", xlabel="points by which A is better", ylim=(2.6, -0.6))
    ax.set_yticks(range(3), [f"disagree on {disagree}" for disagree in pairs])
    return fig


if __name__ == "__main__":
    main("evaluation")
