"""Style: a dataset of one batter's pictures, chosen by the motion."""
