"""PowerShell's own cmdlets: how they are declared, their aliases, and which of Windows' cmdlets are refused."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell.engine import Frame, Out
from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.parameters import (
    Param,
    RawArgument,
    SetData,
    Signature,
    common_parameters,
    validate_range,
    validate_set,
)
from s2slib.lab.powershell.types import resolve_type
from s2slib.lab.powershell.values import INT32_MAX, words

if TYPE_CHECKING:
    from s2slib.lab.powershell.processors import Cmdlet, Processor

CORE, UTILITY, MANAGEMENT, SECURITY = (
    f"Microsoft.PowerShell.{n}" for n in ("Core", "Utility", "Management", "Security")
)

_ALIASES = words(
    "% ForEach-Object ? Where-Object ac Add-Content asnp Add-PSSnapin cat Get-Content cd Set-Location cfs "
    "ConvertFrom-String chdir Set-Location clc Clear-Content clear Clear-Host clhy Clear-History cli "
    "Clear-Item clp Clear-ItemProperty cls Clear-Host clv Clear-Variable cnsn Connect-PSSession compare "
    "Compare-Object copy Copy-Item cp Copy-Item cpi Copy-Item cpp Copy-ItemProperty curl Invoke-WebRequest "
    "cvpa Convert-Path dbp Disable-PSBreakpoint del Remove-Item diff Compare-Object dir Get-ChildItem dnsn "
    "Disconnect-PSSession ebp Enable-PSBreakpoint echo Write-Output epal Export-Alias epcsv Export-Csv epsn "
    "Export-PSSession erase Remove-Item etsn Enter-PSSession exsn Exit-PSSession fc Format-Custom fhx "
    "Format-Hex fl Format-List foreach ForEach-Object ft Format-Table fw Format-Wide gal Get-Alias gbp "
    "Get-PSBreakpoint gc Get-Content gcai Get-CimAssociatedInstance gcb Get-Clipboard gci Get-ChildItem gcim "
    "Get-CimInstance gcls Get-CimClass gcm Get-Command gcms Get-CimSession gcs Get-PSCallStack gdr "
    "Get-PSDrive ghy Get-History gi Get-Item gin Get-ComputerInfo gjb Get-Job gl Get-Location gm Get-Member "
    "gmo Get-Module gp Get-ItemProperty gps Get-Process gpv Get-ItemPropertyValue group Group-Object gsn "
    "Get-PSSession gsnp Get-PSSnapin gsv Get-Service gtz Get-TimeZone gu Get-Unique gv Get-Variable gwmi "
    "Get-WmiObject h Get-History history Get-History icim Invoke-CimMethod icm Invoke-Command iex "
    "Invoke-Expression ihy Invoke-History ii Invoke-Item ipal Import-Alias ipcsv Import-Csv ipmo "
    "Import-Module ipsn Import-PSSession irm Invoke-RestMethod iwmi Invoke-WmiMethod iwr Invoke-WebRequest "
    "kill Stop-Process lp Out-Printer ls Get-ChildItem man help md mkdir measure Measure-Object mi Move-Item "
    "mount New-PSDrive move Move-Item mp Move-ItemProperty mv Move-Item nal New-Alias ncim New-CimInstance "
    "ncms New-CimSession ndr New-PSDrive ni New-Item nmo New-Module npssc New-PSSessionConfigurationFile nsn "
    "New-PSSession nv New-Variable ogv Out-GridView oh Out-Host popd Pop-Location ps Get-Process pushd "
    "Push-Location pwd Get-Location r Invoke-History rbp Remove-PSBreakpoint rcim Remove-CimInstance rcjb "
    "Receive-Job rcms Remove-CimSession rcsn Receive-PSSession rd Remove-Item rdr Remove-PSDrive ren "
    "Rename-Item ri Remove-Item rjb Remove-Job rm Remove-Item rmdir Remove-Item rmo Remove-Module rni "
    "Rename-Item rnp Rename-ItemProperty rp Remove-ItemProperty rsn Remove-PSSession rsnp Remove-PSSnapin "
    "rujb Resume-Job rv Remove-Variable rvpa Resolve-Path rwmi Remove-WmiObject sajb Start-Job sal Set-Alias "
    "saps Start-Process sasv Start-Service sbp Set-PSBreakpoint sc Set-Content scb Set-Clipboard scim "
    "Set-CimInstance select Select-Object set Set-Variable shcm Show-Command si Set-Item sl Set-Location "
    "sleep Start-Sleep sls Select-String sort Sort-Object sp Set-ItemProperty spjb Stop-Job spps Stop-Process "
    "spsv Stop-Service start Start-Process stz Set-TimeZone sujb Suspend-Job sv Set-Variable swmi "
    "Set-WmiInstance tee Tee-Object trcm Trace-Command type Get-Content wget Invoke-WebRequest where "
    "Where-Object wjb Wait-Job write Write-Output"
)
ALIASES = dict(zip(_ALIASES[::2], _ALIASES[1::2], strict=True))

# Cmdlets that every Windows Server has and this evaluator does not: refused, not "not recognized".
_WINDOWS = frozenset(
    words(
        "add-computer add-content add-history add-pssnapin checkpoint-computer clear-content clear-eventlog "
        "clear-history clear-item clear-itemproperty clear-variable compare-object complete-transaction "
        "connect-pssession connect-wsman convert-path convertfrom-csv convertfrom-securestring convertfrom-string "
        "convertfrom-stringdata convertto-csv convertto-html convertto-xml copy-item copy-itemproperty "
        "debug-process debug-runspace disable-pssessionconfiguration disable-psbreakpoint disable-psremoting "
        "disconnect-pssession disconnect-wsman enable-computerrestore enable-psbreakpoint enable-psremoting "
        "enable-pssessionconfiguration enable-wsmancredssp disable-wsmancredssp enter-pssession exit-pssession "
        "export-alias export-clixml export-counter export-csv export-formatdata export-modulemember "
        "export-pssession format-custom format-hex format-list format-table format-wide get-acl get-alias "
        "get-authenticodesignature get-childitem get-cimassociatedinstance get-cimclass get-ciminstance "
        "get-computerinfo get-computerrestorepoint get-controlpanelitem get-counter get-credential get-event "
        "get-eventlog get-eventsubscriber get-executionpolicy get-filehash get-formatdata get-help get-history "
        "get-hotfix get-item get-itemproperty get-itempropertyvalue get-job get-location get-member "
        "get-pfxcertificate get-process get-psbreakpoint get-pscallstack get-psdrive get-pshostprocessinfo "
        "get-psprovider get-pssessionconfiguration get-pssnapin get-runspace get-runspacedebug get-service "
        "get-timezone get-tracesource get-transaction get-typedata get-unique get-verb get-winevent get-wmiobject "
        "get-wsmancredssp get-wsmaninstance import-alias import-clixml import-counter import-csv "
        "import-localizeddata invoke-cimmethod invoke-expression invoke-history invoke-item invoke-restmethod "
        "invoke-webrequest invoke-wmimethod invoke-wsmanaction limit-eventlog measure-command move-item "
        "move-itemproperty new-alias new-cimsession new-event new-eventlog new-item new-itemproperty new-module "
        "new-modulemanifest new-object new-psdrive new-psrolecapabilityfile new-pssessionconfigurationfile "
        "new-pstransportoption new-service new-temporaryfile new-webserviceproxy new-winevent new-wsmaninstance "
        "new-wsmansessionoption out-file out-gridview out-printer pop-location protect-cmsmessage push-location "
        "receive-job receive-pssession register-argumentcompleter register-cimindicationevent "
        "register-engineevent register-objectevent register-pssessionconfiguration register-wmievent "
        "remove-computer remove-event remove-eventlog remove-item remove-itemproperty remove-job "
        "remove-psbreakpoint remove-psdrive remove-pssnapin remove-typedata remove-wmiobject remove-wsmaninstance "
        "rename-computer rename-item rename-itemproperty reset-computermachinepassword resolve-path "
        "restart-computer restart-service restore-computer resume-job resume-service save-help select-object "
        "select-string select-xml send-mailmessage set-acl set-alias set-authenticodesignature set-ciminstance "
        "set-clipboard get-clipboard set-content set-date set-executionpolicy set-item set-itemproperty "
        "set-location set-psbreakpoint set-psdebug set-pssessionconfiguration set-service set-strictmode "
        "set-timezone set-tracesource set-wmiinstance set-wsmaninstance set-wsmanquickconfig show-command "
        "show-controlpanelitem show-eventlog start-job start-process start-service start-transaction "
        "start-transcript stop-computer stop-job stop-process stop-service stop-transcript suspend-job "
        "suspend-service switch-process tee-object test-computersecurechannel test-connection test-filecatalog "
        "test-modulemanifest test-pssessionconfigurationfile test-wsman trace-command unblock-file "
        "undo-transaction unprotect-cmsmessage unregister-event unregister-pssessionconfiguration "
        "update-formatdata update-help update-list update-typedata use-transaction wait-debugger wait-event "
        "wait-job wait-process write-eventlog help more mkdir prompt clear-host out-lineoutput get-netadapter "
        "test-netconnection resolve-dnsname get-aduser get-adgroup import-certificate get-windowsfeature "
        "new-selfsignedcertificate export-pfxcertificate import-pfxcertificate add-jobtrigger clear-recyclebin debug-job "
        "find-module find-package find-script get-installedmodule get-package get-packageprovider get-psrepository "
        "install-module install-package install-windowsfeature uninstall-windowsfeature new-ciminstance new-winuserlanguagelist "
        "pause remove-ciminstance remove-cimsession get-cimsession set-variable tabexpansion2 uninstall-module update-module"
    )
)
_WINDOWS_NOUNS = re.compile(  # of the modules that come with Windows Server, or with roles that such servers have
    r"\w+-(AD(Account|Computer|Domain|Forest|Group|Object|Organizational|RootDSE|Service|User)|Appx|Bits|Dhcp|Disk|Dns|Dsc|"
    r"EventLog|Firewall|IIS|InitiatorPort|LocalGroup|LocalUser|Mp(Computer|Preference|Threat)|Net(Adapter|Conn|Fire|IP|"
    r"Route|TCP|UDP)|Odbc|Partition|PhysicalDisk|PnpDevice|Printer|PSReadLine|Scheduled(Job|Task)|Smb|StoragePool|Tpm|"
    r"VirtualDisk|VM|Volume|Vpn|Web(App|Binding|Config|Item|Site|Virtual)|Windows(Driver|Error|Feature|Image|Optional|"
    r"Package|Update)|WinSystem|WUServer)\w*",
    re.IGNORECASE,
)
_PROGRAMS = frozenset(  # in the path of every Windows Server; the registry has those that the lab plays
    words(
        "arp attrib bcdedit certreq certutil chkdsk choice cmd cscript curl diskpart dism dsquery find findstr fsutil "
        "gpresult gpupdate hostname icacls ipconfig klist logoff mmc msg msiexec nbtstat net netsh netstat nltest notepad "
        "nslookup pathping ping powercfg powershell query quser qwinsta reg regedit regsvr32 robocopy route rundll32 runas "
        "schtasks sc setspn sfc shutdown ssh systeminfo takeown tar tasklist taskkill timeout tracert tree w32tm wevtutil "
        "where whoami winrm winrs wmic wscript xcopy"
    )
)


def unsupported_command(name: str) -> None:
    """Refuse a command that Windows has and the evaluator lacks."""
    bare = name.rsplit("\\", 1)[-1].lower()
    bare = ALIASES.get(bare, bare).lower()
    if bare in _WINDOWS or _WINDOWS_NOUNS.fullmatch(bare):
        raise Unsupported(f"the command {name}")
    if re.sub(r"\.(exe|cmd|com)$", "", bare) in _PROGRAMS:
        raise Unsupported(f"the program {name}")


@dataclass(frozen=True)
class Builtin:
    """A cmdlet of PowerShell itself."""

    name: str
    module: str
    kind: type[Cmdlet]
    signature: Signature

    def make(self, f: Frame, out: Out, raw: list[RawArgument], extent: tuple[int, int]) -> Processor:
        """The cmdlet in a pipeline."""
        return self.kind(f, out, self.signature, raw, extent)


def parameter(spec: str) -> Param:
    """A parameter from its short form: `Name type flag...`.

    Flags: a number (position), m (mandatory), p (pipeline), n (pipeline by property name), r (the rest), e (takes what is
    empty, and $null unless it is a text), null (takes $null), set:A|B, as:alias|alias, in:value|value, from:0.
    """
    name, *words = spec.split()
    kind = words[0] if words else "object"
    data, sets, aliases, values = SetData(), ("",), (), ()  # type: SetData, tuple[str, ...], tuple[str, ...], tuple[str, ...]
    empty = null = False
    checks: list[Callable[[Any], None]] = []
    for word in words[1:]:
        if word.isdigit():
            data.position = int(word)
        elif word == "m":
            data.mandatory = True
        elif word == "p":
            data.from_pipeline = True
        elif word == "n":
            data.by_property_name = True
        elif word == "r":
            data.remaining = True
        elif word == "e":
            empty = True
        elif word == "null":
            null = True
        elif word.startswith("set:"):
            sets = tuple(word[4:].split("|"))
        elif word.startswith("as:"):
            aliases = tuple(word[3:].split("|"))
        elif word.startswith("in:"):
            values = tuple(word[3:].split("|"))
        elif word.startswith("from:"):
            checks.append(validate_range(int(word[5:]), INT32_MAX))
        else:
            raise ValueError(spec)
    if values:
        checks.append(validate_set(values))
    return Param(
        name,
        resolve_type(kind),
        dict.fromkeys(sets, data),
        aliases,
        tuple(checks),
        allow_null=null or (empty and not kind.startswith("string")),
        allow_empty=empty,
        allow_empty_collection=empty,
    )


def declare(
    name: str,
    module: str,
    kind: type[Cmdlet],
    *specs: str,
    default: str = "",
    class_name: str = "",
    confirm: bool = False,
) -> Builtin:
    """A cmdlet's declaration."""
    verb, _, noun = name.partition("-")
    suffix = f"Microsoft.PowerShell.Commands.{class_name or verb + noun + 'Command'}"
    params = [parameter(s) for s in specs] + common_parameters(confirm)
    return Builtin(name, module, kind, Signature(name, suffix, params, default))


@functools.lru_cache(maxsize=1)
def all_builtins() -> dict[str, Builtin]:
    """Every cmdlet by lower-case name. Read only."""
    from s2slib.lab.powershell import (
        builtins_data,
        builtins_make,
        builtins_objects,
        builtins_output,
        builtins_session,
        builtins_state,
    )

    found: dict[str, Builtin] = {}
    for part in (builtins_objects, builtins_make, builtins_output, builtins_data, builtins_state, builtins_session):
        for builtin in part.declarations():
            found[builtin.name.lower()] = builtin
    return found


def builtin_named(name: str) -> Builtin | None:
    """The cmdlet of that name, or None."""
    return all_builtins().get(name.lower())
