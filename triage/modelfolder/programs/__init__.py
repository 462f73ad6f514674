"""Small programs that need torch and its like: run as files, in the interpreter that the build uses."""
