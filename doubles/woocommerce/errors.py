"""The one error of the simulated shop."""


class ShopError(Exception):
    """An error body as WooCommerce writes it."""

    def __init__(self, status: int, code: str, message: str, **data: object) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.body: dict[str, object] = {"code": code, "message": message, "data": {"status": status, **data}}
