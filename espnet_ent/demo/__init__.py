"""A local page that transcribes what one records or drops."""
