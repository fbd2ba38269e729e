# An interactive console on a simulated server, as the products' management shells look.
. "$env:S2S_LAB_FOLDER/main.ps1"
if ($env:TERM -eq 'dumb') { Remove-Module PSReadLine -ErrorAction Ignore }
function global:prompt { $(if ($env:ExchangeInstallPath) { '[PS] C:\Windows\system32>' } else { "PS C:\Users\$env:USERNAME> " }) }
Write-Host "`n         $env:S2S_LAB_TITLE`n"
Write-Host "$($env:COMPUTERNAME.ToLower()), a server of the lab, as $env:USERDOMAIN\$env:USERNAME. Get-Help NAME shows a command's syntax and its page; exit leaves."
foreach ($name in "$env:S2S_LAB_MODULES".Split(',', [StringSplitOptions]::RemoveEmptyEntries)) { Import-Module $name -DisableNameChecking -Global }
if ($env:ExchangeInstallPath) {
  . "$($env:ExchangeInstallPath)bin\RemoteExchange.ps1"
  Connect-ExchangeServer -Auto -ClientApplication:ManagementShell
}
