"""The documentation site: generated pages, links to files, and checks of the result."""
