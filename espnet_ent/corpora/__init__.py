"""Readers of emotional speech corpora in their original layouts."""
