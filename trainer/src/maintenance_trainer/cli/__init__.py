"""The command line: a Job's entry point and a command for a person."""
