"""The pure core: values and functions without I/O, on which every other room stands."""
