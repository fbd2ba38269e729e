"""Whether a change may start: approval, window, lock, history."""
