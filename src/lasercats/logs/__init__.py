"""The log stores."""
