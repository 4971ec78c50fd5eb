"""Python's side of sound, pure: the engine's commands, events and wire format; tones and frame arithmetic."""
