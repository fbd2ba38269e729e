"""Cmdlets of the Lync Server management shell."""
