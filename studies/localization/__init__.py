"""Whether boxes lie on what makes a frame a plane: on the phantom, where that is known, and on fetal images, by eye."""
