"""Settings, declared once: the documentation, the environment names and the help text come from here."""
