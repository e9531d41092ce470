"""The simulator: one world for rehearsals and tests."""
