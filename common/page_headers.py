"""The headers that every page carries, at the source interface and at the desks: what a browser may do with it.

No script, nothing from elsewhere, no frame around it, no address told to other sites. No cache keeps it,
unless a response says otherwise.
"""

from collections.abc import Mapping

PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Frame-Options": "DENY",
}
NOT_KEPT = "no-store"
