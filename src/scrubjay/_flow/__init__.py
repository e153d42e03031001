"""Decisions, as generators that say what they want done; sync and async drivers do it."""
