"""Primitives of the runbooks that make Lync Server and Exchange Server trust each other with OAuth server-to-server authentication."""

__version__ = "0.1.0"
