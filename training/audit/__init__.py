"""A folder of labeled images looked through for what spoils a training or its evaluation."""
