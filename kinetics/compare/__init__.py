"""Shots compared: time warping, the kinetic chain, distances between shots."""
