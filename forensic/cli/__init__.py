"""The commands: options in, a plan to the core, its exit code out."""
