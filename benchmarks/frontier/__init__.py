"""The cost of accuracy: each network's test accuracy beside the images that it answers a second."""
