"""One planning step of a search as a page of HTML, a figure, or text for Graphviz."""
