"""`./thole bench init`: figures of thole's PID 1 beside those of the peers that Debian packages."""
