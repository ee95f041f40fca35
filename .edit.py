from pathlib import Path
p=Path("common/config.py"); t=p.read_text()
a=t.index("def _database(file")
t=t[:a]+'''def _database(file: Path, untrusted_url: str) -> str:
    """The URL, a path in it taken from the file's folder. The collection reads it, so this needs no SQLAlchemy."""
    try:
        url = urlsplit(untrusted_url, allow_fragments=False)
        is_url = bool(url.scheme) and untrusted_url.startswith(f"{url.scheme}://") and (url.port or 1) > 0
    except ValueError:  # not chained: it may show a password
        is_url = False
    if not is_url:
        raise BadConfiguration(f"`database` in {file} must be a URL such as sqlite:///candour.sqlite.")
    path = url.path.removeprefix("/")
    if url.scheme.partition("+")[0] != "sqlite" or not path:
        return untrusted_url
    query = f"?{url.query}" if url.query else ""
    return f"{url.scheme}:///{file.parent / path}{query}"
'''
t=t.replace("from typing import Any\n","from typing import Any\nfrom urllib.parse import urlsplit\n",1)
p.write_text(t)
