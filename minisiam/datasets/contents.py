"""What a file is: by its first bytes, whatever its name says."""

from __future__ import annotations

import codecs
import re

# Pictures that Pillow decodes without another program, and how they begin. The keys are the names of its decoders.
PICTURES = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "PPM": rb"P[1-6]\s",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "WEBP": rb"RIFF....WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
}
OTHERS = {
    "a HEIC picture: convert it to JPEG": rb"....ftyp(?:hei|hev|mif|msf)",
    "an AVIF picture: convert it to JPEG": rb"....ftypavi",
    "a JPEG 2000 picture: convert it to JPEG": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "a JPEG XL picture: convert it to JPEG": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "a Photoshop picture: export it as PNG": rb"8BPS",
    "a PostScript file: convert it to PNG": rb"%!PS|\xc5\xd0\xd3\xc6",
    "a PDF file: convert its pages to PNG": rb"%PDF",
    "an SVG drawing: export it as PNG": rb"(?i)\s*(?:<(?:\?xml|!DOCTYPE svg|!--)[^>]*>\s*)*<svg",
    "an HTML page: download the picture again": rb"(?i)\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head)",
    "an XML file": rb"\s*<\?xml",
    "a pointer of Git LFS: git lfs pull": rb"version https://git-lfs",
    "a pointer of git-annex: git annex get": rb"\S*/annex/objects/",
    "a floating-point picture (PFM): save it as PNG": rb"P[Ff]\s",
    "a PAM picture: save it as PNG": rb"P7\s",
    "an icon: save it as PNG": rb"\0\0[\x01\x02]\0",
    "a DICOM picture: convert it to PNG": rb".{128}DICM",
    "a video": rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ",
    "a companion file of macOS, without the picture: delete it": rb"\x00\x05\x16\x07",
    "a zip file: unpack it": rb"PK[\x03\x05]",
    "a gzip file: unpack it": rb"\x1f\x8b",
    "a bzip2 file: unpack it": rb"BZh",
    "an xz file: unpack it": rb"\xfd7zXZ",
    "a tar file: unpack it": rb".{257}ustar",
    "a 7z file: unpack it": rb"7z\xbc\xaf",
    "a RAR file: unpack it": rb"Rar!",
    "an idx file of other numbers or axes": rb"\0\0[\x08-\x0e][\x01-\x04]",
    "a NumPy array": rb"\x93NUMPY",
    "an HDF5 file": rb"\x89HDF",
}
CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")


def picture_kind(data: bytes) -> str | None:
    """The name of the decoder for a picture that begins like this; None if it is no picture that can be read."""
    return _first(PICTURES, data)


def described(data: bytes) -> str:
    """What a file that begins like this is, and what to do with it: "a PDF file: convert its pages to PNG"."""
    if not data.strip(b"\0"):
        return f"{len(data):,} bytes of zeros: copy it again" if data else "empty: copy it again"
    kind = picture_kind(data)
    if kind is not None:
        return f"a {kind} picture"
    return _first(OTHERS, data) or ("a text file" if _is_text(data[:1024]) else "of an unknown format")


def _is_text(head: bytes) -> bool:
    """Whether these bytes are UTF-8 without control characters, or begin like UTF-16."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut off
    except UnicodeDecodeError:
        return False
    return CONTROL.search(text) is None


def _first(kinds: dict[str, bytes], data: bytes) -> str | None:
    head = data[:1024]
    return next((kind for kind, begins in kinds.items() if re.match(begins, head, re.DOTALL)), None)
