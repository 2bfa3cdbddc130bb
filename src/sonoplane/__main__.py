"""`python -m sonoplane` is the command `sonoplane`."""

from sonoplane.cli.main import main

if __name__ == "__main__":
    main()
