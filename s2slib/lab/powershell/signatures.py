"""Signatures: what the binder needs to know of functions (from their param block) and of registry cmdlets."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from s2slib.lab.powershell import syntax as ast
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert_scalars import INTEGERS
from s2slib.lab.powershell.engine import ScriptBlock
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.parameters import (
    Param,
    SetData,
    Signature,
    common_parameters,
    from_registry,
    validate_not_empty,
    validate_range,
    validate_set,
)
from s2slib.lab.powershell.registry import CmdletSpec
from s2slib.lab.powershell.types import SMA, PsType, resolve_type


@functools.lru_cache(maxsize=1024)
def signature_of_spec(spec: CmdletSpec) -> Signature:
    """A registry cmdlet's signature."""
    params = [from_registry(p) for p in spec.parameters] + common_parameters(spec.should_process)
    return Signature(spec.name, spec.type_name or spec.name, params, spec.default_set)


def _constant(node: ast.Node | None) -> Any:
    """The value of an attribute's argument."""
    if node is None:
        return True
    if isinstance(node, ast.Const):
        return node.value
    if isinstance(node, ast.Variable) and not node.scope and node.name.lower() in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.name.lower()]
    if isinstance(node, ast.Paren) and isinstance(node.inner, ast.Pipeline) and len(node.inner.elements) == 1:
        inner = node.inner.elements[0]
        if isinstance(inner, ast.CommandExpression):
            return _constant(inner.expression)
    if isinstance(node, ast.Unary) and node.op == "-":
        return -_constant(node.operand)
    raise Unsupported("this argument of an attribute")


def _name(attribute: ast.Attribute) -> str:
    low = attribute.name.lower().removeprefix("system.management.automation.")
    return low.removesuffix("attribute")


@dataclass
class FunctionInfo:
    """A function, script block or script file that can be called."""

    name: str
    block: ScriptBlock
    command_type: str  # Function, Script, ExternalScript
    signature: Signature
    kinds: dict[str, PsType] = field(default_factory=dict)
    should_process: bool = False
    path: str = ""

    @staticmethod
    def of(name: str, block: ScriptBlock, command_type: str, path: str = "") -> FunctionInfo:
        """The callable form of a block; its signature is read once."""
        key = f"signature:{name}:{command_type}"
        found = block.ast.cache.get(key)
        if found is None:
            found = block.ast.cache[key] = _read(name, block.ast)
        signature, kinds, should_process = found
        return FunctionInfo(name, block, command_type, signature, kinds, should_process, path)


def _read(name: str, block: ast.ScriptBlockAst) -> tuple[Signature, dict[str, PsType], bool]:
    advanced, should_process, default_set, positional = False, False, "", True
    for attribute in block.attributes:
        if _name(attribute) == "cmdletbinding":
            advanced = True
            for key, node in attribute.named.items():
                value = _constant(node)
                if key == "supportsshouldprocess":
                    should_process = bool(value)
                elif key == "defaultparametersetname":
                    default_set = str(value)
                elif key == "positionalbinding":
                    positional = bool(value)
                elif key not in ("confirmimpact", "helpuri"):
                    raise Unsupported(f"CmdletBinding({key})")
        elif _name(attribute) not in ("outputtype", "alias"):
            raise Unsupported(f"the attribute [{attribute.name}]")
    params: list[Param] = []
    kinds: dict[str, PsType] = {}
    explicit = False
    for parameter in block.parameters:
        param, has_attribute, has_position = _parameter(parameter)
        advanced = advanced or has_attribute
        explicit = explicit or has_position
        params.append(param)
        if parameter.type_name is not None:
            kinds[parameter.name] = param.type
    if positional and not explicit:
        for position, param in enumerate(p for p in params if not p.is_switch):
            for data in param.sets.values():
                data.position = position
    if advanced:
        params += common_parameters(should_process)
    signature = Signature(name, name, params, default_set, advanced=advanced, compiled=False)
    return signature, kinds, should_process


def _parameter(parameter: ast.ParameterAst) -> tuple[Param, bool, bool]:
    sets: dict[str, SetData] = {}
    aliases: list[str] = []
    validators: list[Any] = []
    allow: set[str] = set()
    has_attribute = has_position = False
    for attribute in parameter.attributes:
        name = _name(attribute)
        if name == "parameter":
            has_attribute = True
            data, set_name = _set_data(attribute)
            has_position = has_position or data.position is not None
            sets[set_name] = data
        elif name == "alias":
            aliases.extend(str(_constant(n)) for n in attribute.positional)
        elif name == "validateset":
            ignore = attribute.named.get("ignorecase")
            validators.append(
                validate_set(
                    [str(_constant(n)) for n in attribute.positional], ignore is None or bool(_constant(ignore))
                )
            )
        elif name == "validaterange":
            low, high = (_constant(n) for n in attribute.positional)
            validators.append(validate_range(low, high))
        elif name in ("validatenotnullorempty", "validatenotnull"):
            validators.append(validate_not_empty(null_too=name.endswith("empty")))
        elif name in ("allownull", "allowemptystring", "allowemptycollection"):
            allow.add(name)
        else:
            raise Unsupported(f"the attribute [{attribute.name}]")
    kind = resolve_type(parameter.type_name or "object")
    param = Param(
        parameter.name,
        kind,
        sets or {"": SetData()},
        tuple(aliases),
        tuple(validators),
        allow_null="allownull" in allow,
        allow_empty="allowemptystring" in allow,
        allow_empty_collection="allowemptycollection" in allow,
    )
    return param, has_attribute, has_position


def _set_data(attribute: ast.Attribute) -> tuple[SetData, str]:
    data, set_name = SetData(), ""
    for key, node in attribute.named.items():
        value = _constant(node)
        if key == "mandatory":
            data.mandatory = bool(value)
        elif key == "position":
            data.position = int(value)
        elif key == "parametersetname":
            set_name = str(value)
        elif key == "valuefrompipeline":
            data.from_pipeline = bool(value)
        elif key == "valuefrompipelinebypropertyname":
            data.by_property_name = bool(value)
        elif key == "valuefromremainingarguments":
            data.remaining = bool(value)
        elif key not in ("helpmessage", "dontshow"):
            raise Unsupported(f"Parameter({key})")
    if set_name == "__AllParameterSets":
        set_name = ""
    return data, set_name


def default_value(kind: PsType | None) -> Any:
    """What a parameter holds that was not given and has no default."""
    if kind is None:
        return None
    if kind.name == "System.String":
        return ""
    if kind.name == "System.Boolean":
        return False
    if kind.name == SMA + "SwitchParameter":
        return v.SwitchParameter(False)
    if kind.name in INTEGERS:
        return INTEGERS[kind.name][2](0)
    if kind.name == "System.Double":
        return 0.0
    return None
