# The lab's stand-in for the file that opens an Exchange Management Shell. Dot-source it, then call Connect-ExchangeServer:
# a second remote session is opened to an Exchange server, and its commands are imported. Over a network logon whose
# credential did not come along, that second session cannot be opened.

function Connect-ExchangeServer {
    [CmdletBinding()]
    param(
        [string] $ServerFqdn,

        [switch] $Auto,

        [string] $ClientApplication,

        [System.Management.Automation.PSCredential] $Credential
    )

    if (-not $ServerFqdn) {
        if (-not $Auto) {
            Write-Host 'Specify -Auto, or a server with -ServerFqdn.'
            return
        }
        $ServerFqdn = $env:COMPUTERNAME + '.' + $env:USERDNSDOMAIN
    }
    $address = 'http://' + $ServerFqdn.ToLower() + '/PowerShell/'
    $settings = @{
        ConfigurationName = 'Microsoft.Exchange'
        ConnectionUri = $address
        Authentication = 'Kerberos'
    }
    if ($null -ne $Credential) {
        $settings['Credential'] = $Credential
    }
    Write-Host "Connecting to $ServerFqdn."
    $session = New-PSSession @settings
    if ($null -eq $session) {
        Write-Host "Failed to connect to $ServerFqdn."
        return
    }
    $null = Import-PSSession -Session $session -AllowClobber -DisableNameChecking
    Write-Host "Connected to $ServerFqdn."
}
