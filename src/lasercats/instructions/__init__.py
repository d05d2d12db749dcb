"""Vocabularies of instructions: what machinery can be told, as data."""
