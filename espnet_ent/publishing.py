"""Publish a packed model (stage 15): its card, the hub, and its entry in ESPnet's model zoo."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.plugin.hub import find_token, upload_folder
from espnet_ent.plugin.pack_manifest import CARD, MANIFEST
from espnet_ent.plugin.packs import open_pack, unpack
from espnet_ent.plugin.zoo_entry import check_tag, zoo_line, zoo_row
from espnet_ent.report.model_card import CardOptions, model_card


@dataclass(frozen=True)
class PublishOptions:
    """Where a model goes.

    Attributes:
        repo: ``user/name`` on the hub; None: nothing is uploaded.
        license: Licence of the weights, as the hub names it; None: what follows from the corpora.
        card: File to write the card to as well.
        private: Make the repository private.
        dry_run: Upload nothing, whatever else is given.
    """

    repo: str | None = None
    license: str | None = None
    card: str | Path | None = None
    private: bool = False
    dry_run: bool = False


def publish(pack: str | Path, options: PublishOptions, tell: Callable[[str], object] = print) -> str | None:
    """Upload a packed model with its card; without a repository or a token, tell what would be uploaded.

    Args:
        pack: The packed model.
        options: Where it goes.
        tell: Called with each line for the user: files, the row of the zoo's table, what its client gives.

    Returns:
        URL of the repository; None after a dry run.

    Raises:
        EntError: If the pack is of no use, the hub refuses, or the zoo's client gives something else.
    """
    token = None if options.dry_run else find_token()
    with tempfile.TemporaryDirectory(prefix="ent_publish_") as folder:
        directory = Path(folder)
        unpack(pack, directory)
        with open_pack(directory) as packed:
            repo = options.repo or f"user/{packed.meta.get('tag', 'model')}"
            card = model_card(directory, packed.config, packed.meta, CardOptions(repo, options.license))
            row = zoo_row(repo, packed.meta)
        (directory / CARD).write_text(card, encoding="utf-8")
        if options.card is not None:
            atomic_write_text(options.card, card)
            tell(f"{options.card}: the model card")
        if options.repo is None or token is None:
            why = "asked for" if options.dry_run else "no token: hf auth login" if options.repo else "no --hf_repo"
            files = sorted(path for path in directory.rglob("*") if path.is_file())
            total = sum(path.stat().st_size for path in files)
            tell(f"dry run ({why}): {len(files)} files, {total} bytes would go to {repo}:")
            for path in files:
                tell(f"  {path.stat().st_size:>12}  {path.relative_to(directory).as_posix()}")
            tell(f"row for table.csv of espnet_model_zoo: {zoo_line(row)}")
            return None
        url = upload_folder(directory, repo, token, options.private)
        tell(f"uploaded to {url}")
        tell(f"row for table.csv of espnet_model_zoo: {zoo_line(row)}")
        tell(check_tag(row, (directory / MANIFEST).read_bytes()))
        return url
