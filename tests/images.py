"""The image that tests boot: built once for all checkouts of a user (`make images`), and never by a test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.image.image import Image
from lbkit.image.recipe import recipe_of
from lbkit.image.store import NoSuchImage, Store


def folder() -> Path:
    """As the Makefile has it."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("LBKIT_IMAGES") or f"{cache}/lbkit/images")


def built(recipe: str = "debian-12-lb") -> Image:
    """The image of the recipe as it stands in this checkout."""
    try:
        return Store(Host(image_dir=folder())).find(f"{recipe}@{recipe_of(recipe).digest[:12]}")
    except NoSuchImage as error:
        pytest.fail(f"{error}\n  for the tests: `make images`", pytrace=False)
