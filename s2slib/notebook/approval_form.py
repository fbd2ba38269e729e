"""The form in which a person approves a plan. It writes values only; the next cell records them, or says what will not do."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets

from s2slib.notebook.forms import Form
from s2slib.show.render import Table, View

FIELDS = (
    ("approver", "name of the person who approves, recorded as claimed"),
    ("ticket", "change ticket"),
    ("not_before", "2026-11-28T22:00+01:00"),
    ("not_after", "2026-11-29T02:00+01:00"),
)


class ApprovalForm(Form):
    """Who approves, for which ticket, in which window. Headless, the parameter `approval` fills it."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        unknown = sorted(set(given or {}) - {name for name, _ in FIELDS})
        if unknown:
            allowed = ", ".join(name for name, _ in FIELDS)
            raise ValueError(f"approval has {', '.join(unknown)}; allowed are {allowed}")
        self._controls = {
            name: widgets.Text(
                value=str((given or {}).get(name, "")),
                placeholder=hint,
                description=name,
                layout={"width": "520px"},
                style={"description_width": "120px"},
            )
            for name, hint in FIELDS
        }
        self.widget = widgets.VBox(list(self._controls.values()))

    def view(self) -> View:
        """Field and value."""
        rows = tuple((name, str(control.value)) for name, control in self._controls.items())
        return View("Form to approve the plan", "", (Table(("field", "value"), rows),))

    def set(self, name: str, value: str) -> None:
        """Set a control as a user would. KeyError names an unknown field."""
        self._controls[name].value = value

    def values(self) -> dict[str, str]:
        """What the form says; empty when nothing was typed."""
        values = {name: str(control.value).strip() for name, control in self._controls.items()}
        return values if any(values.values()) else {}
