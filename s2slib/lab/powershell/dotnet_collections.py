"""Members of arrays, lists, queues, tables and enumerations."""

from __future__ import annotations

from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.arithmetic import items_of
from s2slib.lab.powershell.comparison import equal, order
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.engine import Frame
from s2slib.lab.powershell.errors import DotNetError, PsError, Unsupported, runtime_error
from s2slib.lab.powershell.tables import ORDERED, Entry, Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.typemembers import Method, TypeMembers
from s2slib.lab.powershell.types import SMA, PsType, resolve_type, type_name_of

LIST = "System.Collections.Generic.List"


def new_generic(kind: PsType, args: list[Any]) -> Any:
    """A new List[T], Dictionary[K,V] or PSDataCollection[T]."""
    if kind.name == "System.Collections.Generic.Dictionary" and len(kind.args) == 2 and not args:
        return Table(kind.name, ordered=True, ignore_case=False, type_arguments=tuple(a.name for a in kind.args))
    if kind.name in (LIST, SMA + "PSDataCollection") and len(kind.args) == 1:
        element = kind.args[0]
        if not args or (len(args) == 1 and isinstance(args[0], int) and not isinstance(args[0], bool)):
            return v.Collection(kind.name, [], element.name)
        items = items_of(args[0]) if len(args) == 1 else None
        if items is not None:
            return v.Collection(kind.name, [convert(i, element) for i in items], element.name)
    raise Unsupported(f"a new [{kind.display}] with these arguments")


def _element(c: v.Collection, item: Any) -> Any:
    try:
        return convert(item, resolve_type(c.element))
    except PsError:
        raise Unsupported(f"a {type_name_of(item)} that does not convert to the elements of a collection") from None


def _add(f: Frame, c: v.Collection, item: Any) -> Any:
    if c.completed:
        raise DotNetError(
            SMA + "PSInvalidOperationException", "Objects cannot be added to a closed buffer. Make sure the buffer is open for "
            "Add and Insert operations to succeed.",
        )  # fmt: skip
    c.items.append(_element(c, item))
    return len(c.items) - 1 if c.kind == "System.Collections.ArrayList" else v.NOTHING


def _add_range(f: Frame, c: v.Collection, more: Any) -> Any:
    items = items_of(more)
    if items is None:
        raise Unsupported("AddRange of something that is no collection")
    c.items.extend(_element(c, i) for i in items)
    return v.NOTHING


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return str(a) == str(b)
    return type(a) is type(b) and equal(a, b, False)


def _index_of(f: Frame, c: Any, item: Any, *_: Any) -> int:
    for i, own in enumerate(items_of(c) or []):
        if _same(own, item):
            return i
    return -1


def _remove(f: Frame, c: v.Collection, item: Any) -> Any:
    at = _index_of(f, c, item)
    if at >= 0:
        del c.items[at]
    return v.NOTHING if c.kind == "System.Collections.ArrayList" else at >= 0


def _checked(c: v.Collection, at: int, *, insert: bool = False) -> int:
    if at < 0 or at > len(c.items) - (0 if insert else 1):
        raise DotNetError(
            "System.ArgumentOutOfRangeException",
            "Index was out of range. Must be non-negative and less than the size of the collection.\r\n"
            "Parameter name: index",
        )
    return at


def _remove_at(f: Frame, c: v.Collection, at: int) -> Any:
    del c.items[_checked(c, at)]
    return v.NOTHING


def _insert(f: Frame, c: v.Collection, at: int, item: Any) -> Any:
    c.items.insert(_checked(c, at, insert=True), _element(c, item))
    return v.NOTHING


def _clear(f: Frame, c: Any) -> Any:
    c.items.clear()
    return v.NOTHING


def _to_array(f: Frame, c: v.Collection) -> Any:
    return list(c.items) if c.element in ("System.Object", SMA + "PSObject") else v.PsArray(c.element, c.items)


def _reverse(f: Frame, c: v.Collection) -> Any:
    c.items.reverse()
    return v.NOTHING


def _sort(f: Frame, c: v.Collection) -> Any:
    import functools

    if any(isinstance(i, str) for i in c.items):
        c.items.sort(key=functools.cmp_to_key(lambda a, b: order(a, b, False)))
    else:
        c.items.sort(key=functools.cmp_to_key(order))
    return v.NOTHING


def _pop(first: bool) -> Any:
    def run(f: Frame, c: v.Collection) -> Any:
        if not c.items:
            raise DotNetError("System.InvalidOperationException", "Queue empty." if first else "Stack empty.")
        return c.items.pop(0)

    return run


def _push(f: Frame, c: v.Collection, item: Any) -> Any:
    c.items.insert(0, item)
    return v.NOTHING


def _enqueue(f: Frame, c: v.Collection, item: Any) -> Any:
    c.items.append(item)
    return v.NOTHING


def _complete(f: Frame, c: v.Collection) -> Any:
    c.completed = True
    return v.NOTHING


def _read_all(f: Frame, c: v.Collection) -> Any:
    items, c.items = c.items, []
    return v.Collection("System.Collections.ObjectModel.Collection", items)


# -- static array methods


def _array_reverse(f: Frame, items: Any) -> Any:
    if not isinstance(items, list):
        raise Unsupported("Array.Reverse of this")
    items.reverse()
    return v.NOTHING


def _array_sort(f: Frame, items: Any) -> Any:
    import functools

    if not isinstance(items, list):
        raise Unsupported("Array.Sort of this")
    items.sort(key=functools.cmp_to_key(lambda a, b: order(a, b, not isinstance(a, str))))
    return v.NOTHING


def _array_copy(f: Frame, source: Any, *rest: Any) -> Any:
    raise Unsupported("Array.Copy")


def _clone(f: Frame, items: Any) -> Any:
    if isinstance(items, v.PsArray):
        return v.PsArray(items.element, items)
    return bytes(items) if isinstance(items, bytes) else list(items)


# -- tables


def _table_add(f: Frame, t: Table, key: Any, value: Any) -> Any:
    if t.has(key):
        if t.kind == "System.Collections.Generic.Dictionary":
            raise DotNetError("System.ArgumentException", "An item with the same key has already been added.")
        shown = to_text(key)
        raise DotNetError(
            "System.ArgumentException",
            f"Item has already been added. Key in dictionary: '{shown}'  Key being added: '{shown}'",
        )
    t.set(_key(t, key), _value(t, value))
    return v.NOTHING


def _key(t: Table, key: Any) -> Any:
    return convert(key, resolve_type(t.type_arguments[0])) if t.type_arguments else key


def _value(t: Table, value: Any) -> Any:
    return convert(value, resolve_type(t.type_arguments[1])) if t.type_arguments else value


def _table_remove(f: Frame, t: Table, key: Any) -> Any:
    had = t.has(key)
    t.remove(key)
    return had if t.kind == "System.Collections.Generic.Dictionary" else v.NOTHING


def _table_clear(f: Frame, t: Table) -> Any:
    t.clear()
    return v.NOTHING


def _entries(f: Frame, t: Table) -> v.Enumerated:
    if t.type_arguments:
        kind = "System.Collections.Generic.KeyValuePair"
    else:
        kind = "System.Collections.DictionaryEntry"
    return v.Enumerated(
        "System.Collections.Hashtable+HashtableEnumerator", [Entry(k, x, kind) for k, x in t.items()], once=True
    )


def _array_enumerator(f: Frame, array: Any) -> v.Enumerated:
    return v.Enumerated("System.Array+SZArrayEnumerator", items_of(array) or [], once=True)


def _keys(f: Frame, t: Table) -> v.Enumerated:
    kind = "System.Collections.Hashtable+KeyCollection"
    if t.kind == ORDERED:
        kind = ORDERED + "+OrderedDictionaryKeyValueCollection"
    return v.Enumerated(kind, t.keys())


def _values(f: Frame, t: Table) -> v.Enumerated:
    kind = "System.Collections.Hashtable+ValueCollection"
    if t.kind == ORDERED:
        kind = ORDERED + "+OrderedDictionaryKeyValueCollection"
    return v.Enumerated(kind, t.values())


def _contains_value(f: Frame, t: Table, value: Any) -> bool:
    return any(_same(own, value) for own in t.values())


def _item(f: Frame, t: Any, key: Any) -> Any:
    return f.engine.members.index(f, t, key)


def _new_hashtable(f: Frame, source: Any = None) -> Table:
    made = Table(ignore_case=False)
    if isinstance(source, Table):
        for key, value in source.written():
            made.set(key, value)
    elif source is not None:
        raise runtime_error('Cannot find an overload for "Hashtable".', "MethodCountCouldNotFindBest")
    return made


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    count = {"Count": lambda f, c: len(c)}
    array = TypeMembers(
        props={
            "Length": lambda f, a: len(a), "Count": lambda f, a: len(a), "LongLength": lambda f, a: v.Int64(len(a)),
            "Rank": lambda f, a: 1, "IsFixedSize": lambda f, a: True, "IsReadOnly": lambda f, a: False,
        },
        methods=[
            Method("Contains", lambda f, a, x: _index_of(f, a, x) >= 0, "*"),
            Method("IndexOf", _index_of, "*"),
            Method("GetLength", lambda f, a, n: len(a), "int"),
            Method("GetUpperBound", lambda f, a, n: len(a) - 1, "int"),
            Method("Clone", _clone, ""),
            Method("GetEnumerator", _array_enumerator, ""),
            Method("Item", _item, "int"),
        ],
        static_methods=[
            Method("Reverse", _array_reverse, "*"), Method("Sort", _array_sort, "*"),
            Method("IndexOf", _index_of, "* *"), Method("Copy", _array_copy, "* * *"),
        ],
        exists="SyncRoot IsSynchronized CopyTo Get Set SetValue GetValue Initialize GetLongLength GetLowerBound Add Remove "
        "RemoveAt Insert Clear",
        closed=True,
    )  # fmt: skip
    listing = [
        Method("Add", _add, "*"), Method("AddRange", _add_range, "*"), Method("Remove", _remove, "*"),
        Method("RemoveAt", _remove_at, "int"), Method("Insert", _insert, "int *"), Method("Clear", _clear, ""),
        Method("Contains", lambda f, c, x: _index_of(f, c, x) >= 0, "*"), Method("IndexOf", _index_of, "*"),
        Method("ToArray", _to_array, ""), Method("Reverse", _reverse, ""), Method("Sort", _sort, ""),
        Method("Item", _item, "int"),
        Method("GetEnumerator", lambda f, c: v.Enumerated(c.kind + "+Enumerator", c.items, once=True), ""),
    ]  # fmt: skip
    real = (
        "Capacity BinarySearch CopyTo Clone GetRange InsertRange IsFixedSize IsReadOnly IsSynchronized LastIndexOf RemoveRange "
        "SetRange SyncRoot TrimToSize AsReadOnly ConvertAll Exists Find FindAll FindIndex FindLast TrueForAll RemoveAll"
    )
    queue = [
        Method("Enqueue", _enqueue, "*"), Method("Dequeue", _pop(True), ""), Method("Clear", _clear, ""),
        Method("Peek", lambda f, c: c.items[0], ""), Method("ToArray", _to_array, ""),
        Method("Contains", lambda f, c, x: _index_of(f, c, x) >= 0, "*"),
    ]  # fmt: skip
    stack = [Method("Push", _push, "*"), Method("Pop", _pop(False), ""), *queue[2:]]
    table = TypeMembers(
        props={
            "Count": lambda f, t: len(t), "Keys": _keys, "Values": _values, "IsReadOnly": lambda f, t: False,
            "IsFixedSize": lambda f, t: False,
        },
        methods=[
            Method("Add", _table_add, "* *"), Method("Remove", _table_remove, "*"), Method("Clear", _table_clear, ""),
            Method("ContainsKey", lambda f, t, k: t.has(k), "*"), Method("Contains", lambda f, t, k: t.has(k), "*"),
            Method("ContainsValue", _contains_value, "*"), Method("GetEnumerator", _entries, ""),
            Method("Clone", lambda f, t: t.copy(), ""), Method("Item", lambda f, t, k: t.get(k), "*"),
        ],
        new=Method("new", _new_hashtable, "", "*"),
        exists="CopyTo SyncRoot IsSynchronized OnDeserialization GetObjectData Comparer TryGetValue",
        closed=True,
    )  # fmt: skip
    ordered = TypeMembers(
        props={"Count": lambda f, t: len(t), "Keys": _keys, "Values": _values},
        methods=[
            Method("Add", _table_add, "* *"), Method("Remove", _table_remove, "*"), Method("Clear", _table_clear, ""),
            Method("Contains", lambda f, t, k: t.has(k), "*"), Method("GetEnumerator", _entries, ""),
        ],
        new=Method("new", lambda f: Table(ORDERED, ordered=True, ignore_case=False), ""),
        exists="AsReadOnly CopyTo Insert RemoveAt IsReadOnly Item ContainsKey",
        closed=True,
    )  # fmt: skip
    collection = TypeMembers(props=count, methods=listing, exists=real, closed=True, new=_new_list())
    data = TypeMembers(
        props={**count, "IsOpen": lambda f, c: not c.completed},
        methods=[*listing, Method("Complete", _complete, ""), Method("ReadAll", _read_all, ""),
                 Method("Dispose", lambda f, c: v.NOTHING, "")],
        exists="EnumeratorNeverBlocks BlockingEnumerator DataAdded Completed",
    )  # fmt: skip
    entry = TypeMembers(
        props={"Key": lambda f, e: e.key, "Value": lambda f, e: e.value, "Name": lambda f, e: e.key}, closed=True
    )
    enumerated = TypeMembers(
        props=count,
        methods=[
            Method("GetEnumerator", lambda f, c: c, ""),
            Method("Contains", lambda f, c, x: _index_of(f, c, x) >= 0, "*"),
        ],
    )
    enumerator = TypeMembers(methods=[Method("GetEnumerator", lambda f, c: c, "")])
    enumerators = dict.fromkeys(
        (
            "System.Collections.Hashtable+HashtableEnumerator",
            "System.Array+SZArrayEnumerator",
            "System.Collections.ArrayList+ArrayListEnumeratorSimple",
            LIST + "+Enumerator",
            "System.Collections.ArrayList+Enumerator",
        ),
        enumerator,
    )
    plain_enumerated = dict.fromkeys(
        (
            "System.Collections.Hashtable+KeyCollection",
            "System.Collections.Hashtable+ValueCollection",
            ORDERED + "+OrderedDictionaryKeyValueCollection",
            "System.Text.RegularExpressions.MatchCollection",
        ),
        enumerated,
    )
    return {
        "System.Array": array,
        "System.Collections.ArrayList": collection,
        "System.Collections.ObjectModel.Collection": TypeMembers(
            props=count, methods=listing, exists=real, closed=True
        ),
        LIST: TypeMembers(props=count, methods=listing, exists=real, closed=True),
        SMA + "PSDataCollection": data,
        "System.Collections.Queue": TypeMembers(props=count, methods=queue, new=_new_plain("System.Collections.Queue")),
        "System.Collections.Stack": TypeMembers(props=count, methods=stack, new=_new_plain("System.Collections.Stack")),
        "System.Collections.Hashtable": table,
        "System.Collections.Generic.Dictionary": table,
        ORDERED: ordered,
        "System.Collections.DictionaryEntry": entry,
        "System.Collections.Generic.KeyValuePair": TypeMembers(
            props={"Key": lambda f, e: e.key, "Value": lambda f, e: e.value}, closed=True
        ),
        **plain_enumerated,
        **enumerators,
    }


def _new_list() -> Method:
    def make(f: Frame, source: Any = None) -> v.Collection:
        items = items_of(source)
        return v.Collection("System.Collections.ArrayList", [] if items is None else items)

    return Method("new", make, "", "=int", "*")


def _new_plain(kind: str) -> Method:
    return Method("new", lambda f: v.Collection(kind), "")
