"""Findings, changes, plans and expectations: pure, no input or output."""
