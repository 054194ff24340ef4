"""An experiment whose encoder is frozen, and its feature cache."""

from __future__ import annotations

from pathlib import Path

import yaml

from espnet_ent.bin import ent_cache
from tests.encoders.tiny_ssl import save_tiny
from tests.plugin.asr_models import make_recogniser
from tests.plugin.experiment import make_data


def make_cacheable(root: Path, family: str, **encoder_conf: object) -> Path:
    """Data and a FENT configuration with a local emotion branch on a tiny pretrained encoder of ``family``."""
    make_data(root)
    config = yaml.safe_load((root / "config.yaml").read_text())
    if family == "espnet_asr":
        make_recogniser(root / "model")
        conf = {"source": str(root / "model")}
    else:
        save_tiny(root / "model", family)
        conf = {"model": str(root / "model"), "top_conf": {"hidden_size": 4}, "one_by_one": True}
        family = "ssl"
    config |= {"encoder": family, "encoder_conf": {**conf, **encoder_conf}, "transducer": "factorized_transducer"}
    config |= {"emotion_branch": "local_context", "emotion_branch_conf": {"num_layers": 1, "dropout": 0.0}}
    config["model_conf"] = {"emotion_layer_mix": encoder_conf.get("layers") != "last"}
    del config["frontend_conf"]
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    return root


def cache_options(root: Path, *others: str, store: str = "store", out: str = "cached") -> list[str]:
    """Options of stage 9."""
    places = ["--data", root / "train", root / "valid", "--out", root / out, "--store", root / store]
    return [str(value) for value in [*places, "--config", root / "config.yaml", *others]]


def cache(root: Path, *others: str, **places: str) -> None:
    """Stage 9."""
    ent_cache.main(cache_options(root, *others, **places))


def from_cache(root: Path, options: list[str], out: str = "cached") -> list[str]:
    """Options of stage 11 with cached states in place of audio."""
    for phase in ("train", "valid"):
        audio = f"{root}/{phase}/wav.scp,speech,sound"
        assert audio in options
        states = f"{root}/{out}/{phase}/states.scp,states,feature_cache"
        options = [states if option == audio else option for option in options]
    return options
