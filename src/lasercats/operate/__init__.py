"""What an operator does, a file a verb. The command line and any other face call these, and nothing below."""
