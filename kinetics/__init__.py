"""The science of Correlated Kinetics. Imports no ComfyUI; usable from Python and from the command line."""

__version__ = "0.1.0"
