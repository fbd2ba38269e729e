"""Forms from the params schema: controls only; what is typed is checked by the next cell, never acted on by a click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from s2slib.deployment import Deployment

SECTIONS = ("lync", "exchange", "policy")
_WIDE = {"width": "640px"}
_STYLE = {"description_width": "230px"}


class DeploymentForm:
    """A form over the scalar fields of a deployment; lists and tables are shown as YAML text."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._controls: dict[tuple[str, str], widgets.Widget] = {}
        pages = []
        for section in SECTIONS:
            model: BaseModel = getattr(deployment, section)
            rows = [
                self._control(section, name, info, getattr(model, name))
                for name, info in type(model).model_fields.items()
            ]
            pages.append(widgets.VBox(rows))
        self.widget = widgets.Tab(children=pages, titles=SECTIONS)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"DeploymentForm({self._deployment.deployment}): " + ", ".join(f"{s}.{n}" for s, n in self._controls)

    def parameters(self) -> dict[str, Any]:
        """What the form says, as the parameters of a notebook; ValueError names a field whose YAML cannot be read."""
        data = self._deployment.parameters()
        for (section, name), control in self._controls.items():
            part = data[section]
            assert isinstance(part, dict)
            part[name] = _value(f"{section}.{name}", control)
        return data

    def set(self, section: str, name: str, value: Any) -> None:
        """Set a control as a user would; the headless way to fill the form. KeyError names an unknown field."""
        control = self._controls[(section, name)]
        control.value = value

    def _control(self, section: str, name: str, info: FieldInfo, value: Any) -> widgets.Widget:
        label = name
        common: dict[str, Any] = {
            "description": label,
            "layout": _WIDE,
            "style": _STYLE,
            "tooltip": info.description or label,
        }
        choices = _choices(info.annotation)
        control: widgets.Widget
        if choices:
            control = widgets.Dropdown(options=choices, value=value, **common)
        elif isinstance(value, bool):
            control = widgets.Checkbox(value=value, **common)
        elif value is None or isinstance(value, str):
            control = widgets.Text(value=value or "", placeholder="(default)", **common)
        else:
            plain = self._deployment.parameters()[section]
            assert isinstance(plain, Mapping)
            control = widgets.Textarea(value=yaml.safe_dump(plain[name], sort_keys=False).strip(), rows=4, **common)
        self._controls[(section, name)] = control
        return control


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _value(name: str, control: widgets.Widget) -> Any:
    if isinstance(control, widgets.Textarea):
        try:
            return yaml.safe_load(control.value)
        except yaml.YAMLError as error:
            raise ValueError(f"{name}: not readable as YAML: {error}") from error
    if isinstance(control, widgets.Text):
        return control.value.strip() or None
    return control.value
