"""Photos that come with a form, and those that came before."""

from flask import g, request

from app import media
from app.web import signed_in, transaction, web


def sent_photos() -> tuple[str, ...]:
    """The pictures of this form: those kept at an earlier try, and the one that came now.

    It is stored at once, in a transaction of its own, so that a mistake elsewhere in the form does not lose it.
    """
    kept = tuple(dict.fromkeys(sha for sha in request.form.getlist("photos") if media.SHA256.match(sha)))
    file = request.files.get("photo")
    if file is not None and file.filename:
        store = media.store_for(web().settings)
        read = media.read_photo(store, file.read(), signed_in().person_id)
        with transaction() as session:
            kept += (media.keep(session, store, read),)
    g.kept_photos = kept
    return kept


def kept_photos() -> tuple[str, ...]:
    found: tuple[str, ...] = g.get("kept_photos", ())
    return found
