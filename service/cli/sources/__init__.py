"""Where a command's items come from."""
