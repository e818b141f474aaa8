"""Widgets of the console. They paint lines of spans (``lazarus_tui.view.text``) and hold no logic of their own."""
