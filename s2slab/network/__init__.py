"""Sockets of the lab: one forward proxy, TLS sites, HTTP."""
