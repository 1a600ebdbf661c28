"""Pictures of mixed batches. They need matplotlib (extra `plot`), which is imported only when a picture is drawn."""
