"""Speaking text: engines behind one small interface, what they are given, and which of them speaks what."""
