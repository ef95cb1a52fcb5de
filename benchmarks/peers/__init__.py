"""Peers: other engines that do the same work, each in a virtual environment of its own."""
