"""Images, masks and the frozen test pairs."""
