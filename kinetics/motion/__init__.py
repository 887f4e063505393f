"""How it moved: sequences aligned, derivatives with their noise, the swing of the bat."""
