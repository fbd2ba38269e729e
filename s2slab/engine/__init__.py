"""What a powershell.exe is in the lab: the commands a machine has, and two engines that run them.

registry   what there is: cmdlets, programs, scripts, modules, endpoints
direct     answers s2slib's constant script by itself; the default, Python alone
real       a PowerShell process, its cmdlets functions that ask the lab
"""
