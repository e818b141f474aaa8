"""Sources of the programs that the catalogue's images run: standard library only, started as ``python -I``."""
