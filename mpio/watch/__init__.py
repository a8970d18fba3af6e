"""Following a host: every source is a hint, what is reported is the difference between two looks."""
