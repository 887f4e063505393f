"""Plots and drawn videos for a person to judge by; drawn without a display and without matplotlib's global state."""
