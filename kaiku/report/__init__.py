"""The page that tells what a run was made of, what came out, and what is not known."""
