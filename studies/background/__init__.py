"""Whether a network that reads a word beside the ultrasound is caught, and one that reads the tissue left in peace."""
