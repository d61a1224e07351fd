"""All losses under one protocol: tuned alike, trained with several seeds, compared with tests."""
