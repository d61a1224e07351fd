"""Reports with evidence: calibration, classification, figures."""
