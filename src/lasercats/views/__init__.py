"""Views: SQL over the state, its history and the log; read only."""
