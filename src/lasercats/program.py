"""Which program this is."""

__version__ = "0.1.0"
PROGRAM = f"lasercats {__version__}"
"""What logs record as the program that wrote."""
