"""Cmdlets over the session's own state: variables, commands, modules, files of the machine, waiting."""

from __future__ import annotations

from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.builtins import CORE, MANAGEMENT, SECURITY, UTILITY, Builtin, all_builtins, declare
from s2slib.lab.powershell.dotnet_engine import ModuleView
from s2slib.lab.powershell.dotnet_system import sleep
from s2slib.lab.powershell.engine import Variable
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.pipelines import CommandValue
from s2slib.lab.powershell.processors import Cmdlet
from s2slib.lab.powershell.regex import has_wildcard, like
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA

NOT_FOUND = SMA + "ItemNotFoundException"


class VariableCmdlet(Cmdlet):
    """Cmdlets over variables."""

    def target_scope(self) -> Any:
        """The scope asked for, or the current one."""
        return self.f.scope.named(self.p["Scope"]) if "Scope" in self.p else self.f.scope

    def names(self) -> list[str]:
        """Names asked for."""
        found = [to_text(n) for n in self.p.get("Name") or []]
        if any(has_wildcard(n) for n in found) or not found:
            raise Unsupported("variables by wildcard")
        return found


class VariableView:
    """PSVariable."""

    ps_type = SMA + "PSVariable"

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def ps_get(self, f: Any, low: str) -> tuple[bool, Any]:
        """Name and Value."""
        if low == "name":
            return True, self.variable.name
        if low == "value":
            value = self.variable.value
            return True, None if value is v.NOTHING else value
        raise Unsupported(f"the property {low} of a variable")


class GetVariable(VariableCmdlet):
    """Get-Variable."""

    def record(self) -> None:
        scope = self.target_scope()
        for name in self.names():
            found = scope.variables.get(name.lower()) if "Scope" in self.p else scope.find(name.lower())
            if found is None:
                self.write_error(
                    f"Cannot find a variable with the name '{name}'.",
                    "VariableNotFound",
                    "ObjectNotFound",
                    name,
                    NOT_FOUND,
                )
            elif self.switch("ValueOnly"):
                self.enumerate(found.value)
            else:
                self.out(VariableView(found))


class SetVariable(VariableCmdlet):
    """Set-Variable and New-Variable."""

    def start(self) -> None:
        self.values: list[Any] = []
        if "Option" in self.p or "Visibility" in self.p:
            raise Unsupported("variables with options")

    def record(self) -> None:
        if "Value" in self.p:
            self.values.append(self.p["Value"])

    def finish(self) -> None:
        value = None if not self.values else self.values[0] if len(self.values) == 1 else list(self.values)
        for name in self.names():
            scope = self.target_scope()
            if self.signature.name == "New-Variable" and name.lower() in scope.variables and not self.switch("Force"):
                self.write_error(
                    f"A variable with name '{name}' already exists.", "VariableAlreadyExists", "ResourceExists", name,
                    SMA + "SessionStateException",
                )  # fmt: skip
                continue
            scope.set(name, int(value) if isinstance(value, v.NumberToken) else value)
            if self.switch("PassThru"):
                self.out(VariableView(scope.variables[name.lower()]))


class RemoveVariable(VariableCmdlet):
    """Remove-Variable."""

    def record(self) -> None:
        for name in self.names():
            scope = self.target_scope()
            while scope is not None and name.lower() not in scope.variables:
                scope = None if "Scope" in self.p else scope.parent
            if scope is None:
                self.write_error(
                    f"Cannot find a variable with the name '{name}'.",
                    "VariableNotFound",
                    "ObjectNotFound",
                    name,
                    NOT_FOUND,
                )
            else:
                del scope.variables[name.lower()]


class GetCommand(Cmdlet):
    """Get-Command by name."""

    def record(self) -> None:
        names = [to_text(n) for n in self.p.get("Name") or []]
        if not names or self.p.get("Verb") or self.p.get("Noun"):
            raise Unsupported("Get-Command without a name")
        engine = self.f.engine
        modules = [to_text(m).lower() for m in self.p.get("Module") or []]
        kinds = self.p.get("CommandType")
        for name in names:
            if has_wildcard(name):
                self._wild(name, modules)
                continue
            found = engine.find_command(name, self.f)
            if found is not None and modules and found.module.lower() not in modules:
                found = None
            if found is not None and kinds is not None and kinds.value & _kind_number(found.command_type) == 0:
                found = None
            if found is not None and name.lower() in _alias_names(engine):
                raise Unsupported("Get-Command of an alias")
            if found is None:
                from s2slib.lab.powershell.builtins import unsupported_command

                unsupported_command(name)
                self.write_error(
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
                    "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
                    "CommandNotFoundException", "ObjectNotFound", name, SMA + "CommandNotFoundException",
                )  # fmt: skip
                continue
            self.out(CommandValue(found))

    def _wild(self, pattern: str, modules: list[str]) -> None:
        engine = self.f.engine
        names: set[str] = set()
        for spec in engine.machine.registry.cmdlets():
            if like(spec.name, pattern) and (not modules or spec.module.lower() in modules):
                names.add(spec.name)
        if any(like(b.name, pattern) for b in all_builtins().values()) and not modules:
            raise Unsupported(f"Get-Command {pattern}")
        for name in sorted(names, key=str.lower):
            found = engine.find_command(name, self.f, load=False)
            if found is not None:
                self.out(CommandValue(found))


def _kind_number(kind: str) -> int:
    from s2slib.lab.powershell.enums import ENUMS

    return ENUMS[SMA + "CommandTypes"][kind]


def _alias_names(engine: Any) -> set[str]:
    from s2slib.lab.powershell.builtins import ALIASES

    return {*ALIASES, *engine.aliases}


class GetModule(Cmdlet):
    """Get-Module."""

    def record(self) -> None:
        engine = self.f.engine
        names = [to_text(n) for n in self.p.get("Name") or []]
        if self.switch("ListAvailable"):
            modules = list(engine.machine.registry.modules())
            if not names:
                raise Unsupported("Get-Module -ListAvailable without a name")
        else:
            modules = list(engine.modules.values())
            if not names:
                raise Unsupported("Get-Module without a name")
        for name in names:
            if name.lower().startswith("microsoft.powershell") or name == "*":
                raise Unsupported(f"Get-Module {name}")
            for module in modules:
                if like(module.name, name):
                    self.out(ModuleView(module))


class ImportModule(Cmdlet):
    """Import-Module by name."""

    def record(self) -> None:
        engine = self.f.engine
        for name in self.p["Name"]:
            text = to_text(name)
            if text.lower().startswith("microsoft.powershell."):
                continue
            module = engine.import_module(text.rsplit("\\", 1)[-1].removesuffix(".psd1").removesuffix(".psm1"))
            if module is None:
                self.write_error(
                    f"The specified module '{text}' was not loaded because no valid module file was found in any module "
                    "directory.",
                    "Modules_ModuleNotFound", "ResourceUnavailable", text, "System.IO.FileNotFoundException",
                )  # fmt: skip
            elif self.switch("PassThru"):
                self.out(ModuleView(module))


class RemoveModule(Cmdlet):
    """Remove-Module by name."""

    def record(self) -> None:
        for name in self.p["Name"]:
            if self.f.engine.modules.pop(to_text(name).lower(), None) is None:
                self.write_error(
                    "No modules were removed. Verify that the specification of modules to remove is correct and those modules "
                    "exist in the runspace.",
                    "Modules_NoModulesRemoved", "ResourceUnavailable", None,
                )  # fmt: skip


class StartSleep(Cmdlet):
    """Start-Sleep; ends at once when the pipeline is stopped."""

    def record(self) -> None:
        if "Milliseconds" in self.p:
            sleep(self.f, self.p["Milliseconds"] / 1000)
        else:
            sleep(self.f, float(self.p["Seconds"]))


class TestPath(Cmdlet):
    """Test-Path over the machine's files and over variables."""

    def record(self) -> None:
        for item in self.p.get("Path") or self.p.get("LiteralPath") or []:
            path = to_text(item)
            if has_wildcard(path) and "Path" in self.p:
                raise Unsupported("Test-Path with a wildcard")
            drive, colon, rest = path.partition(":")
            low = drive.lower()
            if colon and low == "variable":
                self.out(self.f.scope.find(rest.lstrip("\\/").lower()) is not None)
            elif colon and low == "env":
                self.out(rest.lstrip("\\/").lower() in self.f.engine.console.environment)
            elif colon and low == "function":
                self.out(self._function(rest.lstrip("\\/").lower()))
            elif colon and len(drive) > 1:
                raise Unsupported(f"the drive {drive}:")
            else:
                self.out(self.f.engine.machine.exists(path))

    def _function(self, low: str) -> bool:
        scope: Any = self.f.scope
        while scope is not None:
            if low in scope.functions:
                return True
            scope = scope.parent
        return False


class GetContent(Cmdlet):
    """Get-Content of the machine's files."""

    def record(self) -> None:
        for item in self.p.get("Path") or self.p.get("LiteralPath") or []:
            path = to_text(item)
            text = self.f.engine.machine.read_file(path)
            if text is None:
                self.write_error(
                    f"Cannot find path '{path}' because it does not exist.",
                    "PathNotFound",
                    "ObjectNotFound",
                    path,
                    NOT_FOUND,
                )
                continue
            if any(x in self.p for x in ("Tail", "TotalCount", "Delimiter", "Stream")) or self.switch("Wait"):
                raise Unsupported("Get-Content with these parameters")
            if self.switch("Raw"):
                self.out(text)
                continue
            for line in text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []:
                self.out(line)


class SetStrictMode(Cmdlet):
    """Set-StrictMode: only off, which it is."""

    def record(self) -> None:
        if not self.switch("Off"):
            raise Unsupported("Set-StrictMode -Version")


class AddType(Cmdlet):
    """Add-Type of assemblies that need no loading here."""

    def record(self) -> None:
        known = {"system.web", "system.core", "system.security", "system.net.http", "system.xml", "system"}
        names = [to_text(n).lower() for n in self.p.get("AssemblyName") or []]
        if not names or not set(names) <= known:
            raise Unsupported("Add-Type")


class GetHost(Cmdlet):
    """Get-Host."""

    def record(self) -> None:
        self.out(self.f.engine.console.host)


class SetAlias(Cmdlet):
    """Set-Alias and New-Alias."""

    def record(self) -> None:
        self.f.engine.aliases[self.p["Name"].lower()] = self.p["Value"]


class GetExecutionPolicy(Cmdlet):
    """Get-ExecutionPolicy of the process."""

    def record(self) -> None:
        raise Unsupported("Get-ExecutionPolicy")


def declarations() -> list[Builtin]:
    """Cmdlets of this file."""
    named = "Name string[] 0 m p n"
    return [
        declare(
            "Get-Variable", UTILITY, GetVariable, "Name string[] 0 p n", "ValueOnly switch", "Include string[]",
            "Exclude string[]", "Scope string",
        ),
        declare(
            "Set-Variable", UTILITY, SetVariable, "Name string[] 0 m n", "Value object 1 p n e", "Scope string",
            "Force switch", "PassThru switch", "Option string", "Visibility string", "Description string", confirm=True,
        ),
        declare(
            "New-Variable", UTILITY, SetVariable, "Name string[] 0 m n", "Value object 1 p n e", "Scope string",
            "Force switch", "PassThru switch", "Option string", "Visibility string", "Description string", confirm=True,
        ),
        declare("Remove-Variable", UTILITY, RemoveVariable, named, "Scope string", "Force switch", confirm=True),
        declare(
            "Get-Command", CORE, GetCommand, "Name string[] 0 p n", "Verb string[]", "Noun string[]",
            "Module string[] n as:PSSnapin", f"CommandType {SMA}CommandTypes as:Type", "All switch", "Syntax switch",
            "ListImported switch", "ArgumentList object[]", "TotalCount int",
        ),
        declare("Get-Module", CORE, GetModule, "Name string[] 0 p", "ListAvailable switch", "All switch", "Refresh switch"),
        declare(
            "Import-Module", CORE, ImportModule, "Name string[] 0 m p", "Force switch", "Global switch", "PassThru switch",
            "DisableNameChecking switch", "Scope string", "NoClobber switch", "Function string[]", "Cmdlet string[]",
            "MinimumVersion version as:Version", "Prefix string", "WarningPreference string",
        ),
        declare("Remove-Module", CORE, RemoveModule, "Name string[] 0 m p", "Force switch", confirm=True),
        declare(
            "Start-Sleep", UTILITY, StartSleep, "Seconds int 0 m p n from:0 set:Seconds",
            "Milliseconds int m n from:0 set:Milliseconds as:ms",
            default="Seconds",
        ),
        declare(
            "Test-Path", MANAGEMENT, TestPath, "Path string[] 0 m p n e set:Path",
            "LiteralPath string[] m n as:PSPath set:LiteralPath", "PathType string", "IsValid switch", default="Path",
        ),
        declare(
            "Get-Content", MANAGEMENT, GetContent, "Path string[] 0 m n set:Path",
            "LiteralPath string[] m n as:PSPath set:LiteralPath", "Raw switch", "Encoding string",
            "TotalCount long as:First|Head",
            "Tail int as:Last", "ReadCount long", "Delimiter string", "Wait switch", "Force switch", "Stream string",
            default="Path",
        ),
        declare("Set-StrictMode", CORE, SetStrictMode, "Version string m set:Version as:v", "Off switch m set:Off",
                default="Version"),
        declare("Add-Type", UTILITY, AddType, "TypeDefinition string 0 m set:Source",
                "AssemblyName string[] m set:Assembly as:AN",
                "PassThru switch", "Language string", default="Source"),
        declare("Get-Host", UTILITY, GetHost),
        declare("Set-Alias", UTILITY, SetAlias, "Name string 0 m n", "Value string 1 m n", "Scope string", "Force switch",
                "Option string", "Description string"),
        declare("New-Alias", UTILITY, SetAlias, "Name string 0 m n", "Value string 1 m n", "Scope string", "Force switch",
                "Option string", "Description string"),
        declare("Get-ExecutionPolicy", SECURITY, GetExecutionPolicy, "Scope string 0", "List switch"),
    ]  # fmt: skip
