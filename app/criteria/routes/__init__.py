"""Recording what is true of a village, and writing down what the province chose: one module for each noun."""

from app.criteria.routes import choices, village_facts
from app.criteria.routes.base import blueprint
