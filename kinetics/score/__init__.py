"""Generated frames scored: the pose that was asked for, the style, steadiness, and looks."""
