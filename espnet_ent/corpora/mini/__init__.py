"""The mini corpus: synthetic emotional speech in the layouts of IEMOCAP and ZED.

Speech comes from eSpeak NG (extra ``mini``); everything else (grammar, speakers, prosody, joining, labels)
is made here from a seed. :func:`espnet_ent.corpora.mini.corpus.make_mini_corpus` is the entry point.
"""
