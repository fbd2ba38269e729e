"""Typed primitives per product: reads give facts, writes give commands; each names its cmdlet, rights and source."""
