"""The command line: arguments only; everything else is imported when a command runs."""
