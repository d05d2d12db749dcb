"""LaserCats: configuration and infrastructure as an event-sourced log of commands."""

__version__ = "0.1.0"
