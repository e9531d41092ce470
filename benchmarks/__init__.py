"""Measurements of what design promises about speed, as ratios in one run; see `README.md`."""
