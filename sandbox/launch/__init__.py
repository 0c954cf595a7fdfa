"""What starts, wraps and stops the sandbox; the standard library only."""
