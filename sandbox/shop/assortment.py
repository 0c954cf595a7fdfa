"""The shop of `sandbox/fixtures/shop`, read into frozen values."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from fashionistar_catalog.types import NewVariant
from fashionistar_common.money import Money

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "shop"
CURRENCY = "NGN"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category. `silhouette` is what its products look like in `artwork`."""

    slug: str
    name: str
    parent: str = ""
    silhouette: str = ""


@dataclass(frozen=True, slots=True)
class Maker:
    """A vendor."""

    slug: str
    name: str
    place: str
    description: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A product: its colours with their hex values, and the pieces in stock by size in each colour."""

    slug: str
    sku: str
    name: str
    maker: Maker
    category: str
    description: str
    price: Money
    compare_at: Money | None
    colours: dict[str, str]
    sizes: dict[str, int]
    tags: list[str]
    silhouette: str

    def variants(self) -> Iterator[NewVariant]:
        """One per colour and size; a product of one size has colours only."""
        for colour in self.colours:
            for size, stock in self.sizes.items():
                words = f"{self.sku} {colour} {size}".split()
                yield NewVariant(
                    sku="-".join(words).upper(),
                    price=self.price,
                    compare_at=self.compare_at,
                    options={"Colour": colour} | ({"Size": size} if size else {}),
                    stock=stock,
                )


@dataclass(frozen=True, slots=True)
class Assortment:
    """Everything; parents come before their children, and the makers take turns in the pieces."""

    shelves: list[Shelf]
    makers: list[Maker]
    pieces: list[Piece]


def read_assortment(folder: Path = FOLDER) -> Assortment:
    """Read `shop.toml` and the makers' files beside it, in the order of their names."""
    shop = tomllib.loads((folder / "shop.toml").read_text(encoding="utf-8"))
    shelves = [Shelf(**shelf) for shelf in shop["categories"]]
    silhouettes = {shelf.slug: shelf.silhouette for shelf in shelves}
    makers, by_maker = [], []
    for path in sorted(folder.glob("*.toml")):
        if path.name == "shop.toml":
            continue
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        maker = Maker(**content["vendor"])
        makers.append(maker)
        by_maker.append([_piece(maker, entry, shop["colours"], silhouettes) for entry in content["products"]])
    in_turns = chain.from_iterable(zip_longest(*by_maker))
    return Assortment(shelves, makers, [piece for piece in in_turns if piece])


def _piece(maker: Maker, entry: dict[str, Any], colours: dict[str, str], silhouettes: dict[str, str]) -> Piece:
    entry = {"silhouette": silhouettes[entry["category"]], "compare_at": None, **entry}
    stock = entry.pop("stock", None)
    compare_at = entry.pop("compare_at")
    return Piece(
        maker=maker,
        price=Money.parse(str(entry.pop("price")), CURRENCY),
        compare_at=None if compare_at is None else Money.parse(str(compare_at), CURRENCY),
        colours={name: colours[name] for name in entry.pop("colours")},
        sizes=entry.pop("sizes", {"": stock}),
        **entry,
    )
