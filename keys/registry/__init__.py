"""The registry before it is signed, its signing, and how it is put in place: drafts, changes, roots."""
