"""An experiment as one page of HTML: its data, by the functions of the figures, and its looks."""
