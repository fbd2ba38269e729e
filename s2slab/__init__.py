"""The embedded lab: a simulated Windows estate with Lync and Exchange behind real sockets, real TLS and real tokens."""
