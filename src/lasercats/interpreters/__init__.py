"""The interpreters: what is done with the programs of commands. Each is small; anyone can add one."""
