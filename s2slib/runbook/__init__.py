"""The procedure: facts, findings, changes and plans; the phases; the one writer; the verification."""
