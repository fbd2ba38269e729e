# The lab's stand-in for the script of the same name that ships with Exchange Server: same parameters, same order of
# steps, same lines on the host, same exit codes. It only uses commands of the Exchange Management Shell, and like its
# model it goes on after a step that failed without ending the script.

param(
    [Parameter(Mandatory = $true)]
    [string] $AuthMetadataUrl,

    [Parameter(Mandatory = $true)]
    [string] $ApplicationType,

    [string] $DomainController,

    [bool] $TrustAnySSLCertificate
)

$maximumRetries = 10
$pinned = @{}
if ($DomainController) {
    $pinned['DomainController'] = $DomainController
}

$roles = @()
$prefix = ''
$acceptsSids = $true
if ($ApplicationType -eq 'Lync') {
    $prefix = 'LyncEnterprise'
    $roles = @('UserApplication', 'ArchiveApplication', 'MeetingGraphApplication')
}
elseif ($ApplicationType -eq 'SharePoint') {
    $prefix = 'SharePointEnterprise'
    $roles = @('UserApplication', 'LegalHoldApplication', 'Mailbox Search', 'TeamMailboxLifecycleApplication', 'Legal Hold')
}
elseif ($ApplicationType -eq 'Generic') {
    $prefix = 'GenericEnterprise'
    $roles = @('UserApplication')
    $acceptsSids = $false
}
else {
    Write-Host "Invalid (ServiceName) specified. Possible values are 'Lync', 'SharePoint', or 'Generic'."
    exit 1
}

# 1. the account that the application acts as
$baseName = $prefix + '-ApplicationAccount'
$userName = $baseName
$found = $false
$usable = $false
for ($try = 1; $try -le $maximumRetries; $try++) {
    $user = Get-User -Identity $userName -ErrorAction SilentlyContinue @pinned
    if ($null -eq $user) {
        $usable = $true
        break
    }
    $type = [string] $user.RecipientType
    if (($type -eq 'MailUser') -or ($type -eq 'User')) {
        Write-Host "User <$userName> already exists. Using this user for the Partner Application."
        $found = $true
        $usable = $true
        break
    }
    $next = $baseName + '-' + [string] $try
    Write-Host "Cannot use existing User <$userName> with RecipientType <$type>. Retry with <$next>"
    $userName = $next
}
if (-not $usable) {
    Write-Host 'Can not create a user for this Partner Application. Max retry reached.'
    exit 1
}
if (-not $found) {
    $domains = @(Get-AcceptedDomain @pinned)
    if ($domains.Count -eq 0) {
        Write-Host 'There is no accepted domain so user can not be created.'
    }
    else {
        $domainName = [string] $domains[0].Name
        $address = $userName + '@' + $domainName
        Write-Host "Creating User <$userName> for Partner Application."
        $created = New-MailUser -Name $userName -DisplayName $userName -ExternalEmailAddress $address @pinned
        Set-MailUser -Identity $userName -HiddenFromAddressListsEnabled $true @pinned
        if ($null -ne $created) {
            Write-Host "Created User <$userName>..."
        }
    }
}

# 2. what it may do
foreach ($role in $roles) {
    $held = @(Get-ManagementRoleAssignment -Role $role -RoleAssignee $userName -ErrorAction SilentlyContinue @pinned)
    if ($held.Count -gt 0) {
        Write-Host "Skipping role assignment: Role <$role> already assigned to Application User <$userName>."
    }
    else {
        Write-Host "Assigning role <$role> to Application User <$userName>."
        $null = New-ManagementRoleAssignment -Role $role -User $userName @pinned
    }
}

# 3. the application itself
$applicationName = $prefix + '-' + [guid]::NewGuid().ToString('N')
$settings = @{
    Name = $applicationName
    AuthMetadataUrl = $AuthMetadataUrl
    AcceptSecurityIdentifierInformation = $acceptsSids
    Enabled = $true
    LinkedAccount = $userName
}
if ($TrustAnySSLCertificate) {
    $settings['TrustAnySSLCertificate'] = $true
}
Write-Host "Creating Partner Application <$applicationName> using metadata <$AuthMetadataUrl> with linked account <$userName>."
$application = New-PartnerApplication @settings @pinned
if ($null -eq $application) {
    exit 1
}
Write-Host "Created Partner Application <$applicationName>."
Write-Host 'THE CONFIGURATION HAS SUCCEEDED.'
