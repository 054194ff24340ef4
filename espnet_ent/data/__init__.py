"""Kaldi-style data directories, audio, text and tokens. No torch, no ESPnet."""
