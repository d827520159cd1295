"""Photos and files: sniffed, decoded under limits, re-encoded without their metadata, stored under their own hash."""

from app.media.blobs import (
    MAX_BYTES,
    SHA256,
    MediaBlob,
    delete_forgotten,
    forget_list,
    open_blob,
    remember_sender,
    store_file,
    store_pdf,
    store_photo,
)
from app.media.pictures import THUMB_BYTES
from app.media.store import MediaStore, store_for
from app.media.uploads import (
    Upload,
    append_upload,
    attachable,
    begin_upload,
    finish_upload,
    forget_old_uploads,
    upload_state,
    uploaded_by,
)

__all__ = [
    "MAX_BYTES",
    "SHA256",
    "THUMB_BYTES",
    "MediaBlob",
    "MediaStore",
    "Upload",
    "append_upload",
    "attachable",
    "begin_upload",
    "delete_forgotten",
    "finish_upload",
    "forget_list",
    "forget_old_uploads",
    "open_blob",
    "remember_sender",
    "store_file",
    "store_for",
    "store_pdf",
    "store_photo",
    "upload_state",
    "uploaded_by",
]
