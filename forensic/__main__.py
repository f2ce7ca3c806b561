"""`python -m forensic` is the command `forensic`."""

from forensic.cli.app import main

if __name__ == "__main__":
    main()
