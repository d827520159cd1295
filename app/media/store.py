"""The store of bytes: a folder or an S3-compatible bucket."""

import os
import threading
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from app.addresses import split_address
from app.errors import SetupError, Unavailable
from app.media.decoding import Decoders, at_once
from app.messages import N_
from app.settings import Settings


class MediaStore:
    """A folder or an S3-compatible bucket. Make it after fork. Writes are whole or not at all."""

    def __init__(self, settings: Settings) -> None:
        self._root: Path | None = None
        self.decoders = Decoders(
            places=max(2, settings.web_threads // 2),
            at_once=at_once(settings.web_workers, settings.memory()),
        )
        self._objects: LocalStore | S3Store
        if settings.media_url is None or "://" not in settings.media_url:
            self._root = Path(settings.media_url or settings.var / "media").resolve()
            self._objects = LocalStore(self._root, mkdir=True)
        else:
            self._objects = _s3(settings)

    def put(self, key: str, data: bytes) -> None:
        """Raises Unavailable when the store does not take it."""
        try:
            obstore.put(self._objects, key, data, use_multipart=False)
            if self._root is not None:
                _to_disk(self._root / key)
                _to_disk((self._root / key).parent)  # the name as well
        except (BaseError, OSError) as error:
            raise _away() from error

    def get(self, key: str) -> bytes | None:
        """None when there is no such object. Raises Unavailable when the store does not answer."""
        try:
            return bytes(obstore.get(self._objects, key).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _away() from error

    def delete(self, key: str) -> None:
        """Also when there is no such object."""
        try:
            obstore.delete(self._objects, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _away() from error

    def delete_under(self, prefix: str) -> int:
        """Returns how many objects went."""
        try:
            keys = [str(o["path"]) for page in obstore.list(self._objects, prefix) for o in page]
            if keys:
                obstore.delete(self._objects, keys)
        except FileNotFoundError:  # somebody else was faster
            return 0
        except (BaseError, OSError) as error:
            raise _away() from error
        return len(keys)


_making_store = threading.Lock()


def store_for(settings: Settings) -> MediaStore:
    """The store of this process for these settings: one, or photos would not wait for each other."""
    with _making_store:
        return _store(settings)


@lru_cache(maxsize=8)
def _store(settings: Settings) -> MediaStore:
    return MediaStore(settings)


def _s3(settings: Settings) -> S3Store:
    parts = split_address(settings.media_url or "")
    options = {k: v[-1] for k, v in parse_qs(parts.query).items()}
    if parts.scheme != "s3" or not parts.netloc or settings.media_key is None or settings.media_secret is None:
        raise SetupError(
            "media_url",
            N_(
                "HOI_MEDIA_URL phải là một thư mục, hoặc s3://thùng?endpoint=https://máy-chủ&region=vùng kèm "
                "HOI_MEDIA_KEY và HOI_MEDIA_SECRET. Hãy đặt lại ba giá trị này rồi chạy lại."
            ),
        )
    endpoint = options.get("endpoint", "")
    region = options.get("region", "us-east-1")
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        access_key_id=settings.media_key.get_secret_value(),
        secret_access_key=settings.media_secret.get_secret_value(),
        endpoint=endpoint or f"https://s3.{region}.amazonaws.com",
        region=region,
        virtual_hosted_style_request=options.get("style", "path") == "host",
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "timeout": timedelta(seconds=20),
            "connect_timeout": timedelta(seconds=5),
        },
        retry_config={
            "max_retries": 3,
            "retry_timeout": timedelta(seconds=15),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
        },
    )


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _away() -> Unavailable:
    return Unavailable(
        "media_away", N_("Kho ảnh không trả lời lúc này nên chưa ghi được. Hãy đợi một phút rồi gửi lại.")
    )
