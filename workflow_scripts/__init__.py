"""One thin program per rule, of the rule's name: arguments in, library called, files written."""
