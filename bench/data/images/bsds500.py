"""The Berkeley Segmentation Data Set 500: its photographs in their standard splits."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import zlib
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from bench.core.errors import UserError
from bench.data.images.source import SPLITS, ImageRequest, Picture, image_source, list_folder

URL = "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz"
INSIDE = "BSR/BSDS500/data/images"
DIGESTS = {
    "train": "2e256ca6cdadc42cef868b5c6d8905fb0cc26348fb29dfd6331203786315877c",
    "val": "ab107e27bea5e006879f1fbf717370c78f7c6b29188f565835cd77817aafa971",
    "test": "2b4bbe2f62b2cd68a43dab32fe4dcc53957e404be599a4deee48607b4d74238f",
}
"""SHA-256 over names and bytes of each split's JPEGs, in the order of their names."""


@image_source("bsds500", "BSDS500: 200, 100 and 200 photographs; downloaded if missing")
def bsds500(request: ImageRequest) -> list[Picture]:
    """Return the photographs of one of its standard splits."""
    return list_folder(locate(request.root) / request.split)


def locate(root: Path) -> Path:
    """Return the folder with `train`, `val` and `test` under `root`, downloading it if missing."""
    for folder in (root / "bsds500", root, root / INSIDE):
        if all((folder / split).is_dir() for split in SPLITS):
            return folder
    return _download(root / "bsds500")


def split_digest(folder: Path) -> str:
    """Return the digest of the JPEGs in one split's folder, as `DIGESTS` holds them."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.jpg")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _download(target: Path) -> Path:
    # Fetched into a scratch folder and moved at the end: a half-done download is never used.
    if target.exists():
        raise UserError(f"{target} lacks one of train, val, test; complete it, or move it away")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _fetch(Path(scratch)).replace(target)
    except (URLError, HTTPException, OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise UserError(
            f"BSDS500 is not in {target} and cannot be downloaded ({error}); "
            "give the folder that holds bsds500/{train,val,test} by --data-root"
        ) from error
    return target


def _fetch(scratch: Path) -> Path:
    import torch

    archive = scratch / "bsds500.tgz"
    print(f"downloading BSDS500 (70 MB) from {URL}")
    torch.hub.download_url_to_file(URL, str(archive))
    with tarfile.open(archive) as tar:
        members = [m for m in tar if m.name.startswith(INSIDE) and m.name.endswith(".jpg")]
        tar.extractall(scratch, members=members, filter="data")
    for split in SPLITS:
        if split_digest(scratch / INSIDE / split) != DIGESTS[split]:
            raise UserError(f"the downloaded BSDS500 {split} split is damaged; run again")
    return scratch / INSIDE
