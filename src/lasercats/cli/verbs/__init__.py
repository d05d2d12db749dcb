"""The verbs of the command line, a file each, or for a few sisters; one is imported when it is run."""
