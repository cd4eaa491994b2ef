"""Speech: an MDCT codec whose spectral envelopes go through the toolkit's quantisers."""
