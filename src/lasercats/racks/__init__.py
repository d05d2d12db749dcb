"""What operators do with racks beyond their commands; it comes in by the doors that plugins have."""
