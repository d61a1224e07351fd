"""The files of a training: run folders, first weights, states. Knows no losses."""
