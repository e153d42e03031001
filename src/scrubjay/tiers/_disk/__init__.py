"""The parts of the disk tier; `scrubjay.tiers.disk` puts them together."""
