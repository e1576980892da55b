"""Writes a pixel's gradient instead of adding to it."""

TASK = "backward"
HINT = """dx is right where windows don't overlap. A pixel in the middle is in many windows, and gets the
gradient of one. The same number is used several times: what happens to its gradients?"""


def conv2d_backward(dout, x, w, *, stride=1, padding=0, dilation=1):
    check_conv(x, w)
    check_dout(dout, len(x), len(w))
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = dout.shape[2:]
    height, width = x.shape[2:]
    padded = _padded(x, (p_h, p_w))
    dpadded, dw = np.zeros_like(padded), np.empty_like(w)
    for u, v in np.ndindex(w.shape[2:]):
        where = (u, v), (h_out, w_out), (s_h, s_w), (d_h, d_w)
        dw[:, :, u, v] = np.einsum("noij,ncij->oc", dout, _tap(padded, *where))
        seen = _tap(dpadded, *where)
        seen[...] = np.einsum("noij,oc->ncij", dout, w[:, :, u, v])
    dx = dpadded[:, :, p_h : p_h + height, p_w : p_w + width]
    return dx, dw, dout.sum(axis=(0, 2, 3))
