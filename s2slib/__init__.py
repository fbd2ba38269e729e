"""Primitives of the runbooks that make Lync Server and Exchange Server trust each other (OAuth server-to-server)."""

__version__ = "0.2.0"
