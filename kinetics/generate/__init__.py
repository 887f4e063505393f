"""What a generator is given: pose hints on a canvas, planned in space and time, and the chunks in which frames are made."""
