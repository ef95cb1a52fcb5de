"""The command line: arguments in, engine calls, tables or JSON out.

Rules of this layer: it uses what users use (engine, handles, the read-only reader) and decides nothing about runs.
What people read is escaped, whatever a payload holds; what programs read is JSON. `click` and `rich` are imported
here and in `aion.demo`, and nowhere else; a command's file is imported when that command is called.

Read in this order: `main` (the commands, and where errors end), `failures` (errors to sentences and exit codes),
`options` (what several commands take), `output` (tables, JSON, escaping), then the commands: `run` with `target` and
`progress`, `look`, `replay`.
"""
