"""`python -m forensic` is the command `forensic`."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the working directory may be the evidence: no module is ever imported from there

from forensic.cli.signals import leave_at_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """The command line of this process, from its first moment to its last."""
    leave_at_once()
    from forensic.cli import app  # noqa: PLC0415 - reads much: signals have their meaning first

    try:
        app.main()
    finally:
        leave_at_once()


if __name__ == "__main__":
    main()
