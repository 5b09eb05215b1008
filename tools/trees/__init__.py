"""Trees against the libraries that trained them: the exactness table."""
