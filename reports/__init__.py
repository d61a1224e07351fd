"""Reports in prose: Markdown tables, the sentences that pages share, docs/paper.md."""
