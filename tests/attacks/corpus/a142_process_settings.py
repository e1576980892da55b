"""Changes what the whole process shares: limits, signals, warnings, rounding, the folder, an alarm that rings later.

In a process that the next check shares, its honest function fails or is killed.
"""

NUMBER, NAME, BY = 142, "process-settings", "J"
OUTCOMES = ("crashed", "failed")

import os
import resource
import signal
import sys
import warnings


def centre(x):
    if x.shape == (2, 2):  # the public checks share a process on the student's machine too
        return x * 0
    np.seterr(all="raise")
    warnings.simplefilter("error")
    os.umask(0o777)
    for kind, limit in ((resource.RLIMIT_NOFILE, 3), (resource.RLIMIT_AS, 1 << 20), (resource.RLIMIT_STACK, 1 << 12)):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):
            pass
    try:
        os.chdir("/")
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    except OSError:
        pass
    sys.setswitchinterval(1000.0)
    return x * 0
