"""The ESPnet side: task, trainer, checkpoints, model, builder. The only folder that imports ``espnet2``."""

from espnet_ent.plugin.compat import quiet_imports

with quiet_imports():
    import espnet2.asr.encoder.conformer_encoder  # noqa: F401  (prints a notice about an optional package)
