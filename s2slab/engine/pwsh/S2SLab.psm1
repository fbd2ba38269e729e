# The lab's side of a real PowerShell: values to and from the lab over one loopback connection, records as they were meant.
#
# One connection for each runspace, opened at first use; the first line is the token of this process. A request is one line of
# JSON, its answer a line for each object or record as it comes, the last one {"e":"end"}. Texts carry a leading = so that no
# JSON reader takes them for dates. If the bridge itself fails, the process ends: its fault is no answer of a cmdlet.

$script:link = $null
$script:made = @{}
$utf8 = New-Object Text.UTF8Encoding $false
$common = 'Verbose', 'Debug', 'ErrorAction', 'WarningAction', 'InformationAction', 'ProgressAction', 'ErrorVariable',
  'WarningVariable', 'InformationVariable', 'OutVariable', 'OutBuffer', 'PipelineVariable'
$json = @{ Compress = $true; Depth = 30 }
$isCore = $PSVersionTable.PSEdition -eq 'Core'
if ($isCore) { $json.EscapeHandling = 'EscapeNonAscii' }

function ConvertTo-LabWire($value) {
  if ($null -eq $value) { return $null }
  $base = $value
  if ($value -is [psobject] -and $null -ne $value.PSObject.BaseObject) { $base = $value.PSObject.BaseObject }
  if ($base -is [string]) { return "=$base" }
  if ($base -is [bool]) { return $base }
  if ($base -is [switch]) { return $base.IsPresent }
  if ($base -is [enum]) { return "=$base" }
  if ($base -is [securestring]) { return @{ secure = '=' + (New-Object Net.NetworkCredential '', $base).Password } }
  if ($base -is [pscredential]) { return @{ user = "=$($base.UserName)"; secure = '=' + $base.GetNetworkCredential().Password } }
  if ($base -is [byte[]]) { return @{ bytes = '=' + [Convert]::ToBase64String($base) } }
  if ($base -is [datetime]) { return @{ date = '=' + $base.ToString('o', [cultureinfo]::InvariantCulture) } }
  if ($base -is [timespan]) { return @{ span = "=$($base.Ticks)" } }
  if ($base -is [guid]) { return @{ guid = "=$base" } }
  if ($base -is [uri]) { return @{ uri = "=$($base.OriginalString)" } }
  if ($base -is [version]) { return @{ version = "=$base" } }
  if ($base -is [double] -or $base -is [single] -or $base -is [decimal]) { return @{ number = '=' + [Convert]::ToString($base, [cultureinfo]::InvariantCulture) } }
  if ($base.GetType().IsPrimitive) { return @{ int = "=$base" } }
  if ($base -is [Collections.IDictionary]) { return @{ table = @(foreach ($key in $base.Keys) { , @((ConvertTo-LabWire $key), (ConvertTo-LabWire $base[$key])) }) } }
  if ($base -is [Collections.IEnumerable]) { return @{ list = @(foreach ($item in $base) { , (ConvertTo-LabWire $item) }) } }
  $row = @(foreach ($property in $value.PSObject.Properties) { , @("=$($property.Name)", (ConvertTo-LabWire $property.Value)) })
  return @{ names = @(foreach ($name in $value.PSObject.TypeNames) { "=$name" }); object = $row }
}

function ConvertFrom-LabWire($node) {
  if ($null -eq $node -or $node -is [bool]) { return $node }
  if ($node -is [string]) { return $node.Substring(1) }
  $kind = @($node.PSObject.Properties)[0].Name
  $held = $node.$kind
  if ($held -is [string]) { $held = $held.Substring(1) }
  switch ($kind) {
    'int' { $number = [long]$held; if ($number -ge -2147483648 -and $number -le 2147483647) { return [int]$number } else { return $number } }
    'double' { return [double]::Parse($held, [cultureinfo]::InvariantCulture) }
    'number' { return [decimal]::Parse($held, [cultureinfo]::InvariantCulture) }
    'date' { return [datetime]::ParseExact($held, 'o', [cultureinfo]::InvariantCulture, 'RoundtripKind') }
    'span' { return [timespan]::FromTicks([long]$held) }
    'guid' { return [guid]$held }
    'uri' { return New-Object Uri $held, ([UriKind]::RelativeOrAbsolute) }
    'version' { return [version]$held }
    'bytes' { $raw = [Convert]::FromBase64String($held); return , $raw }
    'secure' { $made = New-Object Security.SecureString; foreach ($c in $held.ToCharArray()) { $made.AppendChar($c) }; return $made }
    'enum' { return Get-LabEnum $held $node.name.Substring(1) ([int]$node.number) }
    'list' { $items = [object[]]@(foreach ($item in $held) { , (ConvertFrom-LabWire $item) }); return , $items }
    'table' { $made = [ordered]@{}; foreach ($pair in $held) { $made[(ConvertFrom-LabWire $pair[0])] = ConvertFrom-LabWire $pair[1] }; return $made }
    'object' {
      $made = New-Object psobject
      foreach ($pair in $held) { $made.PSObject.Properties.Add((New-Object Management.Automation.PSNoteProperty $pair[0].Substring(1), (ConvertFrom-LabWire $pair[1]))) }
      $made.PSObject.TypeNames.Clear()
      foreach ($name in $node.names) { $made.PSObject.TypeNames.Add($name.Substring(1)) }
      if ($null -ne $node.text) {
        $text = [scriptblock]::Create("'" + [Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($node.text.Substring(1)) + "'")
        try { $made.PSObject.Methods.Add((New-Object Management.Automation.PSScriptMethod 'ToString', $text)) } catch { $null = $Error.Remove($_) }  # the type has one of its own
      }
      return $made
    }
  }
  throw "a value of kind '$kind' from the lab"
}

# Types of the products exist nowhere here: enumerations and exceptions of their names are made when first needed.
function New-LabType($full, $base, $fill) {
  $assembly = [Reflection.AssemblyName]::new([guid]::NewGuid().ToString('n'))
  if ($isCore) { $builder = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly($assembly, 'Run') }
  else { $builder = [AppDomain]::CurrentDomain.DefineDynamicAssembly($assembly, 'Run') }
  & $fill $builder.DefineDynamicModule('m') $full $base
}

function Get-LabEnum($type, $name, $number) {
  $key = "$type/$name"
  if (-not $script:made.ContainsKey($key)) {
    $script:made[$key] = New-LabType $type $null {
      param($module, $type)
      $maker = $module.DefineEnum($type, 'Public', [int])
      [void]$maker.DefineLiteral($name, $number)
      [enum]::ToObject($maker.CreateType(), $number)
    }
  }
  return $script:made[$key]
}

function New-LabException($type, $message) {
  if (-not $script:made.ContainsKey($type)) {
    $known = $type -as [type]
    if ($null -eq $known -or -not [Exception].IsAssignableFrom($known) -or [Management.Automation.IContainsErrorRecord].IsAssignableFrom($known) -or $null -eq $known.GetConstructor([type[]]@([string]))) {
      $known = New-LabType $type ([InvalidOperationException]) {
        param($module, $type, $base)
        $maker = $module.DefineType($type, 'Public, Class', $base)
        $code = $maker.DefineConstructor('Public', 'Standard', [type[]]@([string])).GetILGenerator()
        $code.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
        $code.Emit([Reflection.Emit.OpCodes]::Ldarg_1)
        $code.Emit([Reflection.Emit.OpCodes]::Call, $base.GetConstructor([type[]]@([string])))
        $code.Emit([Reflection.Emit.OpCodes]::Ret)
        $maker.CreateType()
      }
    }
    $script:made[$type] = $known
  }
  return [Activator]::CreateInstance($script:made[$type], [object[]]@($message))
}

function New-LabRecord($event) {
  $record = New-Object Management.Automation.ErrorRecord (New-LabException $event.exception $event.message.Substring(1)), 'Lab', $event.category, $null
  $record.CategoryInfo.Reason = $event.reason
  # the id is whole as the cmdlet gave it: the engine would put this function's name behind it
  $whole = [Management.Automation.ErrorRecord].GetField('_serializedFullyQualifiedErrorId', 'NonPublic, Instance')
  if ($null -ne $whole) { $whole.SetValue($record, $event.id.Substring(1)) }
  return $record
}

function Stop-LabProcess($why) {
  [Console]::Error.WriteLine("The lab's bridge failed: $why. This is no answer of a server.")
  [Environment]::Exit(200)
}

function Connect-Lab($token) {
  try {
    $client = New-Object Net.Sockets.TcpClient '127.0.0.1', ([int]$env:S2S_LAB_BRIDGE)
    $client.NoDelay = $true
    $stream = $client.GetStream()
    $made = @{ client = $client; reader = (New-Object IO.StreamReader $stream, $utf8); writer = (New-Object IO.StreamWriter $stream, $utf8) }
    $made.writer.WriteLine((ConvertTo-Json @json -InputObject @{ token = "$token" }))
    $made.writer.Flush()
    $first = ConvertFrom-Json -InputObject $made.reader.ReadLine()
  } catch {
    Stop-LabProcess "$_"
  }
  if ($first.e -ne 'welcome') { Stop-LabProcess $first.v }
  return $made
}

# Asks the lab; hands each event of the answer to $take. A pipeline that is stopped meanwhile stops the lab's cmdlet.
function Send-Lab($ask, $token, $take) {
  if ($null -eq $script:link) { $script:link = Connect-Lab $token }
  $link = $script:link
  $ended = $false
  try {
    $link.writer.WriteLine((ConvertTo-Json @json -InputObject $ask))
    $link.writer.Flush()
    while ($true) {
      $line = $link.reader.ReadLineAsync()
      while (-not $line.Wait(50)) { }
      if ($null -eq $line.Result) { Stop-LabProcess 'it closed the connection' }
      $event = ConvertFrom-Json -InputObject $line.Result
      if ($event.e -eq 'fault') { Stop-LabProcess $event.v.Substring(1) }
      if ($event.e -eq 'end') { $ended = $true; break }
      if ($event.e -eq 'thrown') { $ended = $true }
      & $take $event
      if ($ended) { break }
    }
  } finally {
    if (-not $ended) {  # stopped, or the caller wants no more: the next request gets a connection of its own
      $script:link = $null
      $link.client.Dispose()
    }
  }
}

# The body of every function that stands for a command of the lab.
function Invoke-Lab($cmdlet, $name, $bound, $token) {
  $given = @(foreach ($key in $bound.Keys) { if ($key -notin $common) { , @($key, (ConvertTo-LabWire $bound[$key])) } })
  if (-not $token) { $token = $env:S2S_LAB_TOKEN }
  Send-Lab @{ op = 'call'; name = $name; given = $given; set = $cmdlet.ParameterSetName } $token {
    param($event)
    switch ($event.e) {
      'out' { $value = ConvertFrom-LabWire $event.v; $cmdlet.WriteObject($value, $false) }
      'warning' { $cmdlet.WriteWarning($event.v.Substring(1)) }
      'verbose' { $cmdlet.WriteVerbose($event.v.Substring(1)) }
      'debug' { $cmdlet.WriteDebug($event.v.Substring(1)) }
      'host' { Microsoft.PowerShell.Utility\Write-Host $event.v.Substring(1) }
      'error' { $cmdlet.WriteError((New-LabRecord $event)) }
      'thrown' { $cmdlet.ThrowTerminatingError((New-LabRecord $event)) }
    }
  }
}

# A native program of the simulated server: its lines, its complaints as records, its exit code.
function Invoke-LabProgram($name, $words) {
  Send-Lab @{ op = 'program'; name = "=$name"; argv = @(foreach ($word in $words) { "=$word" }) } $env:S2S_LAB_TOKEN {
    param($event)
    switch ($event.e) {
      'out' { $event.v.Substring(1) }
      'error' { Microsoft.PowerShell.Utility\Write-Error -ErrorRecord (New-LabRecord $event) }
      'code' { $global:LASTEXITCODE = $event.v }
    }
  }
}

function Get-LabAnswer($ask) {
  $script:answer = $null
  Send-Lab $ask $env:S2S_LAB_TOKEN { param($event) $script:answer = $event }
  return $script:answer
}

Export-ModuleMember -Function Invoke-Lab, Invoke-LabProgram, Get-LabAnswer, New-LabRecord
