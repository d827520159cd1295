"""Pages of signing in, one's own account and data, cards, and the people of an organisation: one module for each noun."""

from app.accounts.routes import account, card_scans, cards, households, organisations, own_data, people, sign_in
from app.accounts.routes.base import blueprint
