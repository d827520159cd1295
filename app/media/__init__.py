"""Photos and files: sniffed, decoded under limits, re-encoded without their metadata, stored under their own hash."""

from app.media.blobs import (
    MAX_BYTES,
    MAX_PHOTO_BYTES,
    SHA256,
    MediaBlob,
    delete_forgotten,
    find_blob,
    forget_list,
    keep,
    open_blob,
    read_blob,
    read_photo,
    read_photo_or_pdf,
    remember_sender,
    store_file,
)
from app.media.pictures import THUMB_BYTES, PdfRead, PhotoRead
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
    whole_upload,
)
