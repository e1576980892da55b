"""What can go wrong, drawn as a tree. Every message is one line: what is wrong, where, and what to do."""


class GradkitError(Exception):
    """Something the engine could not do. The command line prints the message and exits non-zero."""


class InputError(GradkitError):
    """Bad usage or bad input from whoever runs the command (exit code 2)."""


class AuthoringError(InputError):
    """A file of an assignment breaks a rule of authoring; the message starts with `file:line:` or `file:`."""


class IsolationError(GradkitError):
    """This machine can't isolate a submission as required, and nothing silently runs with less."""


class WorkerError(GradkitError):
    """The untrusted side broke off. Always a fact about the submission, never a grader error."""


class WorkerTimeout(WorkerError):
    """The check's total deadline passed."""


class WorkerCrashed(WorkerError):
    """The worker ended before it answered."""


class ProtocolError(WorkerError):
    """The worker sent bytes that are not an answer."""


class ZygoteError(GradkitError):
    """The trusted process that forks workers failed: the grader's fault, so no check is scored."""
