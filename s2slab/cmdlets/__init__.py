"""The Lync, Exchange and Windows commands of the estate, as specifications for the PowerShell evaluator."""
