"""Forms from the params schema: controls only; what is typed is checked by the next cell, never acted on by a click."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from s2slib.deployment import Deployment
from s2slib.show.render import Fold, Table, View

SECTIONS = ("lync", "exchange", "test_users", "network", "credentials", "policy")
_LABEL_PX, _WIDTH_PX = 230, 720
_MOST_ROWS = 12


class Form:
    """Controls for a live kernel; for a reader of the file, who has none, what they showed."""

    widget: widgets.Widget

    def view(self) -> View:
        """What the form says."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        live: dict[str, Any] = self.widget._repr_mimebundle_()
        return {**live, "text/plain": repr(self), "text/html": self.view()._repr_html_()}

    def __repr__(self) -> str:
        return repr(self.view())


class DeploymentForm(Form):
    """A form over a deployment, a page a section: texts, choices and, for lists and tables, YAML as in the params file."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._controls: dict[tuple[str, str], widgets.Widget] = {}
        self.widget = widgets.Tab(children=[self._page(section) for section in SECTIONS], titles=SECTIONS)

    def view(self) -> View:
        """Field and value, a fold a section."""
        pages: dict[str, list[tuple[str, str]]] = {}
        for (section, name), control in self._controls.items():
            pages.setdefault(section, []).append((name or section, str(control.value)))
        folds = (Fold(section, (Table(("field", "value"), tuple(rows)),)) for section, rows in pages.items())
        return View(f"Form over params/{self._deployment.deployment}.yaml", "", tuple(folds))

    def parameters(self) -> dict[str, Any]:
        """What the form says, as the parameters of a notebook; ValueError names a field whose YAML cannot be read."""
        data = self._deployment.parameters()
        for (section, name), control in self._controls.items():
            value = _value(_named((section, name)), control)
            if name:
                part = data[section]
                assert isinstance(part, dict)
                part[name] = value
            else:
                data[section] = value
        return data

    def set(self, section: str, name: str, value: Any) -> None:
        """Set a control as a user would; the headless way to fill the form. KeyError names an unknown field."""
        self._controls[(section, name)].value = value

    def _page(self, section: str) -> widgets.Widget:
        model = getattr(self._deployment, section)
        plain = self._deployment.parameters()[section]
        if not isinstance(model, BaseModel):
            return widgets.VBox(self._rows(section, "", Deployment.model_fields[section], plain))
        assert isinstance(plain, Mapping)
        fields = type(model).model_fields.items()
        return widgets.VBox([row for name, info in fields for row in self._rows(section, name, info, plain[name])])

    def _rows(self, section: str, name: str, info: FieldInfo, value: Any) -> list[widgets.Widget]:
        """A control and, under it, what the field means."""
        control = _control(name or section, info, value)
        self._controls[(section, name)] = control
        meaning = html.escape(info.description or "")
        style = f"margin-left:{_LABEL_PX + 8}px;width:{_WIDTH_PX - _LABEL_PX}px;line-height:1.3;opacity:0.7"
        return [control, widgets.HTML(f'<div style="{style}">{meaning}</div>')]


def _control(label: str, info: FieldInfo, value: Any) -> widgets.Widget:
    common: dict[str, Any] = {
        "description": label,
        "layout": {"width": f"{_WIDTH_PX}px"},
        "style": {"description_width": f"{_LABEL_PX}px"},
    }
    if get_origin(info.annotation) is Literal:
        return widgets.Dropdown(options=get_args(info.annotation), value=value, **common)
    if isinstance(value, bool):
        return widgets.Checkbox(value=value, **common)
    if value is None or isinstance(value, str):
        return widgets.Text(value=value or "", placeholder="null", **common)
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True).removesuffix("...\n").strip()
    return widgets.Textarea(value=text, rows=min(text.count("\n") + 1, _MOST_ROWS), **common)


def _named(field: tuple[str, str]) -> str:
    return ".".join(filter(None, field))


def _value(name: str, control: widgets.Widget) -> Any:
    if isinstance(control, widgets.Textarea):
        try:
            return yaml.safe_load(control.value)
        except yaml.YAMLError as error:
            raise ValueError(f"{name}: not readable as YAML: {error}") from error
    if isinstance(control, widgets.Text):
        return control.value.strip() or None
    return control.value
