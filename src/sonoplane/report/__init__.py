"""TELL: findings become files that people and programs read."""
