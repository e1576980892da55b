"""Never comes back from its import, so no request is ever read."""

NUMBER, NAME, BY = 56, "never-read", "C"
OUTCOMES = ("timeout",)
SPARES_OTHER_TASKS = False

import time

while True:
    time.sleep(60)
