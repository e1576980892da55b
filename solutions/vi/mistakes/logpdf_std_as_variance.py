"""Takes the standard deviation for a variance."""

TASK = "gaussians"
HINT = """Your log density is right for scale 1 and wrong for every other scale, in the
normaliser and in the distance. In which units is `std`: those of x, or those of x squared?"""


def gaussian_logpdf(x, mean, std):
    x, mean, std = _tensors(x=x, mean=mean, std=std)
    return (-0.5 * math.log(2 * math.pi) - 0.5 * std.log() - 0.5 * (x - mean) ** 2 / std).sum(-1)
