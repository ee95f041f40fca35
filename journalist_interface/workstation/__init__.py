"""What the desks of an offline workstation share: who may come in, what every page carries, where a list begins."""
