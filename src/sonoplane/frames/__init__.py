"""CLEAN: a recording becomes frames of its ultrasound region, all else blanked."""
