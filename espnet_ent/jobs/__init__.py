"""Run commands as jobs, with the contract of Kaldi's run.pl: options, ``JOB=1:n``, a log file, a command."""
