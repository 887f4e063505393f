"""Clips enlarged to a file, frame by frame and tile by tile."""
