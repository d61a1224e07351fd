"""The steps behind the command line: each takes the parsed options and does the work."""
