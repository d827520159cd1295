"""What somebody with a pack in the hand sees, and the labels that bring them here."""
