"""Commands, one a file; each is a thin wrapper of a library function."""
