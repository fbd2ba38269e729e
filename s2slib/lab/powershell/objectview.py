"""An object as .PSObject shows it: properties, base object, type names."""

from __future__ import annotations

from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.errors import (
    Unsupported,
)
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, type_names, type_of


class PropertyView:
    """One property of an object, as .PSObject.Properties shows it."""

    def __init__(self, bag: v.PsObject, name: str) -> None:
        self.bag, self.name = bag, name
        first = bag.type_names[0]
        note = first == v.CUSTOM_OBJECT[0] or first.startswith(("Selected.", "Deserialized."))
        self.member_type = "NoteProperty" if note else "Property"
        self.ps_type = SMA + ("PSNoteProperty" if note else "PSProperty")


class Properties(v.Enumerated):
    """.PSObject.Properties."""

    __slots__ = ("bag",)

    def __init__(self, bag: v.PsObject) -> None:
        super().__init__(SMA + "PSMemberInfoIntegratingCollection", [PropertyView(bag, n) for n in bag.properties])
        self.bag = bag

    def ps_index(self, f: Frame, index: Any) -> Any:
        """A property by name."""
        key = self.bag.find(to_text(index))
        return None if key is None else PropertyView(self.bag, key)


class PsObjectView:
    """.PSObject of a value."""

    ps_type = SMA + "PSObject"

    def __init__(self, target: Any) -> None:
        self.target = target


def type_name_list(target: Any) -> v.Collection:
    """PSTypeNames; changes to a property bag's list stay."""
    made = v.Collection("System.Collections.ObjectModel.Collection", [], "System.String")
    made.items = type_names(target)
    return made


def properties_of(f: Frame, view: PsObjectView) -> Any:
    target = view.target
    if isinstance(target, v.PsObject) and (target.base is None or target.properties):
        return Properties(target)
    raise Unsupported(f"the properties of a {type_of(target).display}")


def base_object(f: Frame, view: PsObjectView) -> Any:
    target = view.target
    if isinstance(target, v.PsObject) and target.base is not None:
        return target.base
    return target


def set_property(f: Frame, p: PropertyView, value: Any) -> None:
    p.bag.properties[p.name] = value


def add_property(f: Frame, p: Properties, note: Any) -> Any:
    if not isinstance(note, v.PsObject) or not note.type_names[0].endswith("PSNoteProperty"):
        raise Unsupported("adding this to .PSObject.Properties")
    p.bag.properties[note.get("Name")] = note.get("Value")
    return v.NOTHING


def remove_property(f: Frame, p: Properties, name: str) -> Any:
    key = p.bag.find(name)
    if key is not None:
        del p.bag.properties[key]
    return v.NOTHING


def copy_object(f: Frame, view: PsObjectView) -> Any:
    target = view.target
    if isinstance(target, v.PsObject) and target.base is None:
        return v.PsObject(target.type_names, target.properties, text=target.text)
    raise Unsupported("a copy of this object")
