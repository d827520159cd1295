"""People, organisations, roles, sign-in, cards and consent."""
