# Makes a runspace one of a simulated server: its commands, its C: drive, its clock, its endpoints. Run before anything else.
$folder = $env:S2S_LAB_FOLDER
Import-Module "$folder/S2SLab.psm1" -Global -DisableNameChecking
if (-not $IsWindows -and $PSVersionTable.PSEdition -eq 'Core') {
  $null = New-PSDrive -Name C -PSProvider FileSystem -Root $env:S2S_LAB_DRIVE -Scope Global
}
foreach ($line in [IO.File]::ReadAllLines("$env:S2S_LAB_MACHINE/aliases")) {
  $name, $value = $line.Split('|')
  Set-Alias -Name $name -Value $value.Replace('{drive}', $env:S2S_LAB_DRIVE) -Scope Global -Force
}
Import-Module "$env:S2S_LAB_MACHINE/Here.psm1" -Global -DisableNameChecking

# An inner session: the lab says whether it opens and what is there; a second process is its far side.
function global:New-PSSession {
  [CmdletBinding(DefaultParameterSetName = 'ComputerName', PositionalBinding = $false)] param(
    [Parameter(ParameterSetName = 'ComputerName', Position = 0)][Alias('Cn')][string]$ComputerName,
    [Parameter(ParameterSetName = 'Uri', Position = 0, Mandatory)][Alias('URI', 'CU')][uri]$ConnectionUri,
    [pscredential]$Credential, [string]$ConfigurationName, [string]$Authentication,
    [Parameter(ParameterSetName = 'Uri')][switch]$AllowRedirection, $SessionOption, [string[]]$Name)
  $ask = @{ op = 'open'; computer = "=$ComputerName"; configuration = "=$ConfigurationName"; authentication = "=$Authentication" }
  if ($ConnectionUri) { $ask.uri = "=$($ConnectionUri.OriginalString)" }
  if ($Credential) { $ask.user = "=$($Credential.UserName)"; $ask.password = '=' + $Credential.GetNetworkCredential().Password }
  $answer = Get-LabAnswer $ask
  if ($answer.e -eq 'error') { $PSCmdlet.WriteError((New-LabRecord $answer)); return }
  $instance = New-Object Management.Automation.Runspaces.PowerShellProcessInstance
  foreach ($pair in $answer.environment) { $instance.Process.StartInfo.EnvironmentVariables[$pair[0]] = $pair[1] }
  $runspace = [Management.Automation.Runspaces.RunspaceFactory]::CreateOutOfProcessRunspace([Management.Automation.Runspaces.TypeTable]::LoadDefaultTypeFiles(), $instance)
  $runspace.Open()
  $setUp = [Management.Automation.PowerShell]::Create()
  $setUp.Runspace = $runspace
  [void]$setUp.AddScript([IO.File]::ReadAllText($(if ($answer.full) { "$env:S2S_LAB_FOLDER/prelude.ps1" } else { "$env:S2S_LAB_FOLDER/far.ps1" })))
  $found = @($setUp.Invoke())
  if ($setUp.HadErrors) { throw "the far side could not be set up: $($setUp.Streams.Error)" }
  $setUp.Dispose()
  $null = Get-LabAnswer @{ op = 'opened'; token = $answer.token; pid = $instance.Process.Id }
  if ([Management.Automation.Runspaces.PSSession].GetMethod('Create', [type[]]@([runspace], [string], [Management.Automation.PSCmdlet]))) {
    [Management.Automation.Runspaces.PSSession]::Create($runspace, $answer.computer, $PSCmdlet)
  } else {  # before 7.4, Windows PowerShell 5.1 among them (UNCONFIRMED: never run there)
    $make = [Management.Automation.Runspaces.PSSession].GetConstructors('NonPublic, Instance') | Where-Object { $_.GetParameters().Count -eq 1 }
    $make[0].Invoke([object[]]@($runspace))
  }
}
