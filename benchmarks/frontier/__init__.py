"""What accuracy costs: each network's test accuracy beside the images that it answers a second."""
