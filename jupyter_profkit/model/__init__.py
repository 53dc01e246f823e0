"""What was measured, as plain data: frozen dataclasses on the standard library.

Engines make these, views read them, `Result` gives them their conveniences.
"""
