"""The demo province: real communes, invented people, and a season of plausible work that says of itself that it is a sample."""

from app.doors.demo.loader import Samples, doors, load, samples

__all__ = ["Samples", "doors", "load", "samples"]
