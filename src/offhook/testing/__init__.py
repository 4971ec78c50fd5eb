"""The test kit: a server on the pure rooms, scripted parties and virtual time."""
