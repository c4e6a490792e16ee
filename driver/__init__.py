"""The driver behind ./thole: set-up, caches, the build and the commands."""
