"""What is on disk of a training: run folders, first weights, states; which know no losses."""
