"""What a user can do, one module each, without a command line; and the composition root."""
