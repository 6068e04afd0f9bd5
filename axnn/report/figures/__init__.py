"""The page's figures, one question a module; each function returns a `Picture`."""
