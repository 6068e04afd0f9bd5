"""What commands say while they work."""

from collections.abc import Callable

from axnn.nn.train import Epoch
from qcnpe.command_line import say


def warn_on_stderr(*, quiet: bool) -> Callable[[str], None]:
    """Prints a line for the user on stderr, above a progress bar."""

    def warn(line: str) -> None:
        if not quiet:
            say("axnn", line)

    return warn


def epoch_note(update: Callable[..., None]) -> Callable[[Epoch], None]:
    """Tells a progress bar of each epoch and its quality on validation."""
    return lambda epoch: update(epoch.number + 1, f"validation {epoch.validation_accuracy:.2%}")
