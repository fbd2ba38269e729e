# An interactive console on a simulated server, as the products' management shells look.
. "$env:S2S_LAB_FOLDER/main.ps1"
Import-Module PSReadLine -ErrorAction Ignore
$global:MaximumHistoryCount = 4096
function global:prompt { "[PS] C:\Windows\system32>" }
Write-Host "`n         $env:S2S_LAB_TITLE`n"
Write-Host "A simulated server, $($env:COMPUTERNAME.ToLower()), as $env:USERDOMAIN\$env:USERNAME. Get-Help NAME shows a command's syntax and its page; exit ends."
if ($env:ExchangeInstallPath) {
  . "$($env:ExchangeInstallPath)bin\RemoteExchange.ps1"
  Connect-ExchangeServer -Auto -ClientApplication:ManagementShell
}
