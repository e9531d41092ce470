"""The command line: parse, call, show. One file per command, one error boundary, one composition root."""
