"""``python -m bench.cli``: the command line of the project in this folder, installed or not."""

from bench.cli.main import main

if __name__ == "__main__":
    main()
