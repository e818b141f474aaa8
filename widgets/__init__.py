"""What screens are made of; each widget is usable alone."""
