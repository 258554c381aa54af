"""What a person types, and what is printed for them: commands, the stepper, the REPL.

The only part of the package that imports `viz`.  Nothing imports it but its own modules.
"""
