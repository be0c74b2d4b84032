"""What the peers written in Python have in common, and a file for each library."""
