# Makes a process one of a simulated server, then its first runspace. What a script makes beside that one is one too.
. "$env:S2S_LAB_FOLDER/prelude.ps1"
if ($PSStyle) { $PSStyle.OutputRendering = 'PlainText' }
$global:ErrorView = 'NormalView'  # the one view of 5.1: ids are printed
# Runspaces that a script makes are ones of this server too.
class S2SLabRunspaces {
  static [Management.Automation.Runspaces.Runspace] CreateRunspace() {
    $state = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
    [void]$state.StartupScripts.Add("$env:S2S_LAB_FOLDER/prelude.ps1")
    return [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($state)
  }
}
$names = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators').GetField('builtinTypeAccelerators', 'NonPublic, Static').GetValue($null)
$names['runspacefactory'] = [S2SLabRunspaces]
if ($env:S2S_LAB_LANGUAGE -ne 'FullLanguage') { $ExecutionContext.SessionState.LanguageMode = $env:S2S_LAB_LANGUAGE }
