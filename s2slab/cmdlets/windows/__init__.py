"""Programs and cmdlets of Windows itself."""
