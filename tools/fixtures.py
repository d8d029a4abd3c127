"""Small data files of every format, made here: the tests need nothing but what they make."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import numpy as np
from matplotlib.image import imsave
from PIL import Image


def png(image):
    """A picture with values in [0, 1] as matplotlib writes it."""
    file = io.BytesIO()
    imsave(file, np.asarray(image), cmap="gray", vmin=0, vmax=1, format="png")
    return file.getvalue()


def chunk(kind, body):
    import zlib

    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def photographs(rng):
    """JPEGs with an orientation, and PNGs of several kinds, by the end of their name."""
    colours = Image.fromarray(rng.integers(0, 256, (24, 16, 3), dtype=np.uint8))
    glass = Image.fromarray(rng.integers(0, 256, (8, 8, 4), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        ("jpg", _saved(colours, "JPEG", exif=exif)),
        ("jpeg", _saved(colours, "JPEG", exif=exif, progressive=True)),
        ("png", _saved(glass, "PNG")),
        ("png", _saved(colours.quantize(16), "PNG", transparency=3)),
        ("png", _saved(Image.fromarray(rng.integers(0, 65536, (8, 8)).astype(np.uint16)), "PNG")),
        ("ppm", _saved(colours, "PPM")),
        ("pbm", _saved(colours.convert("1"), "PPM")),
        ("gif", _saved(colours.quantize(16), "GIF", transparency=3)),
        ("bmp", _saved(colours, "BMP")),
        ("webp", _saved(glass, "WEBP", lossless=True, exif=exif)),
        ("tif", _saved(colours, "TIFF", exif=exif)),
        ("tiff", _saved(colours, "TIFF", compression="tiff_lzw")),
    ]


def _saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def one_bit_png(page):
    """A boolean page as Omniglot has it: one bit a pixel, ink is 0."""
    import zlib

    height, width = page.shape
    rows = np.packbits(page, axis=1)
    body = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes())
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def page(rng, size=15):
    """White, with a line of ink."""
    paper = np.ones((size, size), bool)
    paper[rng.integers(1, size - 1), 1:-1] = False
    paper[1:-1, rng.integers(1, size - 1)] = False
    return paper


def letters(rng, alphabets=("Greek", "Latin", "Old_(Runes)"), count=2, drawers=2, size=15):
    """The files of a small Omniglot; class numbers go on from alphabet to alphabet."""
    files, number = {}, 0
    for alphabet in alphabets:
        for letter in range(1, count + 1):
            number += 1
            for drawer in range(1, drawers + 1):
                name = f"images_background/{alphabet}/character{letter:02}/{number:04}_{drawer:02}.png"
                files[name] = one_bit_png(page(rng, size))
    return files


def official(rng, runs=20, count=20, size=9):
    """The files of all_runs.zip: the test images are the training images in another order."""
    files = {}
    for run in range(1, runs + 1):
        order, lines = rng.permutation(count), []
        pages = [one_bit_png(rng.random((size, size)) < 0.5) for _ in range(count)]
        for k in range(count):
            files[f"run{run:02}/training/class{k + 1:02}.png"] = pages[k]
            files[f"run{run:02}/test/item{k + 1:02}.png"] = pages[order[k]]
            shown = f"run{run:02}/training/class{order[k] + 1:02}.png"
            lines.append(f"run{run:02}/test/item{k + 1:02}.png {shown}")
        files[f"run{run:02}/class_labels.txt"] = "\n".join(lines).encode()
    return files


def idx(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}L", *array.shape) + array.tobytes()


def mnist(folder, rng, per_class=8, size=28, zipped=True):
    """The four files, and what is in them."""
    made = {}
    for part in ("train", "t10k"):
        labels = np.tile(np.arange(10), per_class)
        images = rng.integers(0, 256, (len(labels), size, size), dtype=np.uint8)
        made[part] = images, labels
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            data, name = idx(array), f"{part}-{kind}-ubyte"
            if zipped:
                data, name = gzip.compress(data, mtime=0), name + ".gz"
            (folder / name).write_bytes(data)
    return made


def npz(rng, letters=3, drawers=2, size=8):
    file = io.BytesIO()
    images = rng.integers(0, 256, (letters, drawers, size, size), dtype=np.uint8)
    alphabet = np.array([f"A{i // 2}" for i in range(letters)])
    np.savez_compressed(file, images=images, alphabet=alphabet, character=np.arange(letters, dtype=np.int16))
    return file.getvalue(), images


def pgm(image, plain=False):
    """Bytes (h, w) as P5, or as P2 with a comment."""
    height, width = image.shape
    if plain:
        rows = "\n".join(" ".join(map(str, row)) for row in image.tolist())
        return f"P2 # by hand\n{width} {height}\n255\n{rows}\n".encode()
    return f"P5\n{width} {height}\n255\n".encode() + image.tobytes()
