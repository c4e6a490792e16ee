"""The peers: how each is put into a tree, started, stopped."""
