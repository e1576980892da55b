"""Adds up the taps in bfloat16."""

TASK = "device"
HINT = """float64 and float32 are right. In bfloat16 large sums come out too small: the next number after
256 is 258. What does adding 1 to 256 give, and in which precision do you add?"""


def conv2d_torch(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size):
    check_conv(x, w, b)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    padded = torch.nn.functional.pad(x, (p_w, p_w, p_h, p_h))
    out = x.new_zeros(len(x), len(w), h_out, w_out)
    for u in range(w.shape[2]):
        for v in range(w.shape[3]):
            top, left = u * d_h, v * d_w
            seen = padded[:, :, top : top + s_h * h_out : s_h, left : left + s_w * w_out : s_w]
            seen = seen[:, :, :h_out, :w_out]
            out = out + torch.einsum("ncij,oc->noij", seen, w[:, :, u, v])
    return out if b is None else out + b[:, None, None]
