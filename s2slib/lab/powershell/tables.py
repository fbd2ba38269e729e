"""Hashtables and dictionaries: keys as .NET compares them, order as PowerShell promises it (or does not)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from s2slib.lab.powershell.values import PsInt


class Table:
    """A dictionary.

    `kind` is the full type name. A Hashtable enumerates in an order of its own, not the one written: scripts that rely
    on it shall be seen to. `ordered` tables keep theirs.
    """

    __slots__ = ("_entries", "ignore_case", "kind", "ordered", "type_arguments")

    def __init__(
        self,
        kind: str = "System.Collections.Hashtable",
        *,
        ordered: bool = False,
        ignore_case: bool = True,
        items: Iterable[tuple[Any, Any]] = (),
        type_arguments: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.ordered, self.ignore_case = kind, ordered, ignore_case
        self.type_arguments = type_arguments
        self._entries: dict[Any, tuple[Any, Any]] = {}
        for key, value in items:
            self.set(key, value)

    def _norm(self, key: Any) -> Any:
        if isinstance(key, str):
            return ("s", key.lower() if self.ignore_case else str(key))
        if isinstance(key, PsInt):
            return (type(key), int(key))
        if isinstance(key, (int, float, bool)):
            return (type(key), key)
        try:
            hash(key)
        except TypeError:
            return ("id", id(key))
        return (type(key), key)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value, or `default`."""
        found = self._entries.get(self._norm(key))
        return default if found is None else found[1]

    def has(self, key: Any) -> bool:
        """Whether the key is there."""
        return self._norm(key) in self._entries

    def set(self, key: Any, value: Any) -> None:
        """Add or replace; a replaced entry keeps its key's spelling."""
        norm = self._norm(key)
        old = self._entries.get(norm)
        self._entries[norm] = (key if old is None else old[0], value)

    def remove(self, key: Any) -> None:
        """Remove the key if it is there."""
        self._entries.pop(self._norm(key), None)

    def clear(self) -> None:
        """Remove everything."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> list[tuple[Any, Any]]:
        """Keys and values, in enumeration order."""
        found = list(self._entries.values())
        if not self.ordered and len(found) > 1:
            found.sort(key=lambda kv: zlib.crc32(str(kv[0]).lower().encode("utf-8", "surrogatepass")))
        return found

    def written(self) -> list[tuple[Any, Any]]:
        """Keys and values in the order they were put in."""
        return list(self._entries.values())

    def keys(self) -> list[Any]:
        """Keys, in enumeration order."""
        return [k for k, _ in self.items()]

    def values(self) -> list[Any]:
        """Values, in enumeration order."""
        return [v for _, v in self.items()]

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("a table is not enumerated by pipelines")

    def copy(self) -> Table:
        """A shallow copy."""
        return Table(
            self.kind,
            ordered=self.ordered,
            ignore_case=self.ignore_case,
            items=self.written(),
            type_arguments=self.type_arguments,
        )


ORDERED = "System.Collections.Specialized.OrderedDictionary"


def ordered_table(items: Iterable[tuple[Any, Any]] = ()) -> Table:
    """What `[ordered]@{}` makes."""
    return Table(ORDERED, ordered=True, items=items)


class Entry:
    """A DictionaryEntry or KeyValuePair of an enumerated table."""

    __slots__ = ("key", "type_name", "value")

    def __init__(self, key: Any, value: Any, type_name: str = "System.Collections.DictionaryEntry") -> None:
        self.key, self.value, self.type_name = key, value, type_name
