"""Methods, one file each; ``bench new NAME`` creates one."""
