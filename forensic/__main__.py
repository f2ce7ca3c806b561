"""`python -m forensic` is the command `forensic`."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the working directory may be the evidence: no module is ever imported from there

from forensic.cli.app import main

if __name__ == "__main__":
    main()
