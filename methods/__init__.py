"""One file a method; ``bench new NAME`` makes the next one."""
