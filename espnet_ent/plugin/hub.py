"""The Hugging Face hub, through its own client: packed models are uploaded to it and downloaded from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from espnet_ent.errors import ConfigError

_LONGEST_REASON = 200
_FILES = ("*.yaml", "*.json", "*.pth", "*.safetensors", "*.npz", "*.model", "*.png", "*.md", "*.txt", "emotion_list")


def download_snapshot(name: str) -> Path:
    """The directory of a model on the hub, downloaded into the hub's cache unless it is there.

    Args:
        name: ``user/name`` or ``user/name@revision``.

    Raises:
        ConfigError: If the hub does not have it or can't be reached, and it is not in the cache.
    """
    repo, _, revision = name.partition("@")
    with _explained("the hub does not give this model", name, "mend the path or the hub id"):
        from huggingface_hub import snapshot_download

        return Path(
            snapshot_download(
                repo, revision=revision or None, allow_patterns=list(_FILES), library_name="espnet_ent", max_workers=4
            )
        )


def cached_revision(repo: str) -> str | None:
    """The commit of a model in the hub's cache that an unnamed revision stands for; None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repo, "config.json")
    return Path(path).parent.name if isinstance(path, str) else None


def find_token() -> str | None:
    """The hub's token of this user, where its own client looks for it: HF_TOKEN, or that of ``hf auth login``."""
    from huggingface_hub import get_token

    return get_token()


def upload_folder(directory: str | Path, repo: str, token: str, private: bool = False) -> str:
    """Put all files of a directory into a repository of models, which is made unless it is there.

    Args:
        directory: The files.
        repo: ``user/name``.
        token: The user's, with the right to write.
        private: Make the repository private; one that is there stays as it is.

    Returns:
        URL of the repository.

    Raises:
        ConfigError: If the hub refuses or can't be reached.
    """
    with _explained("the hub refuses the upload", repo, "hf auth login with a token that may write; see --hf_repo"):
        from huggingface_hub import HfApi

        api = HfApi(token=token, library_name="espnet_ent")
        url = api.create_repo(repo, exist_ok=True, private=private)
        api.upload_folder(repo_id=repo, folder_path=directory, commit_message="Upload a model of espnet_ent")
    return str(url)


@contextmanager
def _explained(what: str, name: str, next_step: str) -> Iterator[None]:
    """Make any failure of the client one line."""
    try:
        yield
    except Exception as error:  # the client and the libraries below it raise whatever they like
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        reason = " ".join(f"{type(first).__name__}: {first}".split())[:_LONGEST_REASON]
        raise ConfigError(what, where=name, got=reason, next_step=next_step) from error
