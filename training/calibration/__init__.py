"""From scores to confidence that comes true, and the module that is served."""
