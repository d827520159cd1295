"""Progress of background work, uploads in parts, pictures."""

from typing import Annotated
from uuid import UUID

from flask import Blueprint, Response, jsonify, make_response, request, url_for
from pydantic import Field, StringConstraints

from app import jobs, media
from app.doors.shared import queries
from app.errors import Invalid
from app.fields import ClientId, Whole
from app.forms import Form
from app.jobs import JobState
from app.media import Upload
from app.messages import N_
from app.web import actor as current_actor
from app.web import page, parse, signed_in, transaction, web

job_pages = Blueprint("jobs", __name__, template_folder="templates")
uploads = Blueprint("uploads", __name__, url_prefix="/api/v1/uploads")
pictures = Blueprint("pictures", __name__)

REFRESH_SECONDS = 2
OFFSET = "Upload-Offset"
YEAR = 31536000


class NewUpload(Form):
    """What a phone says before it sends a file: its own id for it, how many bytes, and their SHA-256."""

    id: ClientId
    size: Annotated[Whole, Field(ge=0)]
    sha256: Annotated[str, StringConstraints(max_length=64)]


# --- jobs --------------------------------------------------------------------------------------------------------


@job_pages.get("/viec-nen/<uuid:job_id>")
def show(job_id: UUID) -> Response:
    with transaction(signed_in()) as session:
        job = jobs.read(session, current_actor(), job_id)
        response = page("shared/job.html", job=job, stalled=jobs.is_stalled(job))
    if job.state in {JobState.QUEUED, JobState.RUNNING} and "X-Fragment" not in request.headers:
        # Works without script; a script that polls asks for the fragment and is not reloaded by it.
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


@job_pages.get("/viec-nen")
def listed() -> Response:
    with transaction(signed_in()) as session:
        found = jobs.own(session, current_actor(), request.args.get("trang", ""))
        return page("shared/jobs.html", found=found)


# --- uploads -----------------------------------------------------------------------------------------------------


@uploads.post("")
def create() -> Response:
    new = parse(NewUpload)
    with transaction(signed_in()) as session:
        upload = media.begin_upload(
            session, current_actor(), upload_id=new.id, size=new.size, digest=new.sha256.lower()
        )
        return _state(upload, 201)


@uploads.get("/<uuid:upload_id>")
def state(upload_id: UUID) -> Response:
    with transaction(signed_in()) as session:
        return _state(media.upload_state(session, current_actor(), upload_id), 200)


@uploads.patch("/<uuid:upload_id>")
def append(upload_id: UUID) -> Response:
    offset, data = _offset(), request.get_data(cache=False)
    store = media.store_for(web().settings)
    # A transaction of its own: bytes that arrived stay, also when the whole is refused afterwards.
    with transaction(signed_in()) as session:
        upload = media.append_upload(session, current_actor(), store, upload_id=upload_id, offset=offset, data=data)
        complete = upload.received == upload.size
        response = _state(upload, 200)
    return _finish(store, upload_id) if complete else response


def _finish(store: media.MediaStore, upload_id: UUID) -> Response:
    """The photo is decoded between two transactions: it may take seconds, and nobody shall wait for its locks meanwhile."""
    actor = current_actor()
    with transaction() as session:
        raw = media.whole_upload(session, actor, store, upload_id=upload_id)
    read = media.read_photo_or_pdf(store, raw, actor.person_id) if raw is not None else None
    with transaction() as session:
        return _state(media.finish_upload(session, actor, store, upload_id=upload_id, read=read), 200)


def _offset() -> int:
    given = request.headers.get(OFFSET, "")
    if not (given.isascii() and given.isdigit() and len(given) < 12):  # noqa: PLR2004 - far over any file
        raise Invalid(
            "upload_offset_missing",
            N_("Thiếu vị trí của phần gửi lên (Upload-Offset)."),
            field=OFFSET,
        )
    return int(given)


def _state(upload: Upload, status: int) -> Response:
    body = {
        "id": str(upload.id),
        "size": upload.size,
        "offset": upload.received,
        "sha256": upload.sha256,
        "finished": upload.finished_at is not None,
        "blob": upload.blob_sha256,
    }
    response = make_response(jsonify(body), status)
    response.headers[OFFSET] = str(upload.received)
    response.headers["Location"] = url_for("uploads.state", upload_id=upload.id)
    return response


# --- pictures ----------------------------------------------------------------------------------------------------


@pictures.get("/anh/<sha256>.jpg", endpoint="picture_file")  # marketplaces want a file name with an ending
@pictures.get("/anh/<sha256>")
def picture(sha256: str) -> Response:
    """A picture inline, everything else as an attachment. The address names the content, so it may be kept for a year."""
    small = request.args.get("nho") == "1"
    with transaction() as session:
        seen_by = queries.audience(session, current_actor(), sha256)
        tag = f"{sha256}-{'nho' if small else 'to'}"
        found = None if tag in request.if_none_match else media.find_blob(session, sha256, small=small)
    if found is None:
        response = Response(status=304)
    else:  # the connection is given back by now: the store may take its time
        blob = media.read_blob(media.store_for(web().settings), found)
        response = Response(blob.data, content_type=blob.media_type)
        if not blob.media_type.startswith("image/"):
            response.headers["Content-Disposition"] = f'attachment; filename="{sha256[:12]}.{blob.kind}"'
    kept_by = "public" if seen_by == queries.Audience.EVERYBODY else "private"
    response.headers["Cache-Control"] = f"{kept_by}, max-age={YEAR}, immutable"
    response.set_etag(tag)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
