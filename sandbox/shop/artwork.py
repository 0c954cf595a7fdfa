"""Flat pictures of garments, drawn in the colour of the variant: the shop has pictures without any outside host.

A silhouette is a list of shapes on a sheet 100 wide and 125 high, each in one tone of the garment's colour. Shapes
are written for the left half and mirrored, but for the ones marked as whole. The same garment and colour always give
the same picture.
"""

from io import BytesIO

from PIL import Image, ImageColor, ImageDraw

WIDTH, HEIGHT, OVERSAMPLING = 480, 600, 2
PAPER = (244, 240, 233)
DARKER_PAPER = (205, 197, 185)  # under garments that are nearly white

type Points = list[tuple[float, float]]
type Shape = tuple[str, str, Points]

BODY: Points = [(50, 24), (42, 22), (30, 28), (16, 50), (25, 57), (32, 48)]
SILHOUETTES: dict[str, list[Shape]] = {
    "dress": [
        ("half", "main", [(50, 24), (42, 18), (35, 21), (33, 40), (37, 58), (22, 108), (50, 111)]),
        ("half", "dark", [(50, 58), (37, 58), (36.5, 61), (50, 61)]),
        ("half", "dark", [(43, 66), (36, 108), (37.5, 108), (44, 66)]),
        ("half", "light", [(50, 24), (42, 18), (40, 19), (50, 30)]),
    ],
    "top": [
        ("half", "main", [*BODY, (32, 90), (50, 91)]),
        ("half", "dark", [(50, 24), (42, 22), (40.5, 23), (50, 31)]),
        ("half", "dark", [(32, 86), (32, 87.5), (50, 88.5), (50, 87)]),
    ],
    "shirt": [
        ("half", "main", [(50, 26), (42, 20), (29, 27), (15, 80), (24, 83), (32, 55), (32, 96), (50, 97)]),
        ("half", "light", [(50, 26), (42, 20), (38, 30), (44, 34)]),
        ("whole", "dark", [(49.3, 27), (50.7, 27), (50.7, 97), (49.3, 97)]),
        ("whole", "dark", [(57, 44), (65, 44), (65, 54), (57, 54)]),
    ],
    "jacket": [
        ("half", "main", [(50, 42), (42, 19), (28, 26), (14, 84), (24, 88), (31, 56), (30, 100), (50, 101)]),
        ("half", "light", [(50, 52), (43, 19), (36, 25), (38, 36)]),
        ("half", "dark", [(34, 74), (44, 73), (44, 76), (34, 77)]),
        ("whole", "dark", [(49.4, 52), (50.6, 52), (50.6, 101), (49.4, 101)]),
    ],
    "kaftan": [
        ("half", "main", [(50, 22), (43, 17), (30, 23), (8, 66), (22, 74), (31, 58), (28, 114), (50, 115)]),
        ("half", "light", [(50, 22), (43, 17), (41, 18), (47, 32), (47, 62), (50, 62)]),
        ("whole", "dark", [(49.4, 26), (50.6, 26), (50.6, 58), (49.4, 58)]),
        ("half", "dark", [(36, 64), (33, 114), (34.2, 114), (37, 64)]),
    ],
    "trousers": [
        ("half", "main", [(50, 16), (34, 16), (30, 60), (28, 112), (44, 112), (50, 46)]),
        ("half", "dark", [(50, 16), (34, 16), (33.6, 21), (50, 21)]),
        ("half", "dark", [(39, 28), (36, 112), (37, 112), (40, 28)]),
    ],
    "skirt": [
        ("half", "main", [(50, 22), (37, 22), (20, 102), (35, 106), (50, 107)]),
        ("half", "dark", [(50, 22), (37, 22), (36, 28), (50, 28)]),
        ("half", "dark", [(44, 34), (34, 105), (35.5, 105.3), (45, 34)]),
    ],
    "bag": [
        ("half", "dark", [(50, 20), (38, 24), (33, 52), (37, 52), (41, 28), (50, 25)]),
        ("half", "main", [(50, 48), (24, 48), (20, 100), (50, 102)]),
        ("half", "light", [(50, 48), (24, 48), (25, 60), (50, 72)]),
        ("whole", "dark", [(47, 68), (53, 68), (53, 75), (47, 75)]),
    ],
    "sandal": [
        ("whole", "main", [(14, 80), (30, 72), (70, 74), (88, 80), (88, 87), (14, 87)]),
        ("whole", "dark", [(14, 87), (88, 87), (86, 92), (16, 92)]),
        ("whole", "light", [(22, 76), (38, 52), (47, 54), (36, 74)]),
        ("whole", "light", [(58, 73), (60, 56), (69, 57), (72, 74)]),
    ],
    "heel": [
        ("whole", "main", [(10, 88), (24, 76), (46, 70), (66, 48), (80, 46), (86, 60), (70, 70), (52, 86), (24, 91)]),
        ("whole", "dark", [(78, 62), (86, 58), (84, 92), (80, 92)]),
        ("whole", "light", [(24, 76), (46, 70), (50, 74), (30, 82)]),
    ],
    "trainer": [
        ("whole", "main", [(12, 84), (14, 72), (34, 66), (50, 46), (74, 44), (86, 52), (88, 84)]),
        ("whole", "light", [(10, 84), (90, 84), (89, 93), (12, 93)]),
        ("whole", "dark", [(38, 64), (41, 60), (55, 68), (52, 71)]),
        ("whole", "dark", [(44, 57), (47, 53), (61, 61), (58, 64)]),
    ],
    "loafer": [
        ("whole", "main", [(10, 84), (16, 72), (38, 66), (56, 60), (60, 52), (84, 50), (88, 84)]),
        ("whole", "dark", [(10, 84), (88, 84), (88, 90), (72, 90), (70, 88), (10, 88)]),
        ("whole", "light", [(34, 66), (54, 59), (58, 66), (40, 74)]),
    ],
    "necklace": [
        ("half", "main", [(50, 96), (38, 90), (26, 66), (24, 30), (28, 30), (31, 64), (41, 83), (50, 88)]),
        ("whole", "dark", [(44, 88), (56, 88), (53, 106), (47, 106)]),
    ],
    "beads": [
        ("half", "main", [(50, 50), (24, 46), (14, 38), (16, 36), (26, 43), (50, 46)]),
        ("half", "dark", [(50, 66), (24, 62), (14, 54), (16, 52), (26, 59), (50, 62)]),
        ("half", "light", [(50, 82), (24, 78), (14, 70), (16, 68), (26, 75), (50, 78)]),
    ],
    "earrings": [
        ("half", "dark", [(31, 28), (33, 28), (33, 46), (31, 46)]),
        ("half", "main", [(32, 44), (22, 60), (22, 78), (32, 92), (42, 78), (42, 60)]),
        ("half", "light", [(32, 54), (29, 68), (32, 84), (35, 68)]),
    ],
    "cap": [
        ("half", "main", [(50, 34), (34, 38), (24, 54), (22, 78), (50, 80)]),
        ("half", "light", [(22, 70), (20, 88), (50, 91), (50, 73)]),
        ("half", "dark", [(40, 36), (34, 72), (35.5, 72), (41.5, 36)]),
    ],
    "hat": [
        ("half", "main", [(50, 82), (8, 78), (12, 70), (30, 66), (34, 42), (50, 38)]),
        ("half", "dark", [(50, 72), (29, 67), (30.5, 60), (50, 64)]),
    ],
    "scarf": [
        ("half", "main", [(50, 50), (34, 36), (38, 22), (50, 28)]),
        ("whole", "main", [(40, 44), (58, 46), (50, 108), (28, 106)]),
        ("whole", "dark", [(50, 48), (62, 46), (74, 98), (56, 102)]),
        ("whole", "light", [(29, 100), (50.8, 102), (50, 105), (28.4, 103)]),
    ],
    "belt": [
        ("whole", "main", [(12, 58), (78, 58), (78, 70), (12, 70), (8, 64)]),
        ("whole", "dark", [(74, 54), (92, 54), (92, 74), (74, 74)]),
        ("whole", "light", [(78, 58), (88, 58), (88, 70), (78, 70)]),
    ],
    "wallet": [
        ("whole", "main", [(20, 48), (80, 48), (80, 92), (20, 92)]),
        ("whole", "light", [(28, 40), (72, 40), (72, 48), (28, 48)]),
        ("whole", "dark", [(20, 62), (80, 62), (80, 63.5), (20, 63.5)]),
    ],
    "sock": [
        ("whole", "main", [(38, 20), (60, 20), (60, 72), (40, 100), (20, 104), (14, 94), (36, 72)]),
        ("whole", "light", [(37.7, 20), (60, 20), (60, 30), (37.7, 30)]),
        ("whole", "dark", [(20, 104), (14, 94), (22, 88), (29, 102)]),
    ],
}


def draw(silhouette: str, colour: str) -> bytes:
    """A PNG of the garment in this colour (`#rrggbb`)."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    tones = {
        "main": (red, green, blue),
        "dark": mix((red, green, blue), (0, 0, 0), 0.28),
        "light": mix((red, green, blue), (255, 255, 255), 0.22),
    }
    scale = WIDTH * OVERSAMPLING / 100
    paper = mix(DARKER_PAPER if min(red, green, blue) > 180 else PAPER, tones["main"], 0.08)
    sheet = Image.new("RGB", (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), paper)
    pen = ImageDraw.Draw(sheet)
    pen.ellipse([20 * scale, 112 * scale, 80 * scale, 118 * scale], fill=mix(paper, tones["dark"], 0.22))
    for extent, tone, points in SILHOUETTES[silhouette]:
        sides = [points] if extent == "whole" else [points, [(100 - x, y) for x, y in points]]
        for side in sides:
            outline = [(x * scale, y * scale) for x, y in side]
            # A line in the same tone rounds the corners; light garments keep an edge against the paper.
            pen.line([*outline, outline[0], outline[1]], fill=tones[tone], width=int(1.2 * scale), joint="curve")
            pen.polygon(outline, fill=tones[tone])
    target = BytesIO()
    sheet.reduce(OVERSAMPLING).save(target, "PNG")
    return target.getvalue()


def mix(one: tuple[int, int, int], other: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    """The colour between two, with this share of the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
