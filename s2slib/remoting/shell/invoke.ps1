# The one constant script of s2slib. It runs on a server, reads requests from standard input and answers on standard output.
#
# It runs commands as objects: a name and typed values go into [powershell]::Create(), never into script text. A request is one
# line of base64 (JSON); a line that starts with ! is a secret, read with .NET calls only and never a logged parameter. Each answer
# is one line: < nonce, length, hash, payload >. The payload is JSON whose texts are base64 of UTF-8, written here because
# ConvertTo-Json of Windows PowerShell 5.1 counts arrays, renders dates its own way and numbers enumerations. Whatever else reaches
# standard output is not an answer.
#
# ops: open (a local runspace), run (a cmdlet, program or script in a named runspace; keep: the session it made), ping, again
# (the last answer once more, and the highest id seen before: what has a lower id and comes later is not run).
param($in, $nonce)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$utf8 = New-Object Text.UTF8Encoding $false
$invariant = [Globalization.CultureInfo]::InvariantCulture
$english = [Globalization.CultureInfo]::GetCultureInfo('en-US')
# New runspaces take the culture of the thread that creates them, and their inner sessions take theirs.
[Threading.Thread]::CurrentThread.CurrentCulture = $english
[Threading.Thread]::CurrentThread.CurrentUICulture = $english
try { [Console]::OutputEncoding = $utf8 } catch { $Error.Clear() }
try { $sha = [Security.Cryptography.SHA256]::Create() } catch { $sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider }
$out = New-Object IO.StreamWriter ([Console]::OpenStandardOutput()), $utf8
$runspaces = @{}
$sessions = @{}
$secrets = @{}
$last = @{ text = ''; id = 0 }

function Send($payload) {
  $bytes = $utf8.GetBytes($payload)
  $hash = [BitConverter]::ToString($sha.ComputeHash($bytes), 0, 8)
  $out.WriteLine(('<{0} {1} {2} {3}>' -f $nonce, $bytes.Length, $hash, $payload))
  $out.Flush()
}

function Text($value) {
  return '"' + [Convert]::ToBase64String($utf8.GetBytes("$value")) + '"'
}

# A text within what is left of the answer's room.
function Fitted($value, $room) {
  $whole = "$value"
  $space = [Math]::Max(0, $room.left)
  if ($whole.Length -gt $space) {
    $room.cut = $true
    $whole = $whole.Substring(0, $space)
  }
  $room.left = $room.left - $whole.Length
  return (Text $whole)
}

# Any value as JSON, always one text: null, true, false, numbers, "text", [list], or an object with one key that says its kind.
function Json($value, $depth, $room) {
  if ($null -eq $value) { return 'null' }
  $base = $value
  if ($value -is [psobject] -and $null -ne $value.PSObject.BaseObject) { $base = $value.PSObject.BaseObject }
  if ($base -is [string]) { return (Fitted $base $room) }
  if ($base -is [bool]) { if ($base) { return 'true' } else { return 'false' } }
  if ($base -is [switch]) { if ($base.IsPresent) { return 'true' } else { return 'false' } }
  if ($base -is [enum]) { return (Fitted $base $room) }
  if ($base.GetType().IsPrimitive -and $value.PSObject.TypeNames[0] -like 'Deserialized.*') {
    # an enumeration from another process: a number that carries its name
    $name = $value.Value
    if ($null -eq $name) { $name = "$value" }
    return (Fitted $name $room)
  }
  if ($base -is [int] -or $base -is [long] -or $base -is [byte] -or $base -is [int16] -or $base -is [uint16] -or $base -is [uint32] -or $base -is [uint64] -or $base -is [sbyte]) { return "$base" }
  if ($base -is [datetime]) { $stamp = $base.ToUniversalTime().ToString('o', $invariant); return '{"date":' + (Text $stamp) + '}' }
  if ($base -is [byte[]]) {
    if ($base.Length -gt $room.left) { $room.cut = $true; return 'null' }
    $room.left = $room.left - $base.Length
    return '{"bytes":"' + [Convert]::ToBase64String($base) + '"}'
  }
  if ($base -is [securestring] -or $base -is [pscredential]) { return '{"secret":true}' }
  if ($base -is [double] -or $base -is [single] -or $base -is [decimal]) { $number = [Convert]::ToString($base, $invariant); return '{"number":' + (Text $number) + '}' }
  if ($base -is [guid] -or $base -is [uri] -or $base -is [version] -or $base -is [timespan] -or $depth -le 0 -or $room.left -le 0) { return (Fitted $value $room) }
  if ($base -is [Collections.IDictionary]) {
    $pairs = @(foreach ($key in $base.Keys) { $member = Json $base[$key] ($depth - 1) $room; '[' + (Text $key) + ',' + $member + ']' })
    return '{"map":[' + ($pairs -join ',') + ']}'
  }
  if ($base -is [Collections.IEnumerable]) {
    $items = @(foreach ($item in $base) { if ($room.left -gt 0) { Json $item ($depth - 1) $room } else { $room.cut = $true } })
    return '[' + ($items -join ',') + ']'
  }
  if ($base -is [management.automation.pscustomobject]) { return (Row $value $null ($depth - 1) $room) }
  return (Fitted $value $room)
}

# An object by its properties, all or the wanted ones. One that is missing stays missing; one that cannot be read says so.
function Row($value, $wanted, $depth, $room) {
  $members = @(foreach ($property in $value.PSObject.Properties) {
    if ($null -eq $wanted) { $take = $property.MemberType -like '*Property' } else { $take = $wanted -contains $property.Name }
    if ($take) {
      $failure = $null
      $member = $null
      try { $member = $property.Value } catch { $failure = "$($_.Exception.Message)" }
      if ($null -ne $failure) { $json = '{"unread":' + (Fitted $failure $room) + '}' } else { $json = Json $member $depth $room }
      $room.left = $room.left - 16
      '[' + (Text $property.Name) + ',' + $json + ']'
    }
  })
  return '{"object":[' + (Text $value.PSObject.TypeNames[0]) + ',[' + ($members -join ',') + ']]}'
}

function Fault($record, $exception, $thrown, $room) {
  $message = Fitted $record.Exception.Message $room
  $type = $exception.GetType().FullName
  if ($thrown) { $mark = 'true' } else { $mark = 'false' }
  $category = $record.CategoryInfo
  return '{"message":' + $message + ',"id":' + (Text $record.FullyQualifiedErrorId) + ',"category":' + (Text $category.Category) + ',"reason":' + (Text $category.Reason) + ',"exception":' + (Text $type) + ',"thrown":' + $mark + '}'
}

# What ended a command: the innermost exception that has an error record of its own.
function Thrown($record, $room) {
  $owner = $record.Exception
  $found = $record
  $inner = $owner
  while ($inner.InnerException) {
    $inner = $inner.InnerException
    if ($inner.ErrorRecord) { $found = $inner.ErrorRecord; $owner = $inner }
  }
  return (Fault $found $owner $true $room)
}

function Lines($records, $room) {
  $lines = @(foreach ($record in $records) { if ($room.left -gt 0) { Fitted $record $room } else { $room.cut = $true } })
  return '[' + ($lines -join ',') + ']'
}

# A value of a request as the type it names.
function Value($given) {
  if ($given.k -eq 'text') { return $utf8.GetString([Convert]::FromBase64String($given.v)) }
  if ($given.k -eq 'plain') { return $given.v }
  if ($given.k -eq 'date') { return [datetime]$utf8.GetString([Convert]::FromBase64String($given.v)) }
  if ($given.k -eq 'bytes') { $raw = [Convert]::FromBase64String($given.v); return , $raw }
  if ($given.k -eq 'list') { $list = @(foreach ($item in $given.v) { , (Value $item) }); return , $list }
  if ($given.k -eq 'secret' -and $secrets.ContainsKey($given.v)) { return $secrets[$given.v] }
  if ($given.k -eq 'credential' -and $secrets.ContainsKey($given.v)) {
    $user = $utf8.GetString([Convert]::FromBase64String($given.user))
    return (New-Object Management.Automation.PSCredential $user, $secrets[$given.v])
  }
  if ($given.k -eq 'session' -and $sessions.ContainsKey($given.v)) { return $sessions[$given.v] }
  throw "a value of kind '$($given.k)' that is not known here"
}

function Secret($line) {
  $parts = $line.Substring(1).Split(' ')
  $secure = New-Object Security.SecureString
  foreach ($character in $utf8.GetChars([Convert]::FromBase64String($parts[1]))) { $secure.AppendChar($character) }
  $secrets[$parts[0]] = $secure
}

# Waits for a started command; says every second that it is alive; stops it at its deadline or when it puts out too much.
function Wait($ps, $wait, $results, $q) {
  $clock = [Diagnostics.Stopwatch]::StartNew()
  $report = 1
  $seen = 0
  $size = 0
  while (-not $wait.AsyncWaitHandle.WaitOne(100)) {
    while ($seen -lt $results.Count -and $seen -le $q.limit) {
      $item = $results[$seen]
      if ($item -is [string]) { $size = $size + $item.Length }
      $seen = $seen + 1
    }
    if ($clock.Elapsed.TotalSeconds -ge $q.deadline_s) { $ps.Stop(); return 'TimedOut' }
    if ($seen -gt $q.limit -or $size -gt $q.room) { $ps.Stop(); return 'Cut' }
    if ($clock.Elapsed.TotalSeconds -ge $report) {
      Send ('{"id":' + $q.id + ',"alive_s":' + $report + '}')
      $report = $report + 1
    }
  }
  return ''
}

function Refused($id, $record) {
  $room = @{ left = 4000; cut = $false }
  $fault = Fault $record $record.Exception $true $room
  $last.text = '{"id":' + $id + ',"state":"refused","errors":[' + $fault + ']}'
  Send $last.text
}

function Run($q) {
  $name = "$($q.runspace)"
  $command = $utf8.GetString([Convert]::FromBase64String("$($q.command)"))
  # A missing runspace would not fail: the command would run in a new local one.
  if ($command -eq '' -or -not $runspaces.ContainsKey($name)) { throw "no such runspace: '$name'" }
  if ($sessions.ContainsKey($name) -and "$($sessions[$name].State)" -ne 'Opened') {
    $last.text = '{"id":' + $q.id + ',"state":"gone"}'
    Send $last.text
    return
  }
  $runspace = $runspaces[$name]
  $ps = [powershell]::Create()
  $ps.Runspace = $runspace
  [void]$ps.AddCommand($command)
  $parameters = @{}
  foreach ($given in $q.parameters) { $parameters[$given.n] = Value $given }
  if ($parameters.Count) { [void]$ps.AddParameters($parameters) }
  foreach ($given in $q.arguments) { $argument = Value $given; [void]$ps.AddArgument($argument) }
  if ($q.exit) { $runspace.SessionStateProxy.SetVariable('LASTEXITCODE', $null) }
  $results = New-Object 'Management.Automation.PSDataCollection[psobject]'
  $nothing = New-Object 'Management.Automation.PSDataCollection[psobject]'
  $nothing.Complete()
  $state = ''
  $errors = @()
  $streams = @{ left = $q.room; cut = $false }
  $clock = [Diagnostics.Stopwatch]::StartNew()
  try {
    $wait = $ps.BeginInvoke($nothing, $results)
    $state = Wait $ps $wait $results $q
    if ($state -eq '') { [void]$ps.EndInvoke($wait) }
  } catch {
    $errors += Thrown $_ $streams
  }
  if ($state -eq '') { $state = "$($ps.InvocationStateInfo.State)" }
  $milliseconds = [int]$clock.Elapsed.TotalMilliseconds
  foreach ($record in $ps.Streams.Error) {
    if ($errors.Count -lt 200) { $errors += Fault $record $record.Exception $false $streams } else { $streams.cut = $true }
  }
  $warnings = Lines $ps.Streams.Warning $streams
  $verbose = Lines $ps.Streams.Verbose $streams
  $information = Lines $ps.Streams.Information $streams
  $exit = 'null'
  if ($q.exit) {
    $code = $runspace.SessionStateProxy.GetVariable('LASTEXITCODE')
    if ($null -ne $code) { $exit = "$code" }
  }
  $room = @{ left = $q.room; cut = $false }
  $rows = @()
  if ($q.keep) {
    if ($results.Count -eq 1 -and "$($results[0].State)" -eq 'Opened') {
      $sessions[$q.keep] = $results[0]
      $runspaces[$q.keep] = $results[0].Runspace
      $rows += 'true'
    }
  } else {
    $rows = @(for ($i = 0; $i -lt $results.Count; $i++) {
      if ($i -ge $q.limit -or $room.left -le 0) { $room.cut = $true; break }
      $item = $results[$i]
      if ($null -ne $q.properties -and $null -ne $item) { Row $item $q.properties $q.depth $room } else { Json $item $q.depth $room }
    })
  }
  $ps.Dispose()
  # A session that broke while its command ran: whether the far side went on is not known here.
  $broken = @(foreach ($key in $sessions.Keys) { if ("$($sessions[$key].State)" -ne 'Opened') { Text $key } })
  if ($state -eq 'Cut' -or $room.cut -or $streams.cut) { $truncated = 'true' } else { $truncated = 'false' }
  $last.text = '{"id":' + $q.id + ',"state":"' + $state.ToLowerInvariant() + '","output":[' + ($rows -join ',') + '],"errors":[' + ($errors -join ',') + '],"warnings":' + $warnings + ',"verbose":' + $verbose + ',"information":' + $information + ',"exit":' + $exit + ',"ms":' + $milliseconds + ',"broken":[' + ($broken -join ',') + '],"truncated":' + $truncated + '}'
  Send $last.text
}

Send ('{"id":0,"state":"ready","version":' + (Text $PSVersionTable.PSVersion) + ',"language":' + (Text $ExecutionContext.SessionState.LanguageMode) + ',"culture":' + (Text ([Threading.Thread]::CurrentThread.CurrentCulture.Name)) + ',"pid":' + $PID + '}')

while ($null -ne ($line = $in.ReadLine())) {
  $q = $null
  $id = -1
  try {
    if ($line -eq '') { continue }
    if ($line.StartsWith('!')) { Secret $line; continue }
    $q = ConvertFrom-Json -InputObject $utf8.GetString([Convert]::FromBase64String($line))
    $id = [int]$q.id
    $seen = $last.id
    if ($id -gt $seen) { $last.id = $id }
    if ($id -gt 0 -and $id -le $seen) {
      # Sent twice, or overtaken by a question about it: nothing runs twice, and nothing runs after it was said not to have come.
    } elseif ($q.op -eq 'run') {
      Run $q
    } elseif ($q.op -eq 'open') {
      $runspace = [runspacefactory]::CreateRunspace()
      $runspace.Open()
      $runspaces[$q.runspace] = $runspace
      Send ('{"id":' + $id + ',"state":"completed"}')
    } elseif ($q.op -eq 'again') {
      if ($last.text -ne '') { Send $last.text }
      Send ('{"id":' + $id + ',"state":"completed","seen":' + $seen + '}')
    } elseif ($q.op -eq 'ping') {
      Send ('{"id":' + $id + ',"state":"completed"}')
    } else {
      throw "no such operation: '$($q.op)'"
    }
  } catch {
    Refused $id $_
  }
  $secrets.Clear()
}
