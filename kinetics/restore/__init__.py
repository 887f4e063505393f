"""Grainy, interlaced, blocky or soft footage brought nearer to what the camera saw."""
