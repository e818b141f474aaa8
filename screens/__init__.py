"""Screens: one file each. They compose widgets and turn actions into calls; what is shown is made in ``view``."""
