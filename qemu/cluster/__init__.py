"""A cluster of VMs on one machine: a switch that they share, the nodes, and what a person and a test do with them."""
