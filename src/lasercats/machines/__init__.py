"""The endpoints: the only room that talks to machinery. One file an endpoint."""
