"""Pictures of mixed batches (matplotlib, extra `plot`; imported only when a picture is made)."""
