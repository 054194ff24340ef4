"""Writers of what was recognised."""
