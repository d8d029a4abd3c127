"""Grey levels of pictures of every kind: what is read is what the file's definition says."""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from fixtures import chunk, pgm
from PIL import Image

from minisiam.datasets import DamagedFile
from minisiam.datasets.pictures import DECODED, SIDE, by_area, picture, read_picture

TOP_LEFT_DARK = np.array([[0.0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0]]).repeat(8, 0).repeat(8, 1)


def png(depth, colour, rows, *chunks, width=2):
    """A PNG by its definition; `rows` are bytes."""
    header = struct.pack(">LLBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_png_has_the_levels_of_its_depth(depth):
    top = 2**depth - 1
    levels = [0, 1, top // 2, top]
    if depth == 16:
        rows = [struct.pack(">2H", *levels[:2]), struct.pack(">2H", *levels[2:])]
    else:
        rows = [
            bytes([(a << (8 - depth)) | (b << (8 - 2 * depth))]) if depth < 8 else bytes([a, b])
            for a, b in (levels[:2], levels[2:])
        ]
    found = picture(png(depth, 0, rows), "x")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.ravel(), np.array(levels) / top, atol=1e-7)
    for index, level in enumerate(levels):  # one shade is transparent, so white
        found = picture(png(depth, 0, rows, (b"tRNS", struct.pack(">H", level))), "x").ravel()
        expected = np.where(np.array(levels) == level, 1, np.array(levels) / top)
        np.testing.assert_allclose(found, expected, atol=1e-7, err_msg=f"{index}")


def test_a_coloured_png_is_the_mean_of_its_colours():
    rows = [bytes([0, 0, 0, 255, 0, 0]), bytes([9, 9, 9, 30, 60, 90])]
    plain = np.array([[0, 1 / 3], [9 / 255, 60 / 255]])
    np.testing.assert_allclose(picture(png(8, 2, rows), "x"), plain, atol=1e-7)
    found = picture(png(8, 2, rows, (b"tRNS", bytes([0, 9, 0, 9, 0, 9]))), "x")
    np.testing.assert_allclose(found, [[0, 1 / 3], [1, 60 / 255]], atol=1e-7)
    wide = [b"".join(bytes([value, value]) for value in row) for row in rows]
    np.testing.assert_allclose(picture(png(16, 2, wide), "x"), plain, atol=1e-7)
    found = picture(png(16, 2, wide, (b"tRNS", bytes([9] * 6))), "x")
    np.testing.assert_allclose(found, [[0, 1 / 3], [1, 60 / 255]], atol=1e-7)


def test_transparent_pixels_are_shown_on_white():
    np.testing.assert_allclose(
        picture(png(8, 4, [bytes([0, 255, 0, 0]), bytes([100, 51, 255, 9])]), "x"),
        [[0, 1], [0.2 * 100 / 255 + 0.8, 1]],
        atol=1e-6,
    )
    np.testing.assert_allclose(picture(png(8, 6, [bytes([255, 0, 0, 255, 1, 2, 3, 0])]), "x"), [[1 / 3, 1]], atol=1e-6)
    wide = [struct.pack(">4H", 0, 65535, 0, 0)]
    np.testing.assert_allclose(picture(png(16, 4, wide), "x"), [[0, 1]], atol=1e-6)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_is_looked_up_with_its_transparency(depth):
    row = bytes([0, 1]) if depth == 8 else bytes([1 << (8 - 2 * depth)])
    palette = (b"PLTE", bytes([30, 60, 90, 0, 0, 255]))
    np.testing.assert_allclose(picture(png(depth, 3, [row], palette), "x"), [[60 / 255, 1 / 3]], atol=1e-7)
    for alpha in (b"\x80", b"\0", b"\x80\xff"):
        a = alpha[0] / 255
        found = picture(png(depth, 3, [row], palette, (b"tRNS", alpha)), "x")
        np.testing.assert_allclose(found, [[a * 60 / 255 + 1 - a, 1 / 3]], atol=1e-6)


def test_an_interlaced_png_is_read():
    """Adam7 by hand: 4 × 4 pixels, whose passes are (row start, row step, column start, column step)."""
    image, body = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16, b""
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    for top, down, left, right in passes:
        part = image[top::down, left::right]
        body += b"".join(b"\0" + row.tobytes() for row in part if part.size)
    header = struct.pack(">LLBBBBB", 4, 4, 8, 0, 0, 0, 1)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    np.testing.assert_allclose(picture(data, "x"), image / 255, atol=1e-7)


def test_pgm_and_ppm_plain_and_raw():
    image = np.array([[0, 255], [100, 3]], np.uint8)
    for data in (pgm(image), pgm(image, plain=True)):
        np.testing.assert_allclose(picture(data, "x"), image / 255, atol=1e-7)
    wide = np.array([[0, 65535], [256, 1000]], ">u2")
    np.testing.assert_allclose(picture(b"P5 2 2 65535\n" + wide.tobytes(), "x"), wide / 65535, atol=1e-7)
    np.testing.assert_allclose(picture(b"P6 # one\n2 1 255\n" + bytes([255, 0, 0, 9, 9, 9]), "x"), [[1 / 3, 9 / 255]])
    np.testing.assert_allclose(picture(b"P3 2 1 255\n255 0 0 9 9 9\n", "x"), [[1 / 3, 9 / 255]])
    np.testing.assert_allclose(picture(b"P5 2 1 15\n" + bytes([5, 15]), "x"), [[1 / 3, 1]], atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_its_exif_data_say(kind, orientation):
    """The definition: where the first row and the first column of the stored picture are when it is shown."""
    stored = {
        1: TOP_LEFT_DARK,
        2: TOP_LEFT_DARK[:, ::-1],
        3: TOP_LEFT_DARK[::-1, ::-1],
        4: TOP_LEFT_DARK[::-1],
        5: TOP_LEFT_DARK.T,
        6: TOP_LEFT_DARK.T[::-1],
        7: TOP_LEFT_DARK.T[::-1, ::-1],
        8: TOP_LEFT_DARK.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray((255 * stored).astype(np.uint8)), kind, quality=95, exif=exif)
    found = read_picture(data, "x")
    np.testing.assert_allclose(found.levels, TOP_LEFT_DARK, atol=0.03)
    assert (found.width, found.height) == TOP_LEFT_DARK.shape[::-1]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0no exif data", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0"])
def test_damaged_exif_data_are_ignored(kind, exif):
    data = saved(Image.new("L", (8, 8), 255), kind, exif=exif)
    np.testing.assert_allclose(picture(data, "x"), 1, atol=0.01)


COLOURS = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
ALPHA = COLOURS[..., 3] / 255


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PPM", {}),
        ("BMP", {}),
        ("WEBP", {"lossless": True, "exact": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_deflate"}),
    ],
)
def test_lossless_formats_have_the_levels_that_were_saved(kind, options):
    colours, grey = COLOURS[..., :3], COLOURS[..., :3].mean(axis=2) / 255
    np.testing.assert_allclose(picture(saved(Image.fromarray(colours), kind, **options), "x"), grey, atol=1e-6)
    one = Image.fromarray(np.ascontiguousarray(COLOURS[..., 0]))
    np.testing.assert_allclose(picture(saved(one, kind, **options), "x"), COLOURS[..., 0] / 255, atol=1e-6)
    bits = one.convert("1")
    np.testing.assert_array_equal(picture(saved(bits, kind, **options), "x"), np.asarray(bits))
    if kind not in ("PPM", "BMP"):
        found = picture(saved(Image.fromarray(COLOURS), kind, **options), "x")
        np.testing.assert_allclose(found, ALPHA * grey + 1 - ALPHA, atol=1e-6)


def test_a_gif_has_a_palette_and_a_transparent_entry():
    image = Image.fromarray(COLOURS[..., :3]).quantize(8)
    grey, entries = np.asarray(image.convert("RGB")).mean(axis=2) / 255, np.asarray(image)
    np.testing.assert_allclose(picture(saved(image, "GIF"), "x"), grey, atol=1e-6)
    found = picture(saved(image, "GIF", transparency=3), "x")
    np.testing.assert_allclose(found, np.where(entries == 3, 1, grey), atol=1e-6)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_read(kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black", "red")]
    found = read_picture(saved(frames[0], kind, save_all=True, append_images=frames[1:]), "x")
    np.testing.assert_allclose(found.levels, 1, atol=0.02)
    assert (found.kind, found.frames) == (kind, 3)


@pytest.mark.parametrize(
    ("dtype", "white_is_zero"), [(np.uint8, False), (np.uint8, True), (np.uint16, False), (np.uint16, True)]
)
def test_a_tiff_may_have_16_bits_and_an_inverted_scale(dtype, white_is_zero):
    levels = np.array([[0, 1], [100, np.iinfo(dtype).max]], dtype)
    data = bytearray(saved(Image.fromarray(levels), "TIFF"))
    at = data.index(struct.pack("<HHLL", 262, 3, 1, 1))  # the tag of the scale, whose value is 1: black is 0
    data[at + 8] = not white_is_zero
    expected = levels / np.iinfo(dtype).max
    np.testing.assert_allclose(picture(bytes(data), "x"), 1 - expected if white_is_zero else expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_levels_without_a_known_range_are_refused(dtype):
    with pytest.raises(DamagedFile, match="whose white level is unknown: save it with 8 or 16"):
        picture(saved(Image.fromarray(np.ones((2, 2), dtype)), "TIFF"), "x")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_picture_that_is_cut_off_is_an_error(kind):
    data = saved(Image.fromarray(COLOURS[..., :3].repeat(9, 0).repeat(9, 1)), kind)
    with pytest.raises(DamagedFile, match="'x'"):
        picture(data[: len(data) // 2], "x")


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 2)])
def test_a_picture_may_have_any_shape(size):
    np.testing.assert_allclose(picture(saved(Image.new("L", size, 51), "PNG"), "x", 28), 0.2, atol=1e-6)


def test_a_picture_of_printing_colours_is_read():
    paper = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    np.testing.assert_allclose(picture(saved(paper, "JPEG"), "x"), 1, atol=0.02)


def test_a_given_size_is_the_mean_over_areas(rng):
    image = rng.integers(0, 256, (90, 40), dtype=np.uint8)
    found = picture(pgm(image), "x", 7)
    np.testing.assert_array_equal(found, by_area((image / np.float32(255)).astype(np.float32), 7, 7))
    tall = rng.integers(0, 256, (1500, 1100), dtype=np.uint8)  # more than one strip
    found = picture(pgm(tall), "x", 7)
    np.testing.assert_allclose(found, by_area((tall / np.float32(255)).astype(np.float32), 7, 7), atol=1e-5)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(rng, progressive, monkeypatch):
    small = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8).repeat(300, 0).repeat(300, 1)
    data = saved(Image.fromarray(small), "JPEG", quality=90, progressive=progressive)
    sizes, crop = [], Image.Image.crop
    monkeypatch.setattr(Image.Image, "crop", lambda self, box: sizes.append(self.size) or crop(self, box))
    expected = by_area(small.mean(axis=2).astype(np.float32) / 255, 28, 28)
    np.testing.assert_allclose(picture(data, "x", 28), expected, atol=0.02)
    assert sizes == [(375, 300)]  # one eighth of 3000 × 2400


def test_what_would_take_much_memory_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("decoded"))
    for width, height in itertools.product([1, 9000, SIDE + 1], [1, 9000, SIDE + 1]):
        if max(width, height) > SIDE or width * height > DECODED:
            header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
            parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
            data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
            with pytest.raises(DamagedFile, match="pixels"):
                picture(data, "x", 28)
            with pytest.raises(DamagedFile, match="pixels"):
                picture(b"P5 %d %d 255\n" % (width, height), "x")
