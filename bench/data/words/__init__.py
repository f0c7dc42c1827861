"""Words: word-vector files, the class → words → vector rule, the embedded world's corpus."""
