"""The command line: one file a command. This room alone imports `reports`.

A command is a module with a docstring, whose first line is its help, and two functions:
`add_options(parser)` and `execute(args)`, which returns the exit code. `bench.cli.parser.COMMANDS`
lists the modules. Heavy imports happen inside `execute`, so that `--help` answers at once.
"""
