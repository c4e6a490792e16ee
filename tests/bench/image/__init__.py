"""Images: how large, how fast to boot and to build, how much memory an idle node needs."""
