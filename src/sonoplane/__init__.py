"""sonoplane finds and names the standard planes in ultrasound video."""

__version__ = "0.1.0"
