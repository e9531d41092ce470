"""Plans: the document a consultant writes, read and typed."""
