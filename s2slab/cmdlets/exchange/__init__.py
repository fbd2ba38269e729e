"""Cmdlets and scripts of Exchange's management shell."""
