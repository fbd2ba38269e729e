# Makes a fresh process the far side of a product's endpoint: its commands and what implicit remoting needs, and no language.
Import-Module "$env:S2S_LAB_FOLDER/S2SLab.psm1" -DisableNameChecking
Import-Module "$env:S2S_LAB_FAR/Far.psm1" -DisableNameChecking
$PSModuleAutoLoadingPreference = 'None'
$kept = 'Get-Command', 'Get-FormatData', 'Select-Object', 'Measure-Object', 'Out-Default', 'Exit-PSSession', 'Get-Help'
$own = @((Get-Module Far).ExportedFunctions.Keys)
foreach ($command in Get-Command -ListImported -CommandType Alias, Function, Cmdlet) {
  if ($command.Name -notin $kept -and $command.Name -notin $own) { $command.Visibility = 'Private' }
}
$ExecutionContext.SessionState.Applications.Clear()
$ExecutionContext.SessionState.Scripts.Clear()
$ExecutionContext.SessionState.LanguageMode = 'NoLanguage'
