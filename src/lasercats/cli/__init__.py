"""The command line: one face of `lasercats.operate`."""
