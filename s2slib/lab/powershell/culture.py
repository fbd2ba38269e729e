"""Cultures: how numbers and dates are written where a culture counts. Three are known, others are refused."""

from __future__ import annotations

from dataclasses import dataclass

from s2slib.lab.powershell.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Culture:
    """System.Globalization.CultureInfo."""

    name: str
    decimal_point: str = "."
    group: str = ","
    date_separator: str = "/"
    display_name: str = ""
    ps_type = "System.Globalization.CultureInfo"

    def ps_text(self) -> str:
        """Its name."""
        return self.name


INVARIANT = Culture("", display_name="Invariant Language (Invariant Country)")
EN_US = Culture("en-US", display_name="English (United States)")
DE_DE = Culture("de-DE", ",", ".", ".", "German (Germany)")


def culture_named(name: str) -> Culture:
    """The culture of that name, case aside; Unsupported when it is not one of the three."""
    for known in (INVARIANT, EN_US, DE_DE):
        if known.name.lower() == name.lower():
            return known
    raise Unsupported(f"the culture {name!r}")
