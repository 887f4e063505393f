"""What viewers show of clips: small copies that browsers play, and skeleton, bat and measurement beside them as plain data."""
