"""From labelled images to published embedders: data, loss, trainer, evaluation, export."""
