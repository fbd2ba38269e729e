"""Cmdlets over streams of objects: Where, ForEach, Select, Sort, Measure, Group, New-Object, Add-Member."""

from __future__ import annotations

import contextlib
import functools
import itertools
from typing import Any

from s2slib.lab.powershell import operators as ops
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.builtins import CORE, UTILITY, Builtin, declare
from s2slib.lab.powershell.convert_scalars import truth
from s2slib.lab.powershell.engine import ScriptBlock
from s2slib.lab.powershell.errors import EnoughFlow, PsError, ReturnFlow, Unsupported
from s2slib.lab.powershell.processors import Cmdlet
from s2slib.lab.powershell.regex import has_wildcard, like
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, type_names, type_of

_COMPARE = [
    *(
        p + o
        for o in v.words("EQ NE GT GE LT LE Like NotLike Match NotMatch Contains NotContains In NotIn")
        for p in ("", "C")
    ),
    "Is",
    "IsNot",
]


def plain_block(block: Any, what: str) -> ScriptBlock:
    """A block without parameters or named blocks."""
    if not isinstance(block, ScriptBlock) or block.ast.parameters or block.ast.has_blocks:
        raise Unsupported(f"{what} with this script block")
    return block


def property_of(cmdlet: Cmdlet, item: Any, name: str) -> Any:
    """An object's property by name; hashtables are refused, whose keys some versions take for properties."""
    if isinstance(item, Table):
        raise Unsupported("the keys of a hashtable as properties")
    return cmdlet.f.engine.members.get(cmdlet.f, item, name)


class BlockCmdlet(Cmdlet):
    """A cmdlet that runs script blocks in its caller's scope with $_ set."""

    def run_block(self, block: ScriptBlock, item: Any, out: Any) -> None:
        """The block with $_ = item."""
        engine = self.f.engine
        engine.depth += 1
        if engine.depth > 90:
            raise Unsupported("calls nested more than 90 deep")
        try:
            with engine.underscore(self.f) as place:
                place(item)
                with contextlib.suppress(ReturnFlow):
                    engine.run_statements(block.ast.body, self.f, out)
        finally:
            engine.depth -= 1

    def block_value(self, block: ScriptBlock, item: Any) -> Any:
        """The block's output as one value."""
        from s2slib.lab.powershell.expressions import shape

        found: list[Any] = []
        self.run_block(block, item, found.append)
        value = shape(found)
        return None if value is v.NOTHING else value


class ForEachObject(BlockCmdlet):
    """ForEach-Object."""

    def start(self) -> None:
        self.member = None
        self.first, self.middle, self.last = self.p.get("Begin"), [], self.p.get("End")
        blocks = [*(self.p.get("Process") or []), *(self.p.get("RemainingScripts") or [])]
        if "MemberName" in self.p:
            self.member = self.p["MemberName"]
        if len(blocks) > 1 and self.first is None:
            self.first, blocks = blocks[0], blocks[1:]
            if len(blocks) > 1 and self.last is None:
                self.last, blocks = blocks[-1], blocks[:-1]
        self.middle = [plain_block(b, "ForEach-Object") for b in blocks if b is not None]
        if self.first is not None:
            self.run_block(plain_block(self.first, "ForEach-Object"), None, self.out)

    def record(self) -> None:
        item = self.p.get("InputObject")
        if self.member is not None:
            self._member(item)
            return
        for block in self.middle:
            self.run_block(block, item, self.out)

    def _member(self, item: Any) -> None:
        if has_wildcard(self.member or ""):
            raise Unsupported("ForEach-Object with a wildcard")
        members = self.f.engine.members
        name = self.member or ""
        if item is None:
            return
        if "ArgumentList" in self.p:
            self.enumerate(members.invoke(self.f, item, name, list(self.p["ArgumentList"])))
            return
        table = None if isinstance(item, v.PsObject) else members.table(type_of(item))
        low = name.lower()
        if low in ("tostring", "gettype") or (table is not None and low in table.methods and low not in table.props):
            value = members.invoke(self.f, item, name, [])
        else:
            value = property_of(self, item, name)
        self.enumerate(value)

    def finish(self) -> None:
        if self.last is not None:
            self.run_block(plain_block(self.last, "ForEach-Object"), None, self.out)


class WhereObject(BlockCmdlet):
    """Where-Object: a block, or a property, an operator and a value."""

    def start(self) -> None:
        self.block = None
        if "FilterScript" in self.p:
            self.block = plain_block(self.p["FilterScript"], "Where-Object")
        chosen = [o for o in _COMPARE if o in self.p]
        self.op = chosen[0].lower() if chosen else ""

    def record(self) -> None:
        item = self.p.get("InputObject")
        if self.block is not None:
            keep = truth(self.block_value(self.block, item))
        else:
            keep = self._compare(item)
        if keep:
            self.out(item)

    def _compare(self, item: Any) -> bool:
        name = self.p["Property"]
        left = property_of(self, item, name) if item is not None else None
        right = self.p.get("Value")
        if not self.op or self.op == "eq":
            return truth(ops.compare("eq", left, right) if "Value" in self.p else left)
        if "Value" not in self.p:
            raise Unsupported(f"Where-Object -{self.op} without a value")
        if self.op in ("match", "notmatch", "cmatch", "cnotmatch"):
            found = ops.as_regex(right, self.op[0] != "c").search(to_text(left)) is not None
            return found != ("not" in self.op)
        if self.op in ("is", "isnot"):
            return truth(ops.type_test(self.op, left, right))
        return truth(ops.compare(self.op, left, right))


class SelectObject(BlockCmdlet):
    """Select-Object."""

    def start(self) -> None:
        self.seen: list[Any] = []
        self.count = self.skipped = 0
        self.tail: list[Any] = []
        self.columns = [self._column(c) for c in self.p.get("Property") or []]
        self.excluded = [to_text(x) for x in self.p.get("ExcludeProperty") or []]
        if "Index" in self.p or "SkipLast" in self.p:
            raise Unsupported("Select-Object -Index and -SkipLast")
        if self.columns and "ExpandProperty" in self.p:
            raise Unsupported("Select-Object with -Property and -ExpandProperty")
        if self.switch("Unique") and ("Last" in self.p or "ExpandProperty" in self.p):
            raise Unsupported("Select-Object -Unique with -Last or -ExpandProperty")
        if "Last" in self.p and "First" in self.p and self.p.get("Skip"):
            raise Unsupported("Select-Object -Skip with -First and -Last")
        if self.excluded and not self.columns:
            raise Unsupported("Select-Object -ExcludeProperty without -Property")

    def _column(self, spec: Any) -> tuple[str, Any]:
        if isinstance(spec, Table):
            name = expression = None
            for key, value in spec.written():
                low = to_text(key).lower()
                if "name".startswith(low) or "label".startswith(low):
                    name = to_text(value)
                elif "expression".startswith(low):
                    expression = value
                else:
                    raise Unsupported(f"the key {to_text(key)} of a calculated property")
            if expression is None:
                raise Unsupported("a calculated property without an expression")
            return name or to_text(expression).strip(), expression
        if isinstance(spec, ScriptBlock):
            return spec.ast.text, spec
        return to_text(spec), None

    def record(self) -> None:
        if "InputObject" not in self.p:
            return
        item = self.p["InputObject"]
        if "Last" in self.p:  # -Skip counts from the end then
            if self.count < self.p.get("First", 0):
                self._emit(item)
                self.count += 1
            else:
                self.tail.append(item)
            return
        if self.skipped < self.p.get("Skip", 0):
            self.skipped += 1
            return
        if "First" in self.p and self.p["First"] == 0:
            raise EnoughFlow(self)
        self._emit(item)
        self.count += 1
        enough = "First" in self.p and self.count >= self.p["First"]
        if enough and self._has_input and not self.switch("Wait"):
            raise EnoughFlow(self)

    def finish(self) -> None:
        end = max(len(self.tail) - self.p.get("Skip", 0), 0)
        for item in self.tail[max(end - self.p.get("Last", 0), 0) : end]:
            self._emit(item)

    def _emit(self, item: Any) -> None:
        if self.columns:
            item = self._selected(item)
        if "ExpandProperty" in self.p:
            self._expand(item)
            return
        if self.switch("Unique"):
            if isinstance(item, (v.PsObject, Table, list)):
                raise Unsupported("Select-Object -Unique over objects")
            if any(type(s) is not type(item) for s in self.seen):
                raise Unsupported("Select-Object -Unique over values of different types")
            if any(ops.equal(s, item, False) for s in self.seen):
                return
            self.seen.append(item)
        self.out(item)

    def _selected(self, item: Any) -> v.PsObject:
        made: dict[str, Any] = {}
        for name, expression in self.columns:
            if expression is not None:
                made[name] = self._computed(expression, item)
            elif has_wildcard(name):
                for key in self._names(item):
                    if like(key, name) and not self._excluded(key) and key not in made:
                        made[key] = self.f.engine.members.get(self.f, item, key)
            elif not self._excluded(name):
                key = self._spelling(item, name)
                made[key] = None if item is None else self._property(item, name)
        first = "System.Object" if item is None else type_names(item)[0]
        base = "Selected." + first.removeprefix("Selected.") if not first.startswith("Selected.") else first
        return v.PsObject([base, *v.CUSTOM_OBJECT], made)

    def _property(self, item: Any, name: str) -> Any:
        return property_of(self, item, name)

    def _names(self, item: Any) -> list[str]:
        if isinstance(item, v.PsObject) and item.base is None:
            return list(item.properties)
        raise Unsupported("Select-Object with a wildcard over this")

    def _spelling(self, item: Any, name: str) -> str:
        key = item.find(name) if isinstance(item, v.PsObject) else None
        if key is not None:
            return key
        if item is None or isinstance(item, v.PsObject):
            return name
        known = {"length": "Length", "count": "Count", "name": "Name", "value": "Value", "key": "Key"}
        return known.get(name.lower(), name)

    def _excluded(self, name: str) -> bool:
        return any(like(name, x) for x in self.excluded)

    def _computed(self, expression: Any, item: Any) -> Any:
        if isinstance(expression, ScriptBlock):
            block = plain_block(expression, "a calculated property")
            try:
                return self.block_value(block, item)
            except PsError:
                return None  # an expression that fails is an empty property
        return self._property(item, to_text(expression))

    def _expand(self, item: Any) -> None:
        name = self.p["ExpandProperty"]
        present = isinstance(item, v.PsObject) and item.find(name) is not None
        value = None if item is None else property_of(self, item, name)
        if value is None and not present:
            self.write_error(
                f'Property "{name}" cannot be found.', "ExpandPropertyNotFound", "InvalidArgument", item,
                SMA + "PSArgumentException",
            )  # fmt: skip
            return
        self.enumerate(value)


class SortObject(BlockCmdlet):
    """Sort-Object."""

    def start(self) -> None:
        self.items: list[Any] = []

    def record(self) -> None:
        if "InputObject" in self.p:
            self.items.append(self.p["InputObject"])

    def finish(self) -> None:
        ignore = not self.switch("CaseSensitive")
        columns = self.p.get("Property") or [None]
        keyed = [([self._key(c, i) for c in columns], i) for i in self.items if i is not None]
        downs = [self.switch("Descending") if not isinstance(c, Table) else self._down(c) for c in columns]

        def compare(a: Any, b: Any) -> int:
            for x, y, down in zip(a[0], b[0], downs, strict=True):
                result = _order(x, y, ignore)
                if result:
                    return -result if down else result
            return 0

        keyed.sort(key=functools.cmp_to_key(compare))
        self._refuse_ties(keyed, compare)
        last: Any = None
        for n, entry in enumerate(keyed):
            if self.switch("Unique") and n and compare(entry, last) == 0:
                continue
            last = entry
            self.out(entry[1])

    def _refuse_ties(self, keyed: list[Any], compare: Any) -> None:
        """Equal keys whose objects differ: Windows PowerShell's sort is not stable."""
        for a, b in itertools.pairwise(keyed):
            if compare(a, b) == 0 and a[1] is not b[1] and not _alike(a[1], b[1]):
                raise Unsupported(
                    "sorting different objects with equal keys, whose order Windows PowerShell leaves open"
                )

    def _down(self, column: Table) -> bool:
        for key, value in column.written():
            if "descending".startswith(to_text(key).lower()):
                return truth(value)
            if "ascending".startswith(to_text(key).lower()):
                return not truth(value)
        return self.switch("Descending")

    def _key(self, column: Any, item: Any) -> Any:
        if column is None:
            return item
        if isinstance(column, Table):
            column = next((x for k, x in column.written() if "expression".startswith(to_text(k).lower())), None)
        if isinstance(column, ScriptBlock):
            return self.block_value(plain_block(column, "Sort-Object"), item)
        return property_of(self, item, to_text(column))


def _alike(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, (str, int, float)) and a == b


def _order(x: Any, y: Any, ignore: bool) -> int:
    if x is None or y is None:
        return (x is not None) - (y is not None)
    if isinstance(x, (v.PsObject, Table)) and (not isinstance(x, v.PsObject) or x.base is None):
        raise Unsupported("sorting objects without a property")
    if isinstance(x, str) != isinstance(y, str):
        raise Unsupported("sorting values of different types")
    return ops.order(x, y, ignore)


class MeasureObject(Cmdlet):
    """Measure-Object: count, sum, average, minimum, maximum of numbers."""

    def start(self) -> None:
        self.values: list[Any] = []
        self.count = 0
        names = self.p.get("Property")
        if names is not None and len(names) != 1:
            raise Unsupported("Measure-Object over several properties")
        self.property = to_text(names[0]) if names else ""
        if any(self.switch(s) for s in ("Line", "Word", "Character")):
            raise Unsupported("Measure-Object over text")

    def record(self) -> None:
        if "InputObject" not in self.p:
            return
        item = self.p["InputObject"]
        if item is None:
            return
        value = property_of(self, item, self.property) if self.property else item
        if value is None:
            return
        self.count += 1
        self.values.append(value)

    def finish(self) -> None:
        wanted = [s for s in ("Average", "Sum", "Maximum", "Minimum") if self.switch(s)]
        if wanted and not all(ops.is_number(x) and not isinstance(x, v.JsonDecimal) for x in self.values):
            raise Unsupported("Measure-Object over values that are no numbers")
        numbers = [float(x) for x in self.values] if wanted else []
        results: dict[str, Any] = {"Count": self.count, "Average": None, "Sum": None, "Maximum": None, "Minimum": None}
        if self.property and self.count == 0 and wanted:
            raise Unsupported("Measure-Object over a property that no object has")
        for name in wanted:
            if not numbers:
                if name == "Sum":
                    raise Unsupported("the sum of nothing")
                continue
            results[name] = {
                "Average": sum(numbers) / len(numbers), "Sum": sum(numbers), "Maximum": max(numbers), "Minimum": min(numbers),
            }[name]  # fmt: skip
        results["Property"] = self.property or None
        kind = "Microsoft.PowerShell.Commands.GenericMeasureInfo"
        self.out(v.PsObject([kind, "Microsoft.PowerShell.Commands.MeasureInfo", "System.Object"], results))


class GroupObject(BlockCmdlet):
    """Group-Object by one property, block or value."""

    def start(self) -> None:
        self.groups: list[tuple[Any, list[Any]]] = []
        if self.switch("AsHashTable") or self.switch("AsString") or self.switch("CaseSensitive"):
            raise Unsupported("Group-Object with these switches")

    def record(self) -> None:
        item = self.p.get("InputObject")
        if item is None:
            return
        columns = self.p.get("Property")
        if columns is not None and len(columns) != 1:
            raise Unsupported("Group-Object over several properties")
        column = columns[0] if columns else None
        if column is None:
            key = item
        elif isinstance(column, ScriptBlock):
            key = self.block_value(plain_block(column, "Group-Object"), item)
        else:
            key = property_of(self, item, to_text(column))
        for known, members in self.groups:
            if type(known) is type(key) and ops.equal(known, key):
                members.append(item)
                return
        self.groups.append((key, [item]))

    def finish(self) -> None:
        for (a, _), (b, _) in itertools.pairwise(self.groups):
            if _order(a, b, True) > 0:
                raise Unsupported(
                    "Group-Object over values out of order, which PowerShell versions put out differently"
                )
        for key, members in self.groups:
            made: dict[str, Any] = {}
            made["Values"] = v.Collection("System.Collections.ArrayList", [key])
            made["Count"] = len(members)
            made["Group"] = v.Collection("System.Collections.ObjectModel.Collection", members)
            made["Name"] = to_text(key)
            self.out(v.PsObject(["Microsoft.PowerShell.Commands.GroupInfo", "System.Object"], made))


def declarations() -> list[Builtin]:
    """Cmdlets of this file."""
    pipe = "InputObject psobject p e"
    compare = [f"{o} switch {'' if o == 'EQ' else 'm '}set:{o}Set" for o in _COMPARE]
    names = "|".join(f"{o}Set" for o in _COMPARE)
    return [
        declare(
            "ForEach-Object", CORE, ForEachObject, pipe, "Begin scriptblock set:ScriptBlockSet",
            "Process scriptblock[] 0 m e set:ScriptBlockSet", "End scriptblock set:ScriptBlockSet",
            "RemainingScripts scriptblock[] r set:ScriptBlockSet", "MemberName string 0 m set:PropertyAndMethodSet",
            "ArgumentList object[] r as:Args set:PropertyAndMethodSet", default="ScriptBlockSet",
        ),
        declare(
            "Where-Object", CORE, WhereObject, pipe, "FilterScript scriptblock 0 m set:ScriptBlockSet",
            f"Property string 0 m set:{names}", f"Value object 1 set:{names}", *compare, default="EQSet",
        ),
        declare(
            "Select-Object", UTILITY, SelectObject, pipe, "Property object[] 0", "ExcludeProperty string[]",
            "ExpandProperty string", "Unique switch", "Last int", "First int", "Skip int", "SkipLast int", "Wait switch",
            "Index int[]",
        ),
        declare(
            "Sort-Object", UTILITY, SortObject, pipe, "Property object[] 0", "Descending switch", "Unique switch",
            "CaseSensitive switch",
        ),
        declare(
            "Measure-Object", UTILITY, MeasureObject, pipe, "Property string[] 0", "Sum switch", "Average switch",
            "Maximum switch", "Minimum switch", "Line switch", "Word switch", "Character switch",
        ),
        declare(
            "Group-Object", UTILITY, GroupObject, pipe, "Property object[] 0", "NoElement switch", "AsHashTable switch",
            "AsString switch", "CaseSensitive switch",
        ),
    ]  # fmt: skip
