"""Reading: from bytes to entries (header, Spell, sessions)."""
