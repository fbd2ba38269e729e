"""`python -m s2slib` is `s2s`."""

from s2slib.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
