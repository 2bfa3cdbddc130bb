"""OPEN: whatever holds ultrasound becomes a lazy recording."""
