"""Virtual machines: one node under QEMU, how to talk to it, and the checks that it must pass."""
