"""The buyer's door: the page behind a code, and the labels that bring people there."""
