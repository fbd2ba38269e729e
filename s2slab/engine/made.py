"""PowerShell modules made from a registry: one function for each cmdlet, bound by the engine, carried out by the lab."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from s2slab.engine.registry import CmdletSpec, Parameter, Registry

_CLOCK = """
function Get-LabTime { [CmdletBinding()] param() Invoke-Lab $PSCmdlet 'Get-Date' @{} }

# The lab's time; a moment that is named is that moment.
function Get-Date {
  if ("$args" -match '(^| )-(Date|Unix)') { return Microsoft.PowerShell.Utility\\Get-Date @args }
  Microsoft.PowerShell.Utility\\Get-Date -Date (Get-LabTime) @args
}
"""
_PAGES = "https://learn.microsoft.com/powershell/module/"


def quoted(text: str) -> str:
    """A text as a PowerShell literal; every kind of single quote closes one."""
    return "'" + "".join(2 * c if c in "'‘’‚‛" else c for c in text) + "'"


def write_modules(folder: Path, registry: Registry, scripts: Iterable[str]) -> None:
    """Write a machine's loose commands (Here.psm1), its modules, and the aliases of programs and scripts."""
    loose = [spec for spec in registry.loose() if spec.name != "Get-Date"]
    clock = _CLOCK if registry.cmdlet("Get-Date") is not None else ""
    others = sorted(registry.not_simulated)
    programs = "".join(
        f"function {one.name} {{ Invoke-LabProgram {quoted(one.name)} $args }}\n" for one in registry.programs()
    )
    _write(folder / "Here.psm1", clock + programs + _module_text(loose, () if registry.modules() else others))
    for module in registry.modules():
        specs = list({id(spec): spec for spec in module.commands.values()}.values())
        place = folder / "modules" / module.name
        _write(place / f"{module.name}.psm1", _module_text(specs, others))
        names = ", ".join(quoted(name) for name in [*(spec.name for spec in specs), *others])
        _write(
            place / f"{module.name}.psd1",
            f"@{{ ModuleVersion = '{module.version}'; RootModule = '{module.name}.psm1'; FunctionsToExport = @({names}); "
            "AliasesToExport = '*' }\n",
        )
    aliases = [
        f"{name}|{program.name}"
        for program in registry.programs()
        for name in (program.path, program.name.removesuffix(".exe"))
    ]
    aliases += [f"{path}|{{drive}}/{on_drive(path)}" for path in scripts]
    _write(folder / "aliases", "".join(f"{line}\n" for line in aliases))


def write_far(folder: Path, registry: Registry) -> None:
    """Write the commands of an endpoint's far side (Far.psm1)."""
    _write(folder / "Far.psm1", _module_text(registry.cmdlets(), sorted(registry.not_simulated)))


def on_drive(path: str) -> str:
    """A Windows path below its drive, as this machine writes it."""
    return path[3:].replace("\\", "/")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8-sig")


def _module_text(specs: Iterable[CmdletSpec], others: Iterable[str]) -> str:
    return (
        "\n".join([*map(_function, specs), *map(_not_simulated, others)])
        + "\nExport-ModuleMember -Function * -Alias *\n"
    )


def _function(spec: CmdletSpec) -> str:
    lines = [line for parameter in spec.parameters for line in _parameter(parameter)]
    body = "\n    ".join(lines).rstrip(",")
    settings = ["PositionalBinding = $false"]
    if spec.default_set:
        settings.append(f"DefaultParameterSetName = {quoted(spec.default_set)}")
    if spec.should_process:
        settings.append("SupportsShouldProcess")
    aliases = "".join(
        f"if (-not (Test-Path Alias:{alias})) {{ Set-Alias {alias} {spec.name} }}\n" for alias in spec.aliases
    )
    synopsis = spec.synopsis or f"{spec.name} as the lab simulates it."
    return (
        f"function {spec.name} {{\n<#\n.SYNOPSIS\n{synopsis}\n.LINK\n{page(spec.name)}\n#>\n"
        f"  [CmdletBinding({', '.join(settings)})] param(\n    {body})\n"
        f"  process {{ Invoke-Lab $PSCmdlet {quoted(spec.name)} $PSBoundParameters }}\n}}\n{aliases}"
    )


def page(name: str) -> str:
    """Microsoft's page of a command."""
    room = "skypeforbusiness" if "-Cs" in name else "exchangepowershell"
    return f"{_PAGES}{room}/{name.lower()}"


def _parameter(parameter: Parameter) -> Iterable[str]:
    for chosen in parameter.sets or ("",):
        parts = ["Mandatory"] if parameter.mandatory else []
        if parameter.position is not None:
            parts.append(f"Position = {parameter.position}")
        if chosen:
            parts.append(f"ParameterSetName = {quoted(chosen)}")
        if parameter.from_pipeline:
            parts.append("ValueFromPipeline")
        if parameter.from_pipeline_by_property_name:
            parts.append("ValueFromPipelineByPropertyName")
        yield f"[Parameter({', '.join(parts)})]"
    if parameter.aliases:
        yield f"[Alias({', '.join(map(quoted, parameter.aliases))})]"
    if parameter.values:
        yield f"[ValidateSet({', '.join(map(quoted, parameter.values))})]"
    if parameter.allow_null:
        yield "[AllowNull()][AllowEmptyString()]"
    if parameter.not_empty:
        yield "[ValidateNotNullOrEmpty()]"
    yield f"[{parameter.type}]${parameter.name},"


def _not_simulated(name: str) -> str:
    return (
        f"function {name} {{\n<#\n.SYNOPSIS\nThe lab does not simulate this command.\n.LINK\n{page(name)}\n#>\n"
        "  [CmdletBinding()] param([Parameter(ValueFromRemainingArguments)]$Arguments)\n"
        f"  Invoke-Lab $PSCmdlet {quoted(name)} @{{}}\n}}\n"
    )
