"""Python sources: finding and editing calls, arguments and imports with libcst. Imported inside functions only."""
