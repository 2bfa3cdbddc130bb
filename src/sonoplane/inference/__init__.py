"""ANSWER: frames become a timeline, a timeline becomes findings."""
