"""The page's figures, one question for each module; most functions return a `Picture`."""
