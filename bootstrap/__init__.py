"""The environment that the product runs in: how `run.py` makes it, repairs it and hands over to it.

    run.py -> start     what the user asked for, what will be done, the hand-over
              venv      .venv: its state, making, repairing and filling it
              sets      the pinned sets and their digests
              stamp     what .venv says of itself
              pip       the calls to pip
              package   s2slib itself as an editable wheel
              wheelhouse  a folder of wheels for machines without internet
              lock      one start at a time

Standard library only, and nothing else of s2slib: it runs before anything is installed.
"""
