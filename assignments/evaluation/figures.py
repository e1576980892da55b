"""Figures of the evaluation assignment, drawn from your own evaluation.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.chance import luck
from coursekit.plots import COLORS, figure, if_written, main, name_lines, subplots

SENTENCE = "we met an old man who sold fresh fish daily".split()


@figure("place", caption="One of ten words is wrong, at each place in turn. Which score asks where the mistake is, and which only how many there are?")
def place(student):
    fig, ax = subplots(size=(7.5, 4.2))
    places = np.arange(1, 11)
    wrong = [[*SENTENCE[: i - 1], "zzz", *SENTENCE[i:]] for i in places]
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
    axes[0].set_ylabel("mean over tasks")
    axes[0].legend(loc="center right")
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
        used = [b for b in range(10) if (bins == b).sum() >= 10]
        x, y = [confidences[bins == b].mean() for b in used], [correct[bins == b].mean() for b in used]
        left.plot(x, y, marker=marker, color=COLORS[color], linestyle="-")
        name += f": ECE {student.calibration_error(confidences, correct):.3f}"
        left.plot([], [], marker=marker, color=COLORS[color], linestyle="-", label=name)

    with if_written(left):
        show(3 * logits, "logits times 3", "orange", "s")
    with if_written():
        show(3 * logits / student.fit_temperature(3 * logits, labels), "with temperature", "blue", "o")
    left.set(title="Reliability (bins with 10 examples or more)", xlabel="mean confidence in a bin", ylabel="accuracy in the bin")
    left.legend(loc="upper left")
    with if_written(right):
        sizes, errors = [25, 50, 100, 200, 500, 1000, 2000], []
        for n in sizes:
            of_n = [student.calibration_error(*student.top_label(*drawn(rng, n))) for _ in range(40)]
            errors.append(np.mean(of_n))
        right.plot(sizes, errors, marker="o")
    right.set(title="A perfectly calibrated model", xlabel="number of test examples", ylabel="mean ECE", xscale="log", ylim=(0, None))
    return fig


@figure("intervals", caption="Two pairs of systems with 72% and 70%. Only the share of questions on which they disagree is different. When is 0 outside?")
def intervals(student):
    fig, ax = subplots(size=(8, 3.4))
    draw, _ = luck(0)
    rows = []
    for disagree in (20, 116):
        wins = disagree // 2 + 2
        scores_a, scores_b = np.zeros(200), np.zeros(200)
        scores_a[:wins], scores_b[wins:disagree] = 1, 1
        both = 144 - wins  # A has 72% in all
        scores_a[disagree : disagree + both] = scores_b[disagree : disagree + both] = 1
        rows.append((f"disagree on {disagree}", scores_a, scores_b))
    with if_written(ax):
        for y, (name, scores_a, scores_b) in enumerate(rows):
            low, high = student.paired_interval(scores_a, scores_b, n_resamples=1000, draw=draw)
            ax.plot([100 * low, 100 * high], [y, y], color=COLORS["blue"], linewidth=5, linestyle="-", solid_capstyle="butt")
            ax.plot(100 * (scores_a.mean() - scores_b.mean()), y, "o", color=COLORS["black"])
    ax.axvline(0, color=COLORS["black"], linewidth=1)
    ax.set(title="95% interval of A − B, from resampled questions", xlabel="points by which A is better", ylim=(-0.6, 1.6))
    ax.set_yticks([0, 1], [name for name, *_ in rows])
    return fig


if __name__ == "__main__":
    main("evaluation")
