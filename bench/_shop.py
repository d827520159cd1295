"""A shop that answers everything after 300 ms, as cheaply as it can: `python -m bench._shop PORT PRICE STOCK`.

REST v3 of WooCommerce as far as looks and pushes ask for it. Whatever id is asked for is there, on sale, unchanged.
"""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

SECONDS = 0.3


class Shop:
    def __init__(self, port: int, price: str, stock: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.price, self.stock = price, stock

    def item(self, remote_id: str) -> dict[str, object]:
        return {
            "id": int(remote_id), "name": f"Gói {remote_id}", "permalink": f"{self.base}/p/{remote_id}/", "status": "publish",
            "catalog_visibility": "visible", "sku": f"B-{remote_id}", "price": self.price, "regular_price": self.price,
            "purchasable": True, "manage_stock": True, "stock_quantity": self.stock, "stock_status": "instock", "images": [],
            "meta_data": [],
        }  # fmt: skip

    def answer(self, method: str, target: str) -> object:
        parts = urlsplit(target)
        if parts.path.startswith("/p/"):
            return None
        last = parts.path.rsplit("/", 1)[-1]
        if parts.path.endswith("/products") and method == "GET":
            wanted = parse_qs(parts.query).get("include", [""])[0]
            return [self.item(one) for one in wanted.split(",") if one]
        if last == "woocommerce_currency":
            return {"id": last, "value": "VND"}
        return self.item(last) if last.isdigit() else {"id": 1}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                method, target, _ = first.split(" ")
                length = next((int(x.split(":")[1]) for x in lines if x.lower().startswith("content-length:")), 0)
                if length:
                    await reader.readexactly(length)
                await asyncio.sleep(SECONDS)
                value = self.answer(method, target)
                body = b"" if value is None else json.dumps(value).encode()
                kind = b"text/html" if value is None else b"application/json"
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main(port: int, price: str, stock: int) -> None:
    server = await asyncio.start_server(Shop(port, price, stock).serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
