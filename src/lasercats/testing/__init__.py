"""What a plugin is tested with: the conformance kit of the laws, contracts of the ports, an SSH lab."""
