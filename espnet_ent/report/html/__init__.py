"""Pages to look at: one HTML file each, with everything in it, that asks no network for anything."""
