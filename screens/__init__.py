"""One file per screen: composes widgets, handles actions, holds no logic."""
