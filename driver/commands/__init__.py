"""The verbs of ./thole, one module a verb: HELP, add_arguments(parser), main(arguments) -> exit status."""
