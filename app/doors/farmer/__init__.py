"""The farmer's phone: pictures instead of forms, one step in four taps, and the way in for logs kept offline."""
