"""Remote links: what is there, what should be, and the way between."""
