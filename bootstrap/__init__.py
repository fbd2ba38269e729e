"""How `run.py` makes `.venv` from hashed pins, repairs it and hands over: start -> environment -> pip. Standard library only."""
