"""Models by their tag in ESPnet's model zoo, through its own client where that is installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from espnet_ent.errors import ConfigError

_ON_HUB = "huggingface.co"  # what the client says of a tag that its table does not have
_LONGEST_REASON = 200


def download_from_zoo(tag: str) -> Path:
    """The zip or directory of a model, downloaded into the client's cache unless it is there.

    The client's own unpacking is not used: it writes wherever an archive says.

    Args:
        tag: As in the zoo's table (``user/name``), or a URL.

    Raises:
        ConfigError: If the client is not installed, does not know the tag or does not reach its hub.
    """
    try:
        downloader = find_downloader()
    except ImportError:
        raise ConfigError(
            "no such file or directory, and espnet_model_zoo is not installed to look it up as a tag",
            where="encoder_conf.source",
            got=repr(tag),
            next_step="mend the path, or pip install espnet_model_zoo",
        ) from None
    try:
        client = downloader()
        is_on_hub = _ON_HUB in client.get_url(name=tag) and not tag.startswith("http")
        return Path(client.huggingface_download(name=tag) if is_on_hub else client.download(name=tag))
    except Exception as error:  # the client and the libraries below it raise whatever they like
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:_LONGEST_REASON]
        raise ConfigError(
            "no such file or directory, and ESPnet's model zoo does not give it",
            where="encoder_conf.source",
            got=f"{tag!r} ({reason})",
            next_step="mend the path or tag, or download the model elsewhere and name its zip",
        ) from error


def find_downloader() -> Any:
    """The client's class.

    Raises:
        ImportError: If it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports distutils
        from espnet_model_zoo.downloader import ModelDownloader
    return ModelDownloader
