"""The command line and what it prints: parse, call, render."""
