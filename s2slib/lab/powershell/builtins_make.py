"""Cmdlets that make or extend objects: New-Object, Add-Member."""

from __future__ import annotations

from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.builtins import UTILITY, Builtin, declare
from s2slib.lab.powershell.errors import PsError, Unsupported
from s2slib.lab.powershell.processors import Cmdlet
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, resolve_type


class NewObject(Cmdlet):
    """New-Object."""

    def record(self) -> None:
        if "ComObject" in self.p:
            raise Unsupported("COM objects")
        name = self.p["TypeName"]
        engine = self.f.engine
        kind = resolve_type(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
        if engine.language_mode == "ConstrainedLanguage" and not engine.is_core(kind):
            self.throw(
                "Cannot create type. Only core types are supported in this language mode.",
                "CannotCreateTypeConstrainedLanguage", "PermissionDenied", None, SMA + "PSNotSupportedException",
            )  # fmt: skip
        args = self.p.get("ArgumentList")
        args = [] if args is None else list(args)
        if kind.name in (SMA + "PSObject", SMA + "PSCustomObject"):
            if args:
                raise Unsupported("New-Object PSObject with arguments")
            made: Any = v.PsObject(v.CUSTOM_OBJECT)
        else:
            try:
                made = engine.members.construct(self.f, kind, args)
            except PsError as e:
                self._failed(e)
        table = self.p.get("Property")
        for key, value in table.items() if table is not None else []:
            if isinstance(made, v.PsObject):
                made.set(to_text(key), value)
            else:
                engine.members.set(self.f, made, to_text(key), value)
        self.out(made)

    def _failed(self, e: PsError) -> None:
        exc = e.record.exception
        record = self.make_record(
            exc.message, "ConstructorInvokedThrowException,Microsoft.PowerShell.Commands.NewObjectCommand",
            "InvalidOperation", None, exc,
        )  # fmt: skip
        record.suffix = ""
        self.fail(record)


class AddMember(Cmdlet):
    """Add-Member: note properties."""

    def record(self) -> None:
        item = self.p.get("InputObject")
        if not isinstance(item, v.PsObject):
            raise Unsupported("Add-Member on something that is no property bag")
        pairs: list[tuple[str, Any]] = []
        if "NotePropertyMembers" in self.p:
            pairs = [(to_text(k), x) for k, x in self.p["NotePropertyMembers"].items()]
        elif "NotePropertyName" in self.p:
            pairs = [(self.p["NotePropertyName"], self.p.get("NotePropertyValue"))]
        else:
            if to_text(self.p.get("MemberType", "NoteProperty")).lower() != "noteproperty" or "SecondValue" in self.p:
                raise Unsupported("Add-Member of anything but a note property")
            pairs = [(self.p["Name"], self.p.get("Value"))]
        for name, value in pairs:
            if item.find(name) is not None and not self.switch("Force"):
                self.write_error(
                    f'Cannot add a member with the name "{name}" because a member with that name already exists. To overwrite '
                    "the member anyway, add the Force parameter to your command.",
                    "MemberAlreadyExists", "InvalidOperation", item,
                )  # fmt: skip
                continue
            item.set(name, value)
        if "TypeName" in self.p:
            item.type_names.insert(0, self.p["TypeName"])
        if self.switch("PassThru"):
            self.out(item)


def declarations() -> list[Builtin]:
    """Cmdlets of this file."""
    return [
        declare(
            "New-Object", UTILITY, NewObject, "TypeName string 0 m set:Net", "ArgumentList object[] 1 as:Args set:Net",
            "Property hashtable", "ComObject string m set:Com", "Strict switch set:Com", default="Net",
        ),
        declare(
            "Add-Member", UTILITY, AddMember, "InputObject psobject p m", "MemberType string 0 as:Type set:MemberSet",
            "Name string 1 m set:MemberSet", "Value object 2 set:MemberSet", "SecondValue object 3 set:MemberSet",
            "NotePropertyName string 0 m set:Single", "NotePropertyValue object 1 m e set:Single",
            "NotePropertyMembers hashtable 0 m set:Many", "TypeName string", "Force switch", "PassThru switch",
            default="Many",
        ),
    ]  # fmt: skip
