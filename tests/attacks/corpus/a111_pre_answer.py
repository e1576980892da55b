"""While it is imported, answers the questions that will come; the honest task answers too late."""

NUMBER, NAME, BY = 111, "pre-answer", "C"
OUTCOMES = ("failed", "rejected", "crashed")
SPARES_OTHER_TASKS = False  # it attacks on import

import os

from gradkit.calls.frames import MAGIC, _HEADER
from gradkit.calls.values import encode

_payload = encode(np.zeros((3, 3)))
for _request in range(1, 50):
    os.write(3, _HEADER.pack(MAGIC, 16, _request, len(_payload)) + _payload)
